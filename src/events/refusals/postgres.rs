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
        // Users are locked first, all of them before any row is written (the second part makes one value of them):
        // an erasure that is under way is over then, and finds what is written here if it comes later.
        const SQL: &str = "WITH living AS MATERIALIZED ( \
               SELECT id FROM users WHERE id = ANY($4) ORDER BY id FOR KEY SHARE \
             ), ids AS MATERIALIZED (SELECT coalesce(array_agg(id), '{}') AS living FROM living) \
             INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, details, times) \
             SELECT r.id, r.at, r.kind, r.actor, CASE WHEN r.actor = 'user' AND r.user_id = ANY(ids.living) THEN r.user_id END, \
               CASE WHEN r.user_id = ANY(ids.living) THEN r.user_id END, \
               CASE WHEN r.user_id IS NULL OR r.user_id = ANY(ids.living) THEN r.network END, r.details, r.times \
             FROM ids, unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int[]) \
               AS r (id, at, kind, user_id, actor, network, details, times) \
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
        self.0.execute(query).await.map(drop)
    }
}
