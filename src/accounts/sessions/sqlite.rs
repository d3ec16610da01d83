//! Sessions in SQLite. The statements are those of `postgres.rs`, which says why. Where a change takes two, one transaction
//! holds both.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    Identity, Liveness, MOST_LISTED, NewSession, OpenSession, Rotated, Rotation, SessionStore, SessionView,
    rotation::{SpentTimes, StoredSession},
    row::sqlite::{AFTER_IDENTITY, identity, is_live, view, view_columns},
};
use crate::{
    accounts::users::row::sqlite::{AFTER_USER, user_columns},
    database::{
        Coalescer, SqliteLink,
        sqlite::{Query, json, time},
    },
    events::{self, NewEvent, sqlite::event as note},
    tokens::Role,
    unavailable::{Part, Unavailable},
};

/// How often a rotation is tried that missed because of a change which was under way.
const TRIES: u32 = 3;

/// Sessions in an SQLite file.
#[derive(Debug)]
pub struct SqliteSessions {
    link: SqliteLink,
    views: Coalescer<Uuid, SessionView>,
}

impl SqliteSessions {
    /// Runs a statement, and writes its event if it changed something: whether it did.
    async fn change(&self, query: Query, user: Uuid, event: &NewEvent) -> Result<bool, Unavailable> {
        let changed = self
            .link
            .bounded(async {
                let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
                let changed = query.execute(&mut *transaction).await?.rows_affected() > 0;
                if changed {
                    note(event, Some(user)).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(changed)
            })
            .await?;
        if changed {
            event.count();
        }
        Ok(changed)
    }

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

    async fn list(&self, user: Uuid, live: Liveness) -> Result<Vec<OpenSession>, Unavailable> {
        const SQL: &str = concat!(
            "SELECT s.id, s.created_at, coalesce(s.last_used_at, s.created_at) AS used_at, s.expires_at, s.client, s.network \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = ?1 AND ",
            is_live!("?2", "?3"),
            " ORDER BY used_at DESC, s.id DESC LIMIT ?4"
        );
        let query = sqlx::query(SQL)
            .bind(user.hyphenated())
            .bind(live.now.timestamp_micros())
            .bind(live.idle_before.timestamp_micros())
            .bind(MOST_LISTED)
            .try_map(|row: SqliteRow| {
                Ok(OpenSession {
                    id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
                    created_at: time(row.try_get(1)?),
                    used_at: time(row.try_get(2)?),
                    expires_at: time(row.try_get(3)?),
                    client: row.try_get(4)?,
                    network: row.try_get(5)?,
                })
            });
        self.link.bounded(query.fetch_all(&self.link.readers)).await
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
                    role: session.role,
                }))
            })
            .await
    }

    async fn end_surplus(&self, user: Uuid, most: u32, event: NewEvent) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET revoked_at = ?2, expires_at = min(expires_at, ?2) WHERE id IN ( \
               SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id \
               WHERE s.user_id = ?1 AND s.revoked_at IS NULL AND s.expires_at > ?2 AND s.epoch >= u.session_epoch \
               ORDER BY coalesce(s.last_used_at, s.created_at) DESC, s.id DESC LIMIT -1 OFFSET ?3)";
        let query = sqlx::query(SQL)
            .bind(user.hyphenated())
            .bind(event.at.timestamp_micros())
            .bind(most);
        self.change(query, user, &event).await.map(drop)
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable> {
        self.link
            .bounded(async {
                for _ in 0..TRIES {
                    if let Some(rotated) = self.move_on(&rotation).await? {
                        return Ok(rotated);
                    }
                    if let Some(rotated) = self.explain_rotation(&rotation).await? {
                        return Ok(rotated);
                    }
                }
                Ok(Rotated::Unknown)
            })
            .await
    }

    async fn note_used(&self, uses: &[(Uuid, DateTime<Utc>)]) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET last_used_at = used.at \
             FROM (SELECT key AS id, value AS at FROM json_each(?1)) AS used \
             WHERE sessions.id = used.id AND coalesce(sessions.last_used_at, sessions.created_at) < used.at";
        let uses = uses
            .iter()
            .map(|(id, at)| (id.to_string(), at.timestamp_micros()));
        let uses = serde_json::Value::from_iter(uses).to_string();
        self.link.execute(sqlx::query(SQL).bind(uses)).await.map(drop)
    }

    async fn end(
        &self,
        user: Uuid,
        session: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        const SQL: &str = concat!(
            "UPDATE sessions AS s SET revoked_at = ?2, expires_at = min(s.expires_at, ?2) FROM users u \
             WHERE s.id = ?4 AND s.user_id = ?1 AND u.id = ?1 AND ",
            is_live!("?2", "?3")
        );
        let query = sqlx::query(SQL)
            .bind(user.hyphenated())
            .bind(live.now.timestamp_micros())
            .bind(live.idle_before.timestamp_micros())
            .bind(session.hyphenated());
        self.change(query, user, &event).await
    }

    async fn end_others(
        &self,
        user: Uuid,
        keep: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        const KEPT: &str = concat!(
            "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?4 AND s.user_id = ?1 AND ",
            is_live!("?2", "?3")
        );
        const OTHERS: &str = "UPDATE sessions SET revoked_at = ?2, expires_at = min(expires_at, ?2) \
             WHERE user_id = ?1 AND id <> ?3 AND revoked_at IS NULL AND expires_at > ?2";
        let (kept, ended) = self
            .link
            .bounded(async {
                let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
                let kept = sqlx::query_scalar(KEPT)
                    .bind(user.hyphenated())
                    .bind(live.now.timestamp_micros())
                    .bind(live.idle_before.timestamp_micros())
                    .bind(keep.hyphenated());
                let kept: i64 = kept.fetch_one(&mut *transaction).await?;
                if kept == 0 {
                    return Ok((false, false));
                }
                let others = sqlx::query(OTHERS)
                    .bind(user.hyphenated())
                    .bind(live.now.timestamp_micros())
                    .bind(keep.hyphenated());
                let ended = others.execute(&mut *transaction).await?.rows_affected() > 0;
                if ended {
                    note(&event, Some(user)).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok((true, ended))
            })
            .await?;
        if ended {
            event.count();
        }
        Ok(kept)
    }

    async fn note_shown(&self, session: Uuid, generation: u32) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET shown = ?2 WHERE id = ?1 AND shown < ?2";
        let query = sqlx::query(SQL).bind(session.hyphenated()).bind(generation);
        self.link.execute(query).await.map(drop)
    }

    async fn revoke(&self, session: Uuid, event: NewEvent) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET revoked_at = ?2, expires_at = min(expires_at, ?2) \
             WHERE id = ?1 AND revoked_at IS NULL RETURNING user_id";
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
               shown = max(s.shown, s.generation), last_used_at = ?5 \
             WHERE s.id = ?1 AND s.generation = ?2 AND s.refresh_hash = ?3 \
               AND s.revoked_at IS NULL AND s.expires_at > ?5 AND coalesce(s.last_used_at, s.created_at) >= ?8 \
               AND EXISTS (SELECT 1 FROM users u \
                 WHERE u.id = s.user_id AND u.locked_at IS NULL AND s.epoch >= u.session_epoch) \
             RETURNING user_id, (SELECT u.phone_verified FROM users u WHERE u.id = user_id), \
               (SELECT u.email_verified FROM users u WHERE u.id = user_id), amr, \
               coalesce(authenticated_at, created_at), role, expires_at";
        let query = sqlx::query(SQL)
            .bind(rotation.session_id.hyphenated())
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(rotation.now.timestamp_micros())
            .bind(rotation.spent_now())
            .bind(SpentTimes::LENGTH)
            .bind(rotation.idle_before.timestamp_micros())
            .try_map(|row: SqliteRow| {
                Ok(Rotated::Rotated {
                    identity: identity(&row)?,
                    expires_at: time(row.try_get(AFTER_IDENTITY)?),
                })
            });
        query.fetch_optional(&self.link.writer).await
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else writes. `None`: nothing is in its way any more.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, u.phone_verified, u.email_verified, s.amr, \
             coalesce(s.authenticated_at, s.created_at), s.role, s.expires_at, \
             s.generation, s.refresh_hash, s.previous_hash, s.spent, s.shown, coalesce(s.last_used_at, s.created_at), \
             s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR s.epoch < u.session_epoch \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?1";
        const REVOKE: &str =
            "UPDATE sessions SET revoked_at = ?2, expires_at = min(expires_at, ?2) WHERE id = ?1";
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
                used_at: time(row.try_get(AFTER_IDENTITY + 6)?),
                revoked: row.try_get(AFTER_IDENTITY + 7)?,
            })
        });
        let stored = query.fetch_optional(&mut *transaction).await?;
        if stored.as_ref().is_some_and(|stored| rotation.is_good_for(stored)) {
            transaction.commit().await?;
            return Ok(None);
        }
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
        Ok(Some(verdict))
    }
}

pub(in crate::accounts) fn insert(session: &NewSession) -> Query {
    const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
           created_at, expires_at, role) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
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
        .bind(session.role.map(Role::name))
}

async fn views_of(link: SqliteLink, ids: Vec<Uuid>) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        view_columns!(),
        " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN (SELECT value FROM json_each(?1))"
    );
    let ids = json(ids.iter().map(Uuid::to_string));
    let query = sqlx::query(SQL).bind(ids).try_map(|row: SqliteRow| {
        let view = view(&row)?;
        Ok((row.try_get::<Hyphenated, _>(AFTER_USER)?.into_uuid(), view))
    });
    link.bounded(query.fetch_all(&link.readers)).await
}
