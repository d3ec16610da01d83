//! The reader of the ledger in SQLite. The statements are those of `postgres.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{HourOfMessages, LedgerReader, MessageGroup, StoredVerification, VerificationFilter};
use crate::{
    database::{SqliteLink, sqlite::time},
    provider::DeliveryStatus,
    unavailable::Unavailable,
};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct SqliteLedgerReader(SqliteLink);

impl SqliteLedgerReader {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl LedgerReader for SqliteLedgerReader {
    async fn page(&self, filter: &VerificationFilter) -> Result<Vec<StoredVerification>, Unavailable> {
        // A condition for what is asked for alone, so that the plan is that of its index; those that failed have one of their own.
        let user = filter.user.map_or("", |_| " AND user_id = ?2");
        let country = filter.country.map_or("", |_| " AND country = ?3");
        let status = match filter.status {
            None => "",
            Some(DeliveryStatus::Undelivered | DeliveryStatus::Failed) => " AND failure = ?4",
            Some(_) => " AND status = ?4",
        };
        let after = filter
            .after
            .map_or("", |_| " AND (created_at, challenge_id) < (?5, ?6)");
        let sql = format!(
            "SELECT challenge_id, user_id, purpose, channel, country, provider, message_id, status, attempts, error_code, \
               price_micros, currency, created_at, sent_at, settled_at, verified_at FROM verifications \
             WHERE (?2 IS NULL OR true) AND (?3 IS NULL OR true) AND (?4 IS NULL OR true) \
               AND (?5 IS NULL OR true) AND (?6 IS NULL OR true){user}{country}{status}{after} \
             ORDER BY created_at DESC, challenge_id DESC LIMIT ?1"
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(filter.limit))
            .bind(filter.user.map(Uuid::hyphenated))
            .bind(filter.country.map(|country| country.as_str().to_owned()))
            .bind(filter.status.map(DeliveryStatus::name))
            .bind(filter.after.map(|(at, _)| at.timestamp_micros()))
            .bind(filter.after.map(|(_, id)| id.hyphenated()))
            .try_map(|row: SqliteRow| stored(&row));
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }

    async fn groups(&self, since: DateTime<Utc>) -> Result<Vec<MessageGroup>, Unavailable> {
        const SQL: &str = "SELECT country, provider, channel, currency, count(*), \
               sum(status = 'delivered'), \
               sum(status IN ('undelivered', 'failed')), count(verified_at), \
               coalesce(sum(price_micros), 0) \
             FROM verifications WHERE created_at >= ?1 \
             GROUP BY country, provider, channel, currency ORDER BY count(*) DESC, country, provider, channel, currency LIMIT 1000";
        let query = sqlx::query(SQL)
            .bind(since.timestamp_micros())
            .try_map(|row: SqliteRow| group(&row));
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }

    async fn hours(&self, since: DateTime<Utc>) -> Result<Vec<HourOfMessages>, Unavailable> {
        const SQL: &str = "SELECT created_at / 3600000000 AS hour, count(*), count(verified_at) \
             FROM verifications WHERE created_at >= ?1 GROUP BY hour ORDER BY hour LIMIT 1000";
        let query = sqlx::query(SQL)
            .bind(since.timestamp_micros())
            .try_map(|row: SqliteRow| hour(&row));
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }
}

fn group(row: &SqliteRow) -> Result<MessageGroup, sqlx::Error> {
    Ok(MessageGroup {
        country: row.try_get(0)?,
        provider: row.try_get(1)?,
        channel: row.try_get(2)?,
        currency: row.try_get(3)?,
        messages: row.try_get(4)?,
        delivered: row.try_get(5)?,
        failed: row.try_get(6)?,
        verified: row.try_get(7)?,
        price_micros: row.try_get(8)?,
    })
}

fn hour(row: &SqliteRow) -> Result<HourOfMessages, sqlx::Error> {
    Ok(HourOfMessages {
        hour: row.try_get(0)?,
        messages: row.try_get(1)?,
        verified: row.try_get(2)?,
    })
}

fn stored(row: &SqliteRow) -> Result<StoredVerification, sqlx::Error> {
    Ok(StoredVerification {
        challenge_id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
        user_id: row
            .try_get::<Option<Hyphenated>, _>(1)?
            .map(Hyphenated::into_uuid),
        purpose: row.try_get(2)?,
        channel: row.try_get(3)?,
        country: row.try_get(4)?,
        provider: row.try_get(5)?,
        message_id: row.try_get(6)?,
        status: row.try_get(7)?,
        attempts: row.try_get(8)?,
        error_code: row.try_get(9)?,
        price_micros: row.try_get(10)?,
        currency: row.try_get(11)?,
        created_at: time(row.try_get(12)?),
        sent_at: row.try_get::<Option<i64>, _>(13)?.map(time),
        settled_at: row.try_get::<Option<i64>, _>(14)?.map(time),
        verified_at: row.try_get::<Option<i64>, _>(15)?.map(time),
    })
}
