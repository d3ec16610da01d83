//! The log in SQLite. The statements are those of `postgres.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{EventCount, EventFilter, EventLog, RefusedClient, StoredEvent};
use crate::{
    database::{
        SqliteLink,
        sqlite::{json, time},
    },
    dated::first_row_id,
    events::{EventKind, NewEvent, sqlite::event as note},
    unavailable::Unavailable,
};

/// The log, by the connections of the database.
#[derive(Debug)]
pub struct SqliteEventLog(SqliteLink);

impl SqliteEventLog {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl EventLog for SqliteEventLog {
    async fn note(&self, event: &NewEvent, about: Option<Uuid>) -> Result<(), Unavailable> {
        let done = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let known =
                sqlx::query_scalar("SELECT id FROM users WHERE id = ?1").bind(about.map(Uuid::hyphenated));
            let known: Option<Hyphenated> = known.fetch_optional(&mut *transaction).await?;
            let about = known.map(Hyphenated::into_uuid);
            note(event, about).execute(&mut *transaction).await?;
            transaction.commit().await
        });
        done.await?;
        event.count();
        Ok(())
    }

    async fn page(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, Unavailable> {
        // A condition for what is asked for alone: so a prepared statement has the plan of its index.
        let user = filter.user.map_or("", |_| " AND user_id = ?4");
        let kind = filter.kind.map_or("", |_| " AND kind = ?5");
        let order = filter.after.map_or("DESC", |_| "ASC");
        let sql = format!(
            "SELECT id, at, kind, actor, actor_id, user_id, network, reason, details, times FROM events \
             WHERE id > ?1 AND id < ?2 AND (?4 IS NULL OR true) AND (?5 IS NULL OR true){user}{kind} \
             ORDER BY id {order} LIMIT ?3"
        );
        let (least, most) = filter.bounds();
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(least.hyphenated())
            .bind(most.hyphenated())
            .bind(i64::from(filter.limit))
            .bind(filter.user.map(Uuid::hyphenated))
            .bind(filter.kind.map(EventKind::name))
            .try_map(|row: SqliteRow| stored(&row));
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }

    async fn counts(
        &self,
        kinds: &[EventKind],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<EventCount>, Unavailable> {
        const SQL: &str = "SELECT kind, coalesce(json_extract(details, '$.reason'), '') AS why, sum(times) AS total FROM events \
             WHERE kind IN (SELECT value FROM json_each(?1)) AND id >= ?2 AND id < ?3 GROUP BY kind, why ORDER BY total DESC, kind, why LIMIT 1000";
        let query = sqlx::query(SQL)
            .bind(names(kinds))
            .bind(first_row_id(from).hyphenated())
            .bind(first_row_id(to).hyphenated())
            .try_map(|row: SqliteRow| {
                Ok(EventCount {
                    kind: row.try_get(0)?,
                    reason: row.try_get(1)?,
                    times: row.try_get(2)?,
                })
            });
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }

    async fn refused_clients(
        &self,
        kinds: &[EventKind],
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RefusedClient>, Unavailable> {
        const SQL: &str = "SELECT kind, coalesce(json_extract(details, '$.reason'), '') AS why, network, user_id, \
             sum(times) AS total, max(at) AS last FROM events \
             WHERE kind IN (SELECT value FROM json_each(?1)) AND id >= ?2 \
             GROUP BY kind, why, network, user_id ORDER BY total DESC, last DESC, kind, why, network, user_id LIMIT ?3";
        let query = sqlx::query(SQL)
            .bind(names(kinds))
            .bind(first_row_id(since).hyphenated())
            .bind(i64::from(limit))
            .try_map(|row: SqliteRow| {
                Ok(RefusedClient {
                    kind: row.try_get(0)?,
                    reason: row.try_get(1)?,
                    network: row.try_get(2)?,
                    user_id: row
                        .try_get::<Option<Hyphenated>, _>(3)?
                        .map(Hyphenated::into_uuid),
                    times: row.try_get(4)?,
                    last_at: time(row.try_get(5)?),
                })
            });
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }
}

fn stored(row: &SqliteRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
        at: time(row.try_get(1)?),
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        actor_id: row
            .try_get::<Option<Hyphenated>, _>(4)?
            .map(Hyphenated::into_uuid),
        user_id: row
            .try_get::<Option<Hyphenated>, _>(5)?
            .map(Hyphenated::into_uuid),
        network: row.try_get(6)?,
        reason: row.try_get(7)?,
        details: serde_json::from_str(row.try_get(8)?).unwrap_or_default(),
        times: row.try_get(9)?,
    })
}

fn names(kinds: &[EventKind]) -> String {
    json(kinds.iter().map(|kind| kind.name().to_owned()))
}
