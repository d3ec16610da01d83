//! Notices in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{LeasedNotice, NoticeAddress, NoticeKind, NoticeStore};
use crate::{
    database::{
        SqliteLink,
        sqlite::{json, time},
    },
    language::Language,
    unavailable::Unavailable,
};

/// The table, by the connections of the database.
#[derive(Debug)]
pub struct SqliteNotices(SqliteLink);

impl SqliteNotices {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    /// Whether any is due: those who only read hold no writer up.
    async fn is_any_due(&self, now: DateTime<Utc>) -> Result<bool, Unavailable> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM notices WHERE (leased_until IS NULL OR leased_until <= ?1) AND expires_at > ?1)";
        let query = sqlx::query_scalar(SQL).bind(now.timestamp_micros());
        self.0.bounded(query.fetch_one(&self.0.readers)).await
    }
}

#[async_trait]
impl NoticeStore for SqliteNotices {
    async fn lease(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedNotice>, Unavailable> {
        const SQL: &str = "UPDATE notices SET leased_until = ?2, attempts = attempts + 1 WHERE id IN ( \
               SELECT id FROM notices WHERE (leased_until IS NULL OR leased_until <= ?1) AND expires_at > ?1 \
                 AND kind IN (SELECT value FROM json_each(?3)) AND channel IN ('email', 'sms') \
               ORDER BY id LIMIT ?4 \
             ) RETURNING id, user_id, kind, channel, address, address_key, language, created_at, expires_at, attempts";
        if !self.is_any_due(now).await? {
            return Ok(Vec::new());
        }
        let query = sqlx::query(SQL)
            .bind(now.timestamp_micros())
            .bind(until.timestamp_micros())
            .bind(json(NoticeKind::ALL.iter().map(|kind| kind.name().to_owned())))
            .bind(limit)
            .try_map(|row: SqliteRow| {
                let kind = NoticeKind::from_name(row.try_get(2)?);
                let to = NoticeAddress::from_stored(row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
                let language: Option<String> = row.try_get(6)?;
                let [id, user] = [row.try_get::<Hyphenated, _>(0)?, row.try_get::<Hyphenated, _>(1)?];
                let [created_at, expires_at] = [time(row.try_get(7)?), time(row.try_get(8)?)];
                let attempts = row.try_get::<u32, _>(9)?;
                Ok(kind.zip(to).map(|(kind, to)| LeasedNotice {
                    id: id.into_uuid(),
                    user: user.into_uuid(),
                    kind,
                    to,
                    language: language.as_deref().and_then(Language::parse),
                    created_at,
                    expires_at,
                    attempts,
                }))
            });
        let leased = self.0.bounded(query.fetch_all(&self.0.writer)).await?;
        let mut leased: Vec<_> = leased.into_iter().flatten().collect();
        leased.sort_by_key(|notice| notice.id);
        Ok(leased)
    }

    async fn delete(&self, notice: Uuid) -> Result<(), Unavailable> {
        let query = sqlx::query("DELETE FROM notices WHERE id = ?1").bind(notice.hyphenated());
        self.0.execute(query).await.map(drop)
    }

    async fn postpone(&self, notice: Uuid, at: DateTime<Utc>) -> Result<(), Unavailable> {
        let query =
            sqlx::query("UPDATE notices SET leased_until = ?2 WHERE id = ?1").bind(notice.hyphenated());
        self.0.execute(query.bind(at.timestamp_micros())).await.map(drop)
    }

    async fn expire(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str = "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE expires_at <= ?1 ORDER BY id LIMIT ?2)";
        let query = sqlx::query(SQL).bind(now.timestamp_micros()).bind(limit);
        self.0.execute(query).await
    }
}
