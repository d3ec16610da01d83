//! Refusals in PostgreSQL.

use async_trait::async_trait;

use super::{RefusalRow, RefusalStore};
use crate::{
    database::{PostgresLink, to_micros},
    unavailable::Unavailable,
};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct PostgresRefusals(PostgresLink);

impl PostgresRefusals {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl RefusalStore for PostgresRefusals {
    async fn write(&self, rows: &[RefusalRow]) -> Result<(), Unavailable> {
        // Whoever was erased meanwhile is named no more.
        const SQL: &str = "INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, details, times) \
             SELECT r.id, r.at, r.kind, r.actor, CASE r.actor WHEN 'user' THEN r.living END, r.living, \
               CASE WHEN r.user_id IS NULL OR r.living IS NOT NULL THEN r.network END, r.details, r.times \
             FROM (SELECT r.*, (SELECT u.id FROM users u WHERE u.id = r.user_id) AS living FROM \
               unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int[]) \
                 AS r (id, at, kind, user_id, actor, network, details, times)) AS r \
             ON CONFLICT (id) DO NOTHING";
        fn column<T>(rows: &[RefusalRow], value: impl Fn(&RefusalRow) -> T) -> Vec<T> {
            rows.iter().map(value).collect()
        }
        let query = sqlx::query(SQL)
            .bind(column(rows, |row| row.id))
            .bind(column(rows, |row| to_micros(row.at)))
            .bind(column(rows, |row| row.key.kind.name()))
            .bind(column(rows, |row| row.key.user))
            .bind(column(rows, RefusalRow::actor))
            .bind(column(rows, |row| row.key.network.clone()))
            .bind(column(rows, RefusalRow::details))
            .bind(column(rows, RefusalRow::times));
        self.0.execute_beside_erasures(query).await
    }
}
