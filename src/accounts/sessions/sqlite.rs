//! Sessions in SQLite. The statements are those of `postgres.rs`, which says why. Where a change takes two, one transaction
//! holds both.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    NewSession, Rotated, Rotation, SessionStore, SessionView,
    rotation::{SpentTimes, StoredSession},
};
use crate::{
    accounts::users::sqlite::{AFTER_USER, user, user_columns},
    database::{
        Coalescer, SqliteLink,
        sqlite::{Query, json, time},
    },
    unavailable::{Part, Unavailable},
};

/// Sessions in an SQLite file.
#[derive(Debug)]
pub struct SqliteSessions {
    link: SqliteLink,
    views: Coalescer<Uuid, SessionView>,
}

impl SqliteSessions {
    /// By these connections. Runs inside a Tokio runtime.
    pub fn new(link: &SqliteLink) -> Self {
        let views = link.clone();
        Self {
            link: link.clone(),
            views: Coalescer::new("session", Part::Database, link.lookups(), move |ids| {
                views_of(views.clone(), ids)
            }),
        }
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn view(&self, session: Uuid) -> Result<Option<SessionView>, Unavailable> {
        self.link.in_time(self.views.get(session)).await
    }

    async fn open(&self, session: NewSession) -> Result<(), Unavailable> {
        self.link.execute(insert(&session)).await.map(drop)
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable> {
        self.link
            .bounded(async {
                match self.move_on(&rotation).await? {
                    Some(rotated) => Ok(rotated),
                    None => self.explain_rotation(&rotation).await,
                }
            })
            .await
    }

    async fn note_shown(&self, session: Uuid, generation: u32) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET shown = ?2 WHERE id = ?1 AND shown < ?2";
        let query = sqlx::query(SQL).bind(session.hyphenated()).bind(generation);
        self.link.execute(query).await.map(drop)
    }

    async fn revoke(&self, session: Uuid, now: DateTime<Utc>) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
        let query = sqlx::query(SQL).bind(session.hyphenated());
        self.link
            .execute(query.bind(now.timestamp_micros()))
            .await
            .map(drop)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        let sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ?1 LIMIT ?2)";
        let query = sqlx::query(sql).bind(before.timestamp_micros()).bind(limit);
        self.link.execute(query).await
    }
}

impl SqliteSessions {
    /// The one UPDATE that rotates. `None` if it missed.
    async fn move_on(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const SQL: &str = "UPDATE sessions AS s SET generation = s.generation + 1, refresh_hash = ?4, \
               previous_hash = s.refresh_hash, spent = substr(?6 || s.spent, 1, ?7), \
               shown = max(s.shown, s.generation) \
             WHERE s.id = ?1 AND s.generation = ?2 AND s.refresh_hash = ?3 \
               AND s.revoked_at IS NULL AND s.expires_at > ?5 \
               AND EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.locked_at IS NULL) \
             RETURNING user_id, expires_at";
        let query = sqlx::query_as(SQL)
            .bind(rotation.session_id.hyphenated())
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(rotation.now.timestamp_micros())
            .bind(rotation.spent_now())
            .bind(SpentTimes::LENGTH);
        let moved: Option<(Hyphenated, i64)> = query.fetch_optional(&self.link.writer).await?;
        Ok(moved.map(|(user_id, expires_at)| Rotated::Rotated {
            user_id: user_id.into_uuid(),
            expires_at: time(expires_at),
        }))
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else writes.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Rotated, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, s.generation, s.refresh_hash, s.previous_hash, s.spent, s.shown, \
             s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?1";
        const REVOKE: &str = "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1";
        let id = rotation.session_id.hyphenated();
        let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
        let query = sqlx::query(READ).bind(id).try_map(|row: SqliteRow| {
            Ok(StoredSession {
                user_id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
                generation: row.try_get(1)?,
                refresh_hash: row.try_get(2)?,
                previous_hash: row.try_get(3)?,
                spent: row.try_get(4)?,
                shown: row.try_get(5)?,
                expires_at: time(row.try_get(6)?),
                revoked: row.try_get(7)?,
            })
        });
        let stored = query.fetch_optional(&mut *transaction).await?;
        let verdict = rotation.explain_miss(stored.as_ref());
        if let Rotated::Reused { .. } = verdict {
            let query = sqlx::query(REVOKE).bind(id).bind(rotation.now.timestamp_micros());
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(verdict)
    }
}

pub(in crate::accounts) fn insert(session: &NewSession) -> Query {
    const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlx::query(SQL)
        .bind(session.id.hyphenated())
        .bind(session.user_id.hyphenated())
        .bind(session.refresh_hash.to_vec())
        .bind(session.now.timestamp_micros())
        .bind(session.expires_at.timestamp_micros())
}

async fn views_of(link: SqliteLink, ids: Vec<Uuid>) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        user_columns!(),
        "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL, s.shown \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN (SELECT value FROM json_each(?1))"
    );
    let ids = json(ids.iter().map(Uuid::to_string));
    let query = sqlx::query(SQL).bind(ids).try_map(|row: SqliteRow| {
        let view = SessionView {
            user: user(&row)?,
            expires_at: time(row.try_get(AFTER_USER + 1)?),
            revoked: row.try_get(AFTER_USER + 2)?,
            shown: row.try_get(AFTER_USER + 3)?,
        };
        Ok((row.try_get::<Hyphenated, _>(AFTER_USER)?.into_uuid(), view))
    });
    link.bounded(query.fetch_all(&link.readers)).await
}
