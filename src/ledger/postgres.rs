//! The ledger in PostgreSQL: one statement for a whole batch.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{LedgerStore, Row, store::PURPOSE};
use crate::{
    database::{PostgresLink, to_micros},
    unavailable::Unavailable,
};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct PostgresLedger(PostgresLink);

impl PostgresLedger {
    /// A ledger that shares these connections.
    pub fn new(link: PostgresLink) -> Self {
        Self(link)
    }
}

#[async_trait]
impl LedgerStore for PostgresLedger {
    async fn write(&self, rows: &[Row]) -> Result<(), Unavailable> {
        const SQL: &str = "INSERT INTO phone_verifications AS p (challenge_id, user_id, purpose, country, provider, \
               message_id, state, attempts, error_code, price_micros, currency, created_at, sent_at, delivered_at, \
               verified_at) \
             SELECT challenge_id, user_id, $1, country, provider, message_id, state, attempts, error_code, \
               price_micros, currency, created_at, sent_at, delivered_at, verified_at \
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::smallint[], \
               $9::bigint[], $10::bigint[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], \
               $15::timestamptz[]) \
               AS t (challenge_id, user_id, country, provider, message_id, state, attempts, error_code, \
               price_micros, currency, created_at, sent_at, delivered_at, verified_at) \
             ON CONFLICT (challenge_id) DO UPDATE SET \
               user_id = COALESCE(EXCLUDED.user_id, p.user_id), \
               country = COALESCE(EXCLUDED.country, p.country), \
               provider = COALESCE(EXCLUDED.provider, p.provider), \
               message_id = COALESCE(EXCLUDED.message_id, p.message_id), \
               state = CASE WHEN \
                 array_position(ARRAY['issued','sent','failed','undelivered','delivered','verified'], EXCLUDED.state) > \
                 array_position(ARRAY['issued','sent','failed','undelivered','delivered','verified'], p.state) \
                 THEN EXCLUDED.state ELSE p.state END, \
               attempts = GREATEST(EXCLUDED.attempts, p.attempts), \
               error_code = COALESCE(EXCLUDED.error_code, p.error_code), \
               price_micros = COALESCE(EXCLUDED.price_micros, p.price_micros), \
               currency = COALESCE(EXCLUDED.currency, p.currency), \
               created_at = LEAST(EXCLUDED.created_at, p.created_at), \
               sent_at = LEAST(EXCLUDED.sent_at, p.sent_at), \
               delivered_at = LEAST(EXCLUDED.delivered_at, p.delivered_at), \
               verified_at = LEAST(EXCLUDED.verified_at, p.verified_at)";
        fn column<T>(rows: &[Row], value: impl Fn(&Row) -> T) -> Vec<T> {
            rows.iter().map(value).collect()
        }
        let price = |row: &Row| row.price.clone();
        let query = sqlx::query(SQL)
            .bind(PURPOSE)
            .bind(column(rows, |row| row.challenge_id))
            .bind(column(rows, |row| row.user_id))
            .bind(column(rows, |row| {
                row.country.map(|country| country.as_str().to_owned())
            }))
            .bind(column(rows, |row| row.provider))
            .bind(column(rows, |row| row.message_id.clone()))
            .bind(column(rows, |row| row.state.name()))
            .bind(column(rows, |row| i16::from(row.attempts)))
            .bind(column(rows, |row| row.error_code.map(i64::from)))
            .bind(column(rows, |row| price(row).map(|price| price.micros)))
            .bind(column(rows, |row| price(row).map(|price| price.currency)))
            .bind(column(rows, |row| to_micros(row.created_at)))
            .bind(column(rows, |row| row.sent_at.map(to_micros)))
            .bind(column(rows, |row| row.delivered_at.map(to_micros)))
            .bind(column(rows, |row| row.verified_at.map(to_micros)));
        let done = self
            .0
            .bounded(async { query.execute(&mut *self.0.lend().await?).await });
        done.await.map(drop)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str = "DELETE FROM phone_verifications WHERE challenge_id IN \
             (SELECT challenge_id FROM phone_verifications WHERE created_at < $1 LIMIT $2)";
        let query = sqlx::query(SQL).bind(before).bind(i64::from(limit));
        let done = self
            .0
            .bounded(async { query.execute(&mut *self.0.lend().await?).await });
        Ok(done.await?.rows_affected())
    }
}
