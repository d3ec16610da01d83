//! The log in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use uuid::Uuid;

use super::{EventCount, EventFilter, EventLog, RefusedClient, StoredEvent};
use crate::{
    database::PostgresLink,
    dated::first_row_id,
    events::{
        EventKind, NewEvent,
        postgres::{insert_event, parameter},
    },
    unavailable::Unavailable,
};

/// The log, by the connections of the database.
#[derive(Debug)]
pub struct PostgresEventLog(PostgresLink);

impl PostgresEventLog {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl EventLog for PostgresEventLog {
    async fn note(&self, event: &NewEvent, about: Option<Uuid>) -> Result<(), Unavailable> {
        const SQL: &str = insert_event!(
            "$1",
            "whose.id",
            "(SELECT (SELECT u.id FROM users u WHERE u.id = $2) AS id) AS whose"
        );
        let query = sqlx::query(SQL).bind(parameter(event)).bind(about);
        self.0.execute_beside_erasures(query).await?;
        event.count();
        Ok(())
    }

    async fn page(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, Unavailable> {
        // A condition for what is asked for alone: so a prepared statement has the plan of its index.
        let user = filter.user.map_or("", |_| " AND user_id = $4");
        let kind = filter.kind.map_or("", |_| " AND kind = $5");
        let order = filter.after.map_or("DESC", |_| "ASC");
        let sql = format!(
            "SELECT id, at, kind, actor, actor_id, user_id, network, reason, details, times FROM events \
             WHERE id > $1 AND id < $2 AND ($4::uuid IS NULL OR true) AND ($5::text IS NULL OR true){user}{kind} \
             ORDER BY id {order} LIMIT $3"
        );
        let (least, most) = filter.bounds();
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(least)
            .bind(most)
            .bind(i64::from(filter.limit))
            .bind(filter.user)
            .bind(filter.kind.map(EventKind::name))
            .try_map(|row: PgRow| stored(&row));
        self.0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await
    }

    async fn counts(
        &self,
        kinds: &[EventKind],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<EventCount>, Unavailable> {
        const SQL: &str = "SELECT kind, coalesce(details::jsonb ->> 'reason', '') AS why, CAST(sum(times) AS bigint) AS total FROM events \
             WHERE kind = ANY($1) AND id >= $2 AND id < $3 GROUP BY kind, why ORDER BY total DESC, kind, why LIMIT 1000";
        let query = sqlx::query(SQL)
            .bind(names(kinds))
            .bind(first_row_id(from))
            .bind(first_row_id(to))
            .try_map(|row: PgRow| {
                Ok(EventCount {
                    kind: row.try_get(0)?,
                    reason: row.try_get(1)?,
                    times: row.try_get(2)?,
                })
            });
        self.0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await
    }

    async fn refused_clients(
        &self,
        kinds: &[EventKind],
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RefusedClient>, Unavailable> {
        const SQL: &str = "SELECT kind, coalesce(details::jsonb ->> 'reason', '') AS why, network, user_id, \
             CAST(sum(times) AS bigint) AS total, max(at) AS last FROM events WHERE kind = ANY($1) AND id >= $2 \
             GROUP BY kind, why, network, user_id ORDER BY total DESC, last DESC, kind, why, network, user_id LIMIT $3";
        let query = sqlx::query(SQL)
            .bind(names(kinds))
            .bind(first_row_id(since))
            .bind(i64::from(limit))
            .try_map(|row: PgRow| {
                Ok(RefusedClient {
                    kind: row.try_get(0)?,
                    reason: row.try_get(1)?,
                    network: row.try_get(2)?,
                    user_id: row.try_get(3)?,
                    times: row.try_get(4)?,
                    last_at: row.try_get(5)?,
                })
            });
        self.0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await
    }
}

fn stored(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        actor_id: row.try_get(4)?,
        user_id: row.try_get(5)?,
        network: row.try_get(6)?,
        reason: row.try_get(7)?,
        details: serde_json::from_str(row.try_get(8)?).unwrap_or_default(),
        times: row.try_get(9)?,
    })
}

fn names(kinds: &[EventKind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name()).collect()
}
