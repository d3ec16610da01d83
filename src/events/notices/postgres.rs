//! Notices in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{LeasedNotice, NoticeAddress, NoticeKind, NoticeStore};
use crate::{
    database::{PostgresLink, to_micros},
    language::Language,
    unavailable::Unavailable,
};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct PostgresNotices(PostgresLink);

impl PostgresNotices {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl NoticeStore for PostgresNotices {
    async fn lease(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedNotice>, Unavailable> {
        // Rows that another instance is about to lease are passed over.
        const SQL: &str = "UPDATE notices SET leased_until = $2, attempts = attempts + 1 WHERE id IN ( \
               SELECT id FROM notices WHERE (leased_until IS NULL OR leased_until <= $1) AND expires_at > $1 \
                 AND kind = ANY($3) AND channel IN ('email', 'sms') \
               ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED \
             ) RETURNING id, user_id, kind, channel, address, address_key, language, created_at, expires_at, attempts";
        let kinds: Vec<_> = NoticeKind::ALL.iter().map(|kind| kind.name()).collect();
        let query = sqlx::query(SQL)
            .bind(to_micros(now))
            .bind(to_micros(until))
            .bind(kinds)
            .bind(i64::from(limit))
            .try_map(|row: PgRow| {
                let kind = NoticeKind::from_name(row.try_get(2)?);
                let to = NoticeAddress::from_stored(row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
                let language: Option<String> = row.try_get(6)?;
                let (id, user, created_at) = (row.try_get(0)?, row.try_get(1)?, row.try_get(7)?);
                let (expires_at, attempts) = (row.try_get(8)?, row.try_get::<i16, _>(9)?);
                Ok(kind.zip(to).map(|(kind, to)| LeasedNotice {
                    id,
                    user,
                    kind,
                    to,
                    language: language.as_deref().and_then(Language::parse),
                    created_at,
                    expires_at,
                    attempts: attempts.unsigned_abs().into(),
                }))
            });
        let leased = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await?;
        let mut leased: Vec<_> = leased.into_iter().flatten().collect();
        leased.sort_by_key(|notice| notice.id);
        Ok(leased)
    }

    async fn delete(&self, notice: Uuid) -> Result<(), Unavailable> {
        let query = sqlx::query("DELETE FROM notices WHERE id = $1").bind(notice);
        self.0.execute(query).await.map(drop)
    }

    async fn postpone(&self, notice: Uuid, at: DateTime<Utc>) -> Result<(), Unavailable> {
        let query = sqlx::query("UPDATE notices SET leased_until = $2 WHERE id = $1");
        self.0
            .execute(query.bind(notice).bind(to_micros(at)))
            .await
            .map(drop)
    }

    async fn expire(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str = "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE expires_at <= $1 ORDER BY id LIMIT $2)";
        let query = sqlx::query(SQL).bind(to_micros(now)).bind(i64::from(limit));
        self.0.execute(query).await
    }
}
