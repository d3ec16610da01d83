//! Events and notices in PostgreSQL.
//!
//! Where one statement makes a change, it notes the event as well: a part of its `WITH`, with the event as one parameter.
//! ```text
//! const SQL: &str = concat!(
//!     "WITH ended AS (UPDATE sessions … WHERE id = $1 RETURNING user_id), noted AS (",
//!     insert_event!("$2", "ended.user_id", "ended"),
//!     ") SELECT …"
//! );
//! sqlx::query(SQL).bind(session).bind(parameter(&event))
//! ```
//! PostgreSQL runs each part that changes something, whether or not the rest names it.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{NewEvent, NewNotice, NoticeAddress};
use crate::{
    database::{MonthlyTable, PostgresLink, to_micros},
    dated::first_row_id,
    encoding::JsonObject,
    retention::{MonthsKept, Retained},
    unavailable::Unavailable,
};

/// A statement, or a part of a `WITH`, that inserts an event for the one row of `$from`, if there is one. `$event` is its
/// parameter (see [`parameter`]), `$user` what it says of whose account it is about; `$from` may end in a `WHERE`.
macro_rules! insert_event {
    ($event:literal, $user:literal, $from:literal) => {
        concat!(
            "INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, reason, details) \
             SELECT e.id, e.at, e.kind, e.actor, CASE e.actor WHEN 'user' THEN coalesce(e.actor_id, ",
            $user,
            ") ELSE e.actor_id END, ",
            $user,
            ", e.network, e.reason, e.details FROM jsonb_populate_record(NULL::events, ",
            $event,
            "::jsonb) AS e, ",
            $from
        )
    };
}
pub(crate) use insert_event;

/// The same for a notice, whose parameter is [`notice_parameter`], to the address of the row of `$from`: expressions of its
/// channel, the address, and the address's key (`NULL` for a phone).
macro_rules! insert_notice {
    ($notice:literal, $user:literal, ($channel:literal, $address:literal, $key:literal), $from:literal) => {
        concat!(
            "INSERT INTO notices (id, user_id, kind, channel, address, address_key, language, created_at, expires_at) \
             SELECT n.id, ",
            $user,
            ", n.kind, ",
            $channel,
            ", ",
            $address,
            ", ",
            $key,
            ", n.language, n.created_at, n.expires_at FROM jsonb_populate_record(NULL::notices, ",
            $notice,
            "::jsonb) AS n, ",
            $from
        )
    };
}
#[allow(unused_imports, reason = "the flows that change an address use it")]
pub(crate) use insert_notice;

/// The same for many, whose parameter is [`parameters`]: those about accounts whose id is in `$made`.
macro_rules! insert_events {
    ($events:literal, $made:literal) => {
        concat!(
            "INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, reason, details) \
             SELECT e.id, e.at, e.kind, e.actor, e.actor_id, e.user_id, e.network, e.reason, e.details \
             FROM jsonb_populate_recordset(NULL::events, ",
            $events,
            "::jsonb) AS e JOIN ",
            $made,
            " ON ",
            $made,
            ".id = e.user_id"
        )
    };
}
pub(crate) use insert_events;

/// Events as the one parameter that `insert_events!` takes, each with the account that it is about.
pub fn parameters<'a>(events: impl Iterator<Item = (Uuid, &'a NewEvent)>) -> String {
    let mut rows = String::from("[");
    for (user, event) in events {
        if rows.len() > 1 {
            rows.push(',');
        }
        rows.push_str(&row(event, Some(user)));
    }
    rows.push(']');
    rows
}

/// An event as the one parameter that `insert_event!` takes.
pub fn parameter(event: &NewEvent) -> String {
    row(event, None)
}

/// What most rows take.
const ROOM_FOR_ROW: usize = 256;

/// The columns of an event, but for those that the statement fills. Each right code writes one, so it is done without serde.
/// `user` is given where the statement doesn't say whose account the event is about.
fn row(event: &NewEvent, user: Option<Uuid>) -> String {
    let source = &event.source;
    let network = source.network.map(|network| network.coarse());
    let at = to_micros(event.at).to_rfc3339_opts(SecondsFormat::Micros, true);
    JsonObject::with_capacity(ROOM_FOR_ROW)
        .id("id", event.id)
        .text("at", &at)
        .text("kind", event.kind.name())
        .text("actor", source.actor.name())
        .maybe(source.actor.id(), |row, id| row.id("actor_id", id))
        .maybe(user, |row, user| row.id("user_id", user))
        .maybe(network.as_deref(), |row, network| row.text("network", network))
        .maybe(source.reason.as_deref(), |row, reason| row.text("reason", reason))
        .text("details", &event.details())
        .close()
}

/// A notice as the one parameter that `insert_notice!` takes.
pub fn notice_parameter(notice: &NewNotice) -> String {
    serde_json::json!({
        "id": notice.id,
        "kind": notice.kind.name(),
        "language": notice.language.as_ref().map(|language| language.as_str()),
        "created_at": to_micros(notice.created_at),
        "expires_at": to_micros(notice.expires_at),
    })
    .to_string()
}

type Statement = Query<'static, sqlx::Postgres, PgArguments>;

/// Inserts an event: for a transaction of several statements.
pub fn event(event: &NewEvent, user: Option<Uuid>) -> Statement {
    const SQL: &str = insert_event!("$1", "whose.id", "(SELECT $2::uuid AS id) AS whose");
    sqlx::query(SQL).bind(parameter(event)).bind(user)
}

/// Inserts a notice: for a transaction of several statements.
pub fn notice(notice: &NewNotice, user: Uuid, address: &NoticeAddress) -> Statement {
    const SQL: &str = insert_notice!(
        "$1",
        "whose.id",
        ("whose.channel", "whose.address", "whose.address_key"),
        "(SELECT $2::uuid AS id, $3 AS channel, $4 AS address, $5 AS address_key) AS whose"
    );
    sqlx::query(SQL)
        .bind(notice_parameter(notice))
        .bind(user)
        .bind(address.channel().name())
        .bind(address.expose().to_owned())
        .bind(address.key().map(str::to_owned))
}

/// The table of events, by the connections of the database.
#[derive(Debug)]
pub struct PostgresEvents(PostgresLink);

impl PostgresEvents {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl Retained for PostgresEvents {
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        // Its id says in which partition an event is. One of the same millisecond may be older. An array, since a join
        // might read all that is over for each thousand of it.
        const SQL: &str = "DELETE FROM events WHERE id < $2 AND id = ANY(ARRAY( \
               SELECT id FROM events WHERE id < $2 AND at < $1 ORDER BY id LIMIT $3 \
             ))";
        let query = sqlx::query(SQL)
            .bind(to_micros(before))
            .bind(first_row_id(before + TimeDelta::milliseconds(1)))
            .bind(i64::from(limit));
        let done = self
            .0
            .bounded(async { query.execute(self.0.lend().await?.session()).await });
        Ok(done.await?.rows_affected())
    }

    async fn keep_months(
        &self,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<MonthsKept, Unavailable> {
        const EVENTS: MonthlyTable = MonthlyTable {
            name: "events",
            key: "id",
            first_id: first_row_id,
            fillfactor: 100,
        };
        self.0.keep_months(&EVENTS, now, before).await
    }
}
