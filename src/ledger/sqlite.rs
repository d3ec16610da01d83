//! The ledger in SQLite: a transaction for a whole batch.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{LedgerStore, Row};
use crate::{channel::Channel, database::SqliteLink, retention::Retained, unavailable::Unavailable};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct SqliteLedger(SqliteLink);

impl SqliteLedger {
    /// A ledger that shares these connections.
    pub fn new(link: SqliteLink) -> Self {
        Self(link)
    }
}

#[async_trait]
impl LedgerStore for SqliteLedger {
    async fn write(&self, rows: &[Row]) -> Result<(), Unavailable> {
        // A final status stays, unless one is told that came earlier; its error code goes with it. `min` of two is NULL if
        // one is: then whichever there is.
        const SQL: &str = "INSERT INTO verifications AS p (challenge_id, user_id, purpose, channel, country, provider, \
               message_id, status, failure, attempts, error_code, price_micros, currency, created_at, sent_at, settled_at, \
               verified_at) \
             VALUES (?1, (SELECT id FROM users WHERE id = ?2), ?3, ?4, ?5, ?6, ?7, ?8, \
               CASE WHEN ?8 IN ('undelivered', 'failed') THEN ?8 END, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
             ON CONFLICT (challenge_id) DO UPDATE SET \
               user_id = coalesce(excluded.user_id, p.user_id), \
               purpose = coalesce(excluded.purpose, p.purpose), \
               channel = coalesce(excluded.channel, p.channel), \
               country = coalesce(excluded.country, p.country), \
               provider = coalesce(excluded.provider, p.provider), \
               message_id = coalesce(excluded.message_id, p.message_id), \
               status = CASE WHEN excluded.settled_at < p.settled_at \
                   OR (p.settled_at IS NULL AND excluded.status <> 'queued') \
                 THEN excluded.status ELSE p.status END, \
               failure = CASE WHEN excluded.settled_at < p.settled_at OR p.settled_at IS NULL \
                 THEN excluded.failure ELSE p.failure END, \
               error_code = CASE WHEN excluded.settled_at < p.settled_at OR p.settled_at IS NULL \
                 THEN excluded.error_code ELSE p.error_code END, \
               attempts = max(excluded.attempts, p.attempts), \
               price_micros = coalesce(excluded.price_micros, p.price_micros), \
               currency = coalesce(excluded.currency, p.currency), \
               created_at = min(excluded.created_at, p.created_at), \
               sent_at = coalesce(min(excluded.sent_at, p.sent_at), excluded.sent_at, p.sent_at), \
               settled_at = coalesce(min(excluded.settled_at, p.settled_at), excluded.settled_at, p.settled_at), \
               verified_at = coalesce(min(excluded.verified_at, p.verified_at), excluded.verified_at, p.verified_at)";
        let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
        let write = async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            for row in rows {
                sqlx::query(SQL)
                    .bind(row.challenge_id.hyphenated())
                    .bind(row.user_id.map(Uuid::hyphenated))
                    .bind(row.purpose)
                    .bind(row.channel.map(Channel::name))
                    .bind(row.country.map(|country| country.as_str().to_owned()))
                    .bind(row.provider)
                    .bind(row.message_id.clone())
                    .bind(row.status.name())
                    .bind(row.attempts)
                    .bind(row.error_code)
                    .bind(row.price.as_ref().map(|price| price.micros))
                    .bind(row.price.as_ref().map(|price| price.currency.clone()))
                    .bind(row.created_at.timestamp_micros())
                    .bind(micros(row.sent_at))
                    .bind(micros(row.settled_at))
                    .bind(micros(row.verified_at))
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        self.0.bounded(write).await
    }
}

#[async_trait]
impl Retained for SqliteLedger {
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str = "DELETE FROM verifications WHERE challenge_id IN \
             (SELECT challenge_id FROM verifications WHERE created_at < ?1 LIMIT ?2)";
        let query = sqlx::query(SQL).bind(before.timestamp_micros()).bind(limit);
        Ok(self
            .0
            .bounded(query.execute(&self.0.writer))
            .await?
            .rows_affected())
    }
}
