//! Events and notices in SQLite: statements to be run in the transaction of the change.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Actor, NewEvent, NewNotice, NoticeAddress};
use crate::{
    database::{SqliteLink, sqlite::Query},
    retention::Retained,
    unavailable::Unavailable,
};

/// Inserts an event about an account.
pub fn event(event: &NewEvent, user: Option<Uuid>) -> Query {
    const SQL: &str = "INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, reason, details) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let source = &event.source;
    let actor = match source.actor {
        Actor::Owner => user,
        actor => actor.id(),
    };
    sqlx::query(SQL)
        .bind(event.id.hyphenated())
        .bind(event.at.timestamp_micros())
        .bind(event.kind.name())
        .bind(source.actor.name())
        .bind(actor.map(Uuid::hyphenated))
        .bind(user.map(Uuid::hyphenated))
        .bind(source.network.map(|network| network.coarse()))
        .bind(source.reason.clone())
        .bind(event.details())
}

/// Inserts a notice.
pub fn notice(notice: &NewNotice, user: Uuid, address: &NoticeAddress) -> Query {
    const SQL: &str = "INSERT INTO notices (id, user_id, kind, channel, address, address_key, language, created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    sqlx::query(SQL)
        .bind(notice.id.hyphenated())
        .bind(user.hyphenated())
        .bind(notice.kind.name())
        .bind(address.channel().name())
        .bind(address.expose().to_owned())
        .bind(address.key().map(str::to_owned))
        .bind(
            notice
                .language
                .as_ref()
                .map(|language| language.as_str().to_owned()),
        )
        .bind(notice.created_at.timestamp_micros())
        .bind(notice.expires_at.timestamp_micros())
}

/// The table of events, by the connections of the database.
#[derive(Debug)]
pub struct SqliteEvents(SqliteLink);

impl SqliteEvents {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl Retained for SqliteEvents {
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ?1 LIMIT ?2)";
        let query = sqlx::query(SQL).bind(before.timestamp_micros()).bind(limit);
        let done = self.0.bounded(query.execute(&self.0.writer));
        Ok(done.await?.rows_affected())
    }
}
