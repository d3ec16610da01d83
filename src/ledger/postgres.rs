//! The ledger in PostgreSQL: a statement for what was typed, and one for all else of a batch.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{LedgerStore, Row};
use crate::{
    channel::Channel,
    database::{MonthlyTable, PostgresLink, to_micros},
    dated::first_challenge_id,
    retention::{MonthsKept, Retained},
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
        let (typed, mut others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.tells_of_typing_alone());
        if !typed.is_empty() {
            let found = self.add_typed(&typed).await?;
            others.extend(typed.iter().filter(|row| !found.contains(&row.challenge_id)));
            others.sort_unstable_by_key(|row| row.challenge_id);
        }
        match others.is_empty() {
            true => Ok(()),
            false => self.add(&others).await,
        }
    }
}

/// The values of a column.
fn column<T>(rows: &[&Row], value: impl Fn(&Row) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

impl PostgresLedger {
    /// Adds what was typed to rows that are there, and tells which are: much less work than [`Self::add`], and no index of the
    /// table is written.
    async fn add_typed(&self, rows: &[&Row]) -> Result<HashSet<Uuid>, Unavailable> {
        const SQL: &str = "SELECT note_typed($1, $2, $3, $4)";
        let query = sqlx::query_scalar(SQL)
            .bind(column(rows, |row| row.challenge_id))
            .bind(column(rows, |row| i16::from(row.attempts)))
            .bind(column(rows, |row| to_micros(row.created_at)))
            .bind(column(rows, |row| row.verified_at.map(to_micros)));
        let found: Vec<Uuid> = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await?;
        Ok(found.into_iter().collect())
    }

    /// Adds rows to what is known of their challenges, if anything is.
    async fn add(&self, rows: &[&Row]) -> Result<(), Unavailable> {
        // A final status stays, unless one is told that came earlier; its error code goes with it.
        // Whoever was erased meanwhile is named no more.
        const SQL: &str = "INSERT INTO verifications AS p (challenge_id, user_id, purpose, channel, country, provider, \
               message_id, status, failure, attempts, error_code, price_micros, currency, created_at, sent_at, settled_at, \
               verified_at) \
             SELECT r.challenge_id, (SELECT u.id FROM users u WHERE u.id = r.user_id), r.purpose, r.channel, r.country, r.provider, r.message_id, r.status, \
               CASE WHEN r.status IN ('undelivered', 'failed') THEN r.status END, r.attempts, r.error_code, \
               r.price_micros, r.currency, r.created_at, r.sent_at, r.settled_at, r.verified_at \
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
               $8::text[], $9::smallint[], $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[], \
               $14::timestamptz[], $15::timestamptz[], $16::timestamptz[]) AS r (challenge_id, user_id, purpose, channel, \
               country, provider, message_id, status, attempts, error_code, price_micros, currency, created_at, sent_at, \
               settled_at, verified_at) \
             ON CONFLICT (challenge_id) DO UPDATE SET \
               user_id = COALESCE(EXCLUDED.user_id, p.user_id), \
               purpose = COALESCE(EXCLUDED.purpose, p.purpose), \
               channel = COALESCE(EXCLUDED.channel, p.channel), \
               country = COALESCE(EXCLUDED.country, p.country), \
               provider = COALESCE(EXCLUDED.provider, p.provider), \
               message_id = COALESCE(EXCLUDED.message_id, p.message_id), \
               status = CASE WHEN EXCLUDED.settled_at < p.settled_at \
                   OR (p.settled_at IS NULL AND EXCLUDED.status <> 'queued') \
                 THEN EXCLUDED.status ELSE p.status END, \
               failure = CASE WHEN EXCLUDED.settled_at < p.settled_at OR p.settled_at IS NULL \
                 THEN EXCLUDED.failure ELSE p.failure END, \
               error_code = CASE WHEN EXCLUDED.settled_at < p.settled_at OR p.settled_at IS NULL \
                 THEN EXCLUDED.error_code ELSE p.error_code END, \
               attempts = GREATEST(EXCLUDED.attempts, p.attempts), \
               price_micros = COALESCE(EXCLUDED.price_micros, p.price_micros), \
               currency = COALESCE(EXCLUDED.currency, p.currency), \
               created_at = LEAST(EXCLUDED.created_at, p.created_at), \
               sent_at = LEAST(EXCLUDED.sent_at, p.sent_at), \
               settled_at = LEAST(EXCLUDED.settled_at, p.settled_at), \
               verified_at = LEAST(EXCLUDED.verified_at, p.verified_at)";
        let price = |row: &Row| row.price.clone();
        let query = sqlx::query(SQL)
            .bind(column(rows, |row| row.challenge_id))
            .bind(column(rows, |row| row.user_id))
            .bind(column(rows, |row| row.purpose))
            .bind(column(rows, |row| row.channel.map(Channel::name)))
            .bind(column(rows, |row| {
                row.country.map(|country| country.as_str().to_owned())
            }))
            .bind(column(rows, |row| row.provider))
            .bind(column(rows, |row| row.message_id.clone()))
            .bind(column(rows, |row| row.status.name()))
            .bind(column(rows, |row| i16::from(row.attempts)))
            .bind(column(rows, |row| row.error_code.map(i64::from)))
            .bind(column(rows, |row| price(row).map(|price| price.micros)))
            .bind(column(rows, |row| price(row).map(|price| price.currency)))
            .bind(column(rows, |row| to_micros(row.created_at)))
            .bind(column(rows, |row| row.sent_at.map(to_micros)))
            .bind(column(rows, |row| row.settled_at.map(to_micros)))
            .bind(column(rows, |row| row.verified_at.map(to_micros)));
        self.0.execute_beside_erasures(query).await
    }
}

#[async_trait]
impl Retained for PostgresLedger {
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        // The name of a challenge says in which partition its row is: it was issued on the day of `before` at the latest.
        // An array, since a join might read all that is over for each thousand of it.
        const SQL: &str = "DELETE FROM verifications WHERE challenge_id < $2 AND challenge_id = ANY(ARRAY( \
               SELECT challenge_id FROM verifications WHERE challenge_id < $2 AND created_at < $1 ORDER BY created_at LIMIT $3 \
             ))";
        let query = sqlx::query(SQL)
            .bind(before)
            .bind(first_challenge_id(before + TimeDelta::days(1)))
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
        const VERIFICATIONS: MonthlyTable = MonthlyTable {
            name: "verifications",
            key: "challenge_id",
            first_id: first_challenge_id,
            fillfactor: 80,
        };
        self.0.keep_months(&VERIFICATIONS, now, before).await
    }
}
