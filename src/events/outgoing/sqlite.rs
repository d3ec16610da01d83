//! Events that go out, in SQLite. It has one writer, so what is seen is settled.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{EventKinds, LeasedEvent, OutgoingEvent, OutgoingStore, Replayed};
use crate::{
    database::{
        SqliteLink,
        sqlite::{json, time},
    },
    unavailable::Unavailable,
};

/// The tables, by the connections of the database.
#[derive(Debug)]
pub struct SqliteOutgoing(SqliteLink);

impl SqliteOutgoing {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    /// Whether any is due: those who only read hold no writer up.
    async fn is_any_due(&self, webhook: &str, now: DateTime<Utc>) -> Result<bool, Unavailable> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM event_deliveries WHERE webhook = ?1 AND due_at <= ?2)";
        let query = sqlx::query_scalar(SQL)
            .bind(webhook.to_owned())
            .bind(now.timestamp_micros());
        self.0.bounded(query.fetch_one(&self.0.readers)).await
    }
}

fn kinds_json(kinds: &EventKinds) -> String {
    json(kinds.names().map(str::to_owned))
}

fn leased(row: &SqliteRow) -> Result<LeasedEvent, sqlx::Error> {
    let uuid = |at: usize| -> Result<Option<Uuid>, sqlx::Error> {
        let text: Option<Hyphenated> = row.try_get(at)?;
        Ok(text.map(Hyphenated::into_uuid))
    };
    let event = match uuid(3)? {
        None => None,
        Some(id) => Some(OutgoingEvent {
            id,
            at: time(row.try_get(4)?),
            kind: row.try_get(5)?,
            actor: row.try_get(6)?,
            actor_id: uuid(7)?,
            user_id: uuid(8)?,
            network: row.try_get(9)?,
            reason: row.try_get(10)?,
            details: row.try_get(11)?,
            times: row.try_get(12)?,
        }),
    };
    Ok(LeasedEvent {
        seq: row.try_get(0)?,
        attempts: row.try_get(1)?,
        created_at: time(row.try_get(2)?),
        event,
    })
}

#[async_trait]
impl OutgoingStore for SqliteOutgoing {
    async fn settled(&self) -> Result<Option<i64>, Unavailable> {
        let query = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM events");
        self.0.bounded(query.fetch_one(&self.0.readers)).await.map(Some)
    }

    async fn begin(&self, webhook: &str, settled: i64) -> Result<i64, Unavailable> {
        const SQL: &str = "INSERT INTO event_webhooks (name, position) VALUES (?1, ?2) \
             ON CONFLICT (name) DO UPDATE SET position = position RETURNING position";
        let query = sqlx::query_scalar(SQL).bind(webhook.to_owned()).bind(settled);
        self.0.bounded(query.fetch_one(&self.0.writer)).await
    }

    async fn advance(
        &self,
        webhook: &str,
        kinds: &EventKinds,
        settled: i64,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<i64, Unavailable> {
        const FROM: &str = "SELECT position FROM event_webhooks WHERE name = ?1";
        const DUE: &str = "INSERT INTO event_deliveries (webhook, seq, lane, due_at, created_at) \
             SELECT ?1, seq, substr(user_id, -12), ?5, ?5 FROM ( \
               SELECT seq, kind, user_id FROM events WHERE seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4 \
             ) WHERE kind IN (SELECT value FROM json_each(?6)) ON CONFLICT DO NOTHING";
        const ADVANCE: &str = "UPDATE event_webhooks SET position = ( \
               SELECT CASE WHEN count(*) < ?4 THEN ?3 ELSE max(seq) END FROM ( \
                 SELECT seq FROM events WHERE seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4 \
               ) \
             ) WHERE name = ?1 RETURNING position";
        self.0
            .bounded(async {
                let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
                let from = sqlx::query_scalar(FROM).bind(webhook.to_owned());
                let from: Option<i64> = from.fetch_optional(&mut *transaction).await?;
                let Some(from) = from.filter(|from| *from < settled) else {
                    return Ok(from.unwrap_or(settled));
                };
                let due = sqlx::query(DUE)
                    .bind(webhook.to_owned())
                    .bind(from)
                    .bind(settled)
                    .bind(limit)
                    .bind(now.timestamp_micros())
                    .bind(kinds_json(kinds));
                due.execute(&mut *transaction).await?;
                let advance = sqlx::query_scalar(ADVANCE)
                    .bind(webhook.to_owned())
                    .bind(from)
                    .bind(settled)
                    .bind(limit);
                let position = advance.fetch_one(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(position)
            })
            .await
    }

    async fn lease(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedEvent>, Unavailable> {
        const LEASE: &str = "UPDATE event_deliveries SET due_at = ?3, attempts = attempts + 1 WHERE webhook = ?1 AND seq IN ( \
               SELECT seq FROM event_deliveries c WHERE webhook = ?1 AND due_at <= ?2 AND NOT EXISTS ( \
                 SELECT 1 FROM event_deliveries o WHERE o.webhook = ?1 AND o.lane = c.lane AND o.seq < c.seq \
               ) ORDER BY due_at, seq LIMIT ?4 \
             ) RETURNING seq";
        const READ: &str = "SELECT l.seq, l.attempts, l.created_at, e.id, e.at, e.kind, e.actor, e.actor_id, e.user_id, \
               e.network, e.reason, e.details, e.times \
             FROM event_deliveries l LEFT JOIN events e ON e.seq = l.seq \
             WHERE l.webhook = ?1 AND l.seq IN (SELECT value FROM json_each(?2)) ORDER BY l.seq";
        if !self.is_any_due(webhook, now).await? {
            return Ok(Vec::new());
        }
        self.0
            .bounded(async {
                let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
                let lease = sqlx::query_scalar(LEASE)
                    .bind(webhook.to_owned())
                    .bind(now.timestamp_micros())
                    .bind(until.timestamp_micros())
                    .bind(limit);
                let seqs: Vec<i64> = lease.fetch_all(&mut *transaction).await?;
                let read = sqlx::query(READ)
                    .bind(webhook.to_owned())
                    .bind(serde_json::Value::from(seqs).to_string())
                    .try_map(|row: SqliteRow| leased(&row));
                let events = read.fetch_all(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(events)
            })
            .await
    }

    async fn done(&self, webhook: &str, seqs: &[i64]) -> Result<(), Unavailable> {
        const SQL: &str =
            "DELETE FROM event_deliveries WHERE webhook = ?1 AND seq IN (SELECT value FROM json_each(?2))";
        let query = sqlx::query(SQL)
            .bind(webhook.to_owned())
            .bind(serde_json::Value::from(seqs.to_vec()).to_string());
        self.0.execute(query).await.map(drop)
    }

    async fn postpone(&self, webhook: &str, seq: i64, at: DateTime<Utc>) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE event_deliveries SET due_at = ?3 WHERE webhook = ?1 AND (seq = ?2 OR lane = ( \
               SELECT lane FROM event_deliveries WHERE webhook = ?1 AND seq = ?2 \
             ))";
        let query = sqlx::query(SQL)
            .bind(webhook.to_owned())
            .bind(seq)
            .bind(at.timestamp_micros());
        self.0.execute(query).await.map(drop)
    }

    async fn has_begun(&self, webhook: &str) -> Result<bool, Unavailable> {
        let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM event_webhooks WHERE name = ?1)");
        let query = query.bind(webhook.to_owned());
        self.0.bounded(query.fetch_one(&self.0.readers)).await
    }

    async fn pending(&self, webhook: &str, most: u32) -> Result<u32, Unavailable> {
        const SQL: &str = "SELECT count(*) FROM (SELECT 1 FROM event_deliveries WHERE webhook = ?1 LIMIT ?2)";
        let query = sqlx::query_scalar(SQL).bind(webhook.to_owned()).bind(most);
        self.0.bounded(query.fetch_one(&self.0.readers)).await
    }

    async fn replay(
        &self,
        webhook: &str,
        kinds: &EventKinds,
        since: DateTime<Utc>,
        after: i64,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Replayed, Unavailable> {
        const BATCH: &str = "SELECT seq FROM events WHERE seq > ?2 AND at >= ?3 \
             AND seq <= (SELECT position FROM event_webhooks WHERE name = ?1) ORDER BY seq LIMIT ?4";
        const DUE: &str = "INSERT INTO event_deliveries (webhook, seq, lane, due_at, created_at) \
             SELECT ?1, seq, substr(user_id, -12), ?3, ?3 FROM events \
             WHERE seq IN (SELECT value FROM json_each(?2)) AND kind IN (SELECT value FROM json_each(?4)) \
             ON CONFLICT DO NOTHING";
        self.0
            .bounded(async {
                let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
                let batch = sqlx::query_scalar(BATCH)
                    .bind(webhook.to_owned())
                    .bind(after)
                    .bind(since.timestamp_micros())
                    .bind(limit);
                let batch: Vec<i64> = batch.fetch_all(&mut *transaction).await?;
                let last = batch.last().copied().filter(|_| batch.len() == limit as usize);
                let due = sqlx::query(DUE)
                    .bind(webhook.to_owned())
                    .bind(serde_json::Value::from(batch).to_string())
                    .bind(now.timestamp_micros())
                    .bind(kinds_json(kinds));
                let done = due.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(Replayed {
                    queued: done.rows_affected(),
                    next: last,
                })
            })
            .await
    }
}
