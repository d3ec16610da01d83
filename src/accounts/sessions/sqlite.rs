//! Sessions in SQLite. The statements are those of `postgres.rs`, which says why. Where a change takes two, one transaction
//! holds both.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    Identity, NewSession, Rotated, Rotation, SessionStore, SessionView,
    rotation::{SpentTimes, StoredSession},
};
use crate::{
    accounts::users::row::sqlite::{AFTER_USER, user, user_columns},
    database::{
        Coalescer, SqliteLink,
        sqlite::{Query, json, time},
    },
    events::{self, NewEvent},
    tokens::Amr,
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

    async fn open(&self, session: NewSession) -> Result<Option<Identity>, Unavailable> {
        const OWNER: &str = "UPDATE users SET signed_in_at = ?3 WHERE id = ?1 AND session_epoch = ?2 AND locked_at IS NULL \
             RETURNING phone_verified, email_verified";
        self.link
            .bounded(async {
                let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
                let query = sqlx::query_as(OWNER)
                    .bind(session.user_id.hyphenated())
                    .bind(session.epoch)
                    .bind(session.now.timestamp_micros());
                let owner: Option<(bool, bool)> = query.fetch_optional(&mut *transaction).await?;
                let Some((phone_verified, email_verified)) = owner else {
                    return Ok(None);
                };
                insert(&session).execute(&mut *transaction).await?;
                let note = events::sqlite::event(&session.event, Some(session.user_id));
                note.execute(&mut *transaction).await?;
                transaction.commit().await?;
                session.event.count();
                Ok(Some(Identity {
                    user_id: session.user_id,
                    phone_verified,
                    email_verified,
                    amr: session.amr,
                    authenticated_at: session.authenticated_at,
                }))
            })
            .await
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

    async fn revoke(&self, session: Uuid, event: NewEvent) -> Result<(), Unavailable> {
        const SQL: &str =
            "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL RETURNING user_id";
        let revoke = async {
            let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
            let query = sqlx::query_scalar(SQL)
                .bind(session.hyphenated())
                .bind(event.at.timestamp_micros());
            let user: Option<Hyphenated> = query.fetch_optional(&mut *transaction).await?;
            let Some(user) = user.map(Hyphenated::into_uuid) else {
                return Ok(());
            };
            let note = events::sqlite::event(&event, Some(user));
            note.execute(&mut *transaction).await?;
            transaction.commit().await?;
            event.count();
            Ok(())
        };
        self.link.bounded(revoke).await
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
               AND EXISTS (SELECT 1 FROM users u \
                 WHERE u.id = s.user_id AND u.locked_at IS NULL AND u.session_epoch = s.epoch) \
             RETURNING user_id, (SELECT u.phone_verified FROM users u WHERE u.id = user_id), \
               (SELECT u.email_verified FROM users u WHERE u.id = user_id), amr, \
               coalesce(authenticated_at, created_at), expires_at";
        let query = sqlx::query(SQL)
            .bind(rotation.session_id.hyphenated())
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(rotation.now.timestamp_micros())
            .bind(rotation.spent_now())
            .bind(SpentTimes::LENGTH)
            .try_map(|row: SqliteRow| {
                Ok(Rotated::Rotated {
                    identity: identity(&row)?,
                    expires_at: time(row.try_get(AFTER_IDENTITY)?),
                })
            });
        query.fetch_optional(&self.link.writer).await
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else writes.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Rotated, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, u.phone_verified, u.email_verified, s.amr, \
             coalesce(s.authenticated_at, s.created_at), s.expires_at, \
             s.generation, s.refresh_hash, s.previous_hash, s.spent, s.shown, \
             s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR u.session_epoch <> s.epoch \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?1";
        const REVOKE: &str = "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1";
        let id = rotation.session_id.hyphenated();
        let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
        let query = sqlx::query(READ).bind(id).try_map(|row: SqliteRow| {
            Ok(StoredSession {
                identity: identity(&row)?,
                expires_at: time(row.try_get(AFTER_IDENTITY)?),
                generation: row.try_get(AFTER_IDENTITY + 1)?,
                refresh_hash: row.try_get(AFTER_IDENTITY + 2)?,
                previous_hash: row.try_get(AFTER_IDENTITY + 3)?,
                spent: row.try_get(AFTER_IDENTITY + 4)?,
                shown: row.try_get(AFTER_IDENTITY + 5)?,
                revoked: row.try_get(AFTER_IDENTITY + 6)?,
            })
        });
        let stored = query.fetch_optional(&mut *transaction).await?;
        let verdict = rotation.explain_miss(stored.as_ref());
        if let Rotated::Reused { user_id } = verdict {
            let query = sqlx::query(REVOKE).bind(id).bind(rotation.now.timestamp_micros());
            query.execute(&mut *transaction).await?;
            let note = events::sqlite::event(&rotation.event, Some(user_id));
            note.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        if let Rotated::Reused { .. } = verdict {
            rotation.event.count();
        }
        Ok(verdict)
    }
}

pub(in crate::accounts) fn insert(session: &NewSession) -> Query {
    const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
           created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    sqlx::query(SQL)
        .bind(session.id.hyphenated())
        .bind(session.user_id.hyphenated())
        .bind(session.refresh_hash.to_vec())
        .bind(session.epoch)
        .bind(session.amr.stored())
        .bind(session.authenticated_at.timestamp_micros())
        .bind(session.client.clone())
        .bind(session.network.clone())
        .bind(session.now.timestamp_micros())
        .bind(session.expires_at.timestamp_micros())
}

/// From a row that begins with user, whether phone and e-mail are verified, `amr` and the time of the proof.
fn identity(row: &SqliteRow) -> Result<Identity, sqlx::Error> {
    Ok(Identity {
        user_id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
        phone_verified: row.try_get(1)?,
        email_verified: row.try_get(2)?,
        amr: Amr::from_stored(row.try_get(3)?),
        authenticated_at: time(row.try_get(4)?),
    })
}

/// The first column after those that [`identity`] reads.
const AFTER_IDENTITY: usize = 5;

async fn views_of(link: SqliteLink, ids: Vec<Uuid>) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        user_columns!(),
        "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR u.session_epoch <> s.epoch, s.shown, \
         s.amr, coalesce(s.authenticated_at, s.created_at) FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN (SELECT value FROM json_each(?1))"
    );
    let ids = json(ids.iter().map(Uuid::to_string));
    let query = sqlx::query(SQL).bind(ids).try_map(|row: SqliteRow| {
        let view = SessionView {
            user: user(&row)?,
            expires_at: time(row.try_get(AFTER_USER + 1)?),
            revoked: row.try_get(AFTER_USER + 2)?,
            shown: row.try_get(AFTER_USER + 3)?,
            amr: Amr::from_stored(row.try_get(AFTER_USER + 4)?),
            authenticated_at: time(row.try_get(AFTER_USER + 5)?),
        };
        Ok((row.try_get::<Hyphenated, _>(AFTER_USER)?.into_uuid(), view))
    });
    link.bounded(query.fetch_all(&link.readers)).await
}
