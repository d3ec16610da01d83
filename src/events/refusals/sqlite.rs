//! Refusals in SQLite: a transaction of one writer, so no erasure comes between.

use async_trait::async_trait;
use uuid::Uuid;

use super::{RefusalRow, RefusalStore};
use crate::{database::SqliteLink, unavailable::Unavailable};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct SqliteRefusals(SqliteLink);

impl SqliteRefusals {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl RefusalStore for SqliteRefusals {
    async fn write(&self, rows: &[RefusalRow]) -> Result<(), Unavailable> {
        const SQL: &str = "INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, details, times) \
             SELECT ?1, ?2, ?3, ?4, CASE ?4 WHEN 'user' THEN u.id END, u.id, \
               CASE WHEN ?5 IS NULL OR u.id IS NOT NULL THEN ?6 END, ?7, ?8 \
             FROM (SELECT 1) AS one LEFT JOIN users u ON u.id = ?5 WHERE true \
             ON CONFLICT (id) DO NOTHING";
        self.0
            .bounded(async {
                let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
                for row in rows {
                    let query = sqlx::query(SQL)
                        .bind(row.id.hyphenated())
                        .bind(row.at.timestamp_micros())
                        .bind(row.key.kind.name())
                        .bind(row.actor())
                        .bind(row.key.user.map(Uuid::hyphenated))
                        .bind(row.key.network.clone())
                        .bind(row.details())
                        .bind(row.times());
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await
            })
            .await
    }
}
