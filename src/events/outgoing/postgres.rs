//! Events that go out, in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, postgres::PgRow};
use tokio::sync::Mutex;

use super::{
    EventKinds, LeasedEvent, OutgoingEvent, OutgoingStore, Replayed,
    horizon::{Horizon, Look},
};
use crate::{
    database::{PostgresLink, to_micros},
    dated::first_row_id,
    unavailable::Unavailable,
};

/// Looks that one question takes at most.
const LOOKS: u32 = 3;

/// The tables, by the connections of the database.
#[derive(Debug)]
pub struct PostgresOutgoing {
    link: PostgresLink,
    horizon: Mutex<Horizon>,
}

impl PostgresOutgoing {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self {
            link: link.clone(),
            horizon: Mutex::default(),
        }
    }

    async fn look(&self, draws: bool) -> Result<Look, Unavailable> {
        // The snapshot is older than what is read of the sequence, and than the number that is drawn.
        const SQL: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END, \
               pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
               CASE WHEN $1 THEN pg_current_xact_id()::text::bigint END FROM events_place";
        let query = sqlx::query(SQL).bind(draws).try_map(|row: PgRow| {
            Ok(Look {
                last: row.try_get(0)?,
                oldest: row.try_get(1)?,
                number: row.try_get(2)?,
            })
        });
        self.link
            .bounded(async { query.fetch_one(self.link.lend().await?.session()).await })
            .await
    }
}

fn leased(row: &PgRow) -> Result<LeasedEvent, sqlx::Error> {
    let id: Option<uuid::Uuid> = row.try_get(3)?;
    let event = match id {
        None => None,
        Some(id) => Some(OutgoingEvent {
            id,
            at: row.try_get(4)?,
            kind: row.try_get(5)?,
            actor: row.try_get(6)?,
            actor_id: row.try_get(7)?,
            user_id: row.try_get(8)?,
            network: row.try_get(9)?,
            reason: row.try_get(10)?,
            details: row.try_get(11)?,
            times: row.try_get::<i32, _>(12)?.unsigned_abs(),
        }),
    };
    Ok(LeasedEvent {
        seq: row.try_get(0)?,
        attempts: row.try_get::<i32, _>(1)?.unsigned_abs(),
        created_at: row.try_get(2)?,
        event,
    })
}

#[async_trait]
impl OutgoingStore for PostgresOutgoing {
    async fn settled(&self) -> Result<Option<i64>, Unavailable> {
        // Held over the looks: each begins after the one before it was taken into account, whichever webhook asks.
        let mut horizon = self.horizon.lock().await;
        for _ in 0..LOOKS {
            let look = self.look(horizon.wants_number()).await?;
            if !horizon.take(look) {
                break;
            }
        }
        Ok(horizon.settled())
    }

    async fn begin(&self, webhook: &str, settled: i64) -> Result<i64, Unavailable> {
        const SQL: &str = "WITH made AS ( \
               INSERT INTO event_webhooks (name, position) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING position \
             ) SELECT position FROM made UNION ALL SELECT position FROM event_webhooks WHERE name = $1";
        let query = sqlx::query_scalar(SQL).bind(webhook).bind(settled);
        let position: Option<i64> = self
            .link
            .bounded(async { query.fetch_optional(self.link.lend().await?.session()).await })
            .await?;
        // Another instance made it at the same moment.
        Ok(position.unwrap_or(settled))
    }

    async fn advance(
        &self,
        webhook: &str,
        kinds: &EventKinds,
        settled: i64,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<i64, Unavailable> {
        const LOCK: &str = "SELECT position FROM event_webhooks WHERE name = $1 FOR UPDATE";
        const ADVANCE: &str = "WITH batch AS ( \
               SELECT seq, id, kind, user_id FROM events WHERE seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4 \
             ), due AS ( \
               INSERT INTO event_deliveries (webhook, seq, event, lane, due_at, created_at) \
               SELECT $1, seq, id, right(user_id::text, 12), $5, $5 FROM batch WHERE kind = ANY($6) \
               ON CONFLICT DO NOTHING \
             ) UPDATE event_webhooks SET position = ( \
               SELECT CASE WHEN count(*) < $4 THEN $3 ELSE max(seq) END FROM batch \
             ) WHERE name = $1 RETURNING position";
        let kinds: Vec<_> = kinds.names().collect();
        self.link
            .bounded(async {
                let mut lent = self.link.lend().await?;
                let mut together = lent.begin().await?;
                let lock = sqlx::query_scalar(LOCK).bind(webhook);
                let from: Option<i64> = lock.fetch_optional(together.session()).await?;
                let Some(from) = from.filter(|from| *from < settled) else {
                    return Ok(from.unwrap_or(settled));
                };
                let advance = sqlx::query_scalar(ADVANCE)
                    .bind(webhook)
                    .bind(from)
                    .bind(settled)
                    .bind(i64::from(limit))
                    .bind(to_micros(now))
                    .bind(kinds);
                let position = advance.fetch_one(together.session()).await?;
                together.commit().await?;
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
        const SQL: &str = "WITH leased AS ( \
               UPDATE event_deliveries SET due_at = $3, attempts = attempts + 1 WHERE webhook = $1 AND seq IN ( \
                 SELECT seq FROM event_deliveries c WHERE webhook = $1 AND due_at <= $2 AND NOT EXISTS ( \
                   SELECT FROM event_deliveries o WHERE o.webhook = $1 AND o.lane = c.lane AND o.seq < c.seq \
                 ) ORDER BY due_at, seq LIMIT $4 FOR UPDATE SKIP LOCKED \
               ) RETURNING seq, event, attempts, created_at \
             ) SELECT l.seq, l.attempts, l.created_at, e.id, e.at, e.kind, e.actor, e.actor_id, e.user_id, e.network, \
               e.reason, e.details, e.times FROM leased l LEFT JOIN events e ON e.id = l.event ORDER BY l.seq";
        let query = sqlx::query(SQL)
            .bind(webhook)
            .bind(to_micros(now))
            .bind(to_micros(until))
            .bind(i64::from(limit))
            .try_map(|row: PgRow| leased(&row));
        self.link
            .bounded(async { query.fetch_all(self.link.lend().await?.session()).await })
            .await
    }

    async fn done(&self, webhook: &str, seqs: &[i64]) -> Result<(), Unavailable> {
        let query = sqlx::query("DELETE FROM event_deliveries WHERE webhook = $1 AND seq = ANY($2)");
        self.link.execute(query.bind(webhook).bind(seqs)).await.map(drop)
    }

    async fn postpone(&self, webhook: &str, seq: i64, at: DateTime<Utc>) -> Result<(), Unavailable> {
        // What stands behind it in its lane can't go out before: it would be looked at in vain.
        const SQL: &str = "UPDATE event_deliveries SET due_at = $3 WHERE webhook = $1 AND (seq = $2 OR lane = ( \
               SELECT lane FROM event_deliveries WHERE webhook = $1 AND seq = $2 \
             ))";
        let query = sqlx::query(SQL).bind(webhook).bind(seq).bind(to_micros(at));
        self.link.execute(query).await.map(drop)
    }

    async fn has_begun(&self, webhook: &str) -> Result<bool, Unavailable> {
        let query =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM event_webhooks WHERE name = $1)").bind(webhook);
        self.link
            .bounded(async { query.fetch_one(self.link.lend().await?.session()).await })
            .await
    }

    async fn pending(&self, webhook: &str, most: u32) -> Result<u32, Unavailable> {
        const SQL: &str =
            "SELECT count(*) FROM (SELECT FROM event_deliveries WHERE webhook = $1 LIMIT $2) AS pending";
        let query = sqlx::query_scalar(SQL).bind(webhook).bind(i64::from(most));
        let count: i64 = self
            .link
            .bounded(async { query.fetch_one(self.link.lend().await?.session()).await })
            .await?;
        Ok(u32::try_from(count).unwrap_or(most))
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
        // The first place since then is looked for once, among the events of that time alone: by the index of places, all
        // that came before would be passed over one by one. Hence the sum, which no index has.
        const SQL: &str = "WITH batch AS ( \
               SELECT seq, id, kind, user_id, at FROM events WHERE seq > CASE WHEN $2 > 0 THEN $2 ELSE \
                 coalesce((SELECT min(seq + 0) - 1 FROM events WHERE id >= $7), 9223372036854775807) END \
                 AND seq <= (SELECT position FROM event_webhooks WHERE name = $1) ORDER BY seq LIMIT $3 \
             ), due AS ( \
               INSERT INTO event_deliveries (webhook, seq, event, lane, due_at, created_at) \
               SELECT $1, seq, id, right(user_id::text, 12), $5, $5 FROM batch WHERE kind = ANY($6) AND at >= $4 \
               ON CONFLICT DO NOTHING RETURNING seq \
             ) SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM batch), (SELECT max(seq) FROM batch)";
        let kinds: Vec<_> = kinds.names().collect();
        let query = sqlx::query(SQL)
            .bind(webhook)
            .bind(after)
            .bind(i64::from(limit))
            .bind(to_micros(since))
            .bind(to_micros(now))
            .bind(kinds)
            .bind(first_row_id(since))
            .try_map(|row: PgRow| {
                let (queued, looked_at): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                let last: Option<i64> = row.try_get(2)?;
                Ok(Replayed {
                    queued: queued.unsigned_abs(),
                    next: last.filter(|_| looked_at == i64::from(limit)),
                })
            });
        self.link
            .bounded(async { query.fetch_one(self.link.lend().await?.session()).await })
            .await
    }
}
