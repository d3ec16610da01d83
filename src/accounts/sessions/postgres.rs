//! Sessions in PostgreSQL.
//!
//! One statement decides each change. A rotation that misses is explained, and if need be punished, under the row's lock.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Identity, NewSession, Rotated, Rotation, SessionStore, SessionView,
    rotation::{SpentTimes, StoredSession},
};
use crate::{
    accounts::users::row::postgres::{AFTER_USER, user, user_columns},
    database::{Coalescer, Own, PostgresLink, to_micros},
    events::{
        self, NewEvent,
        postgres::{insert_event, parameter},
    },
    tokens::Amr,
    unavailable::{Part, Unavailable},
};

/// Sessions in PostgreSQL.
#[derive(Debug)]
pub struct PostgresSessions {
    link: PostgresLink,
    views: Coalescer<Uuid, SessionView, Own>,
}

impl PostgresSessions {
    /// By these connections. Runs inside a Tokio runtime.
    pub fn new(link: &PostgresLink) -> Self {
        let views = link.clone();
        Self {
            link: link.clone(),
            views: Coalescer::holding("session", Part::Database, link.lookups(), move |ids, own| {
                views_of(views.clone(), ids, own).boxed()
            }),
        }
    }
}

#[async_trait]
impl SessionStore for PostgresSessions {
    async fn view(&self, session: Uuid) -> Result<Option<SessionView>, Unavailable> {
        self.link.in_time(self.views.get(session)).await
    }

    async fn open(&self, session: NewSession) -> Result<Option<Identity>, Unavailable> {
        // The UPDATE waits for a change of the epoch that is under way, and then looks again: a SELECT would not.
        const SQL: &str = concat!(
            "WITH owner AS ( \
               UPDATE users SET signed_in_at = $9 WHERE id = $2 AND session_epoch = $4 AND locked_at IS NULL \
               RETURNING id, phone_verified, email_verified \
             ), opened AS ( \
               INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
                 created_at, expires_at) \
               SELECT $1, owner.id, $3, $4, $5, $6, $7, $8, $9, $10 FROM owner \
             ), noted AS (",
            insert_event!("$11", "owner.id", "owner"),
            ") SELECT phone_verified, email_verified FROM owner"
        );
        let query = sqlx::query_as(SQL)
            .bind(session.id)
            .bind(session.user_id)
            .bind(&session.refresh_hash[..])
            .bind(session.epoch)
            .bind(session.amr.stored())
            .bind(session.authenticated_at)
            .bind(&session.client)
            .bind(&session.network)
            .bind(session.now)
            .bind(session.expires_at)
            .bind(parameter(&session.event));
        let owner: Option<(bool, bool)> = self
            .link
            .bounded(async { query.fetch_optional(self.link.lend().await?.session()).await })
            .await?;
        if owner.is_some() {
            session.event.count();
        }
        Ok(owner.map(|(phone_verified, email_verified)| Identity {
            user_id: session.user_id,
            phone_verified,
            email_verified,
            amr: session.amr,
            authenticated_at: session.authenticated_at,
        }))
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
        const SQL: &str = "UPDATE sessions SET shown = $2 WHERE id = $1 AND shown < $2";
        let query = sqlx::query(SQL).bind(session).bind(i64::from(generation));
        self.link.execute(query).await.map(drop)
    }

    async fn revoke(&self, session: Uuid, event: NewEvent) -> Result<(), Unavailable> {
        const SQL: &str = concat!(
            "WITH ended AS ( \
               UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING user_id \
             ) ",
            insert_event!("$3", "ended.user_id", "ended")
        );
        let query = sqlx::query(SQL)
            .bind(session)
            .bind(event.at)
            .bind(parameter(&event));
        if self.link.execute(query).await? > 0 {
            event.count();
        }
        Ok(())
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str =
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)";
        let query = sqlx::query(SQL).bind(before).bind(i64::from(limit));
        self.link.execute(query).await
    }
}

impl PostgresSessions {
    /// The one UPDATE that rotates. `None` if it missed.
    async fn move_on(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const SQL: &str = "UPDATE sessions s SET generation = s.generation + 1, refresh_hash = $4, \
               previous_hash = s.refresh_hash, spent = substr($6 || s.spent, 1, $7), \
               shown = greatest(s.shown, s.generation) \
             FROM users u \
             WHERE s.id = $1 AND s.generation = $2 AND s.refresh_hash = $3 \
               AND s.revoked_at IS NULL AND s.expires_at > $5 \
               AND u.id = s.user_id AND u.locked_at IS NULL AND u.session_epoch = s.epoch \
             RETURNING s.user_id, u.phone_verified, u.email_verified, s.amr, \
               coalesce(s.authenticated_at, s.created_at), s.expires_at";
        let query = sqlx::query(SQL)
            .bind(rotation.session_id)
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(to_micros(rotation.now))
            .bind(rotation.spent_now())
            .bind(SpentTimes::LENGTH)
            .try_map(|row: PgRow| {
                Ok(Rotated::Rotated {
                    identity: identity(&row)?,
                    expires_at: row.try_get(AFTER_IDENTITY)?,
                })
            });
        query.fetch_optional(self.link.lend().await?.session()).await
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else sees the session again.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Rotated, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, u.phone_verified, u.email_verified, s.amr, \
             coalesce(s.authenticated_at, s.created_at), s.expires_at, \
             s.generation, s.refresh_hash, s.previous_hash, s.spent, s.shown, \
             s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR u.session_epoch <> s.epoch \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 FOR UPDATE OF s";
        const REVOKE: &str = "UPDATE sessions SET revoked_at = $2 WHERE id = $1";
        let mut lent = self.link.lend().await?;
        let mut together = lent.begin().await?;
        let query = sqlx::query(READ).bind(rotation.session_id).try_map(|row: PgRow| {
            Ok(StoredSession {
                identity: identity(&row)?,
                expires_at: row.try_get(AFTER_IDENTITY)?,
                generation: row.try_get(AFTER_IDENTITY + 1)?,
                refresh_hash: row.try_get(AFTER_IDENTITY + 2)?,
                previous_hash: row.try_get(AFTER_IDENTITY + 3)?,
                spent: row.try_get(AFTER_IDENTITY + 4)?,
                shown: row.try_get(AFTER_IDENTITY + 5)?,
                revoked: row.try_get(AFTER_IDENTITY + 6)?,
            })
        });
        let stored = query.fetch_optional(together.session()).await?;
        let verdict = rotation.explain_miss(stored.as_ref());
        if let Rotated::Reused { user_id } = verdict {
            let query = sqlx::query(REVOKE).bind(rotation.session_id).bind(rotation.now);
            query.execute(together.session()).await?;
            let note = events::postgres::event(&rotation.event, Some(user_id));
            note.execute(together.session()).await?;
        }
        together.commit().await?;
        if let Rotated::Reused { .. } = verdict {
            rotation.event.count();
        }
        Ok(verdict)
    }
}

/// From a row that begins with user, whether phone and e-mail are verified, `amr` and the time of the proof.
fn identity(row: &PgRow) -> Result<Identity, sqlx::Error> {
    Ok(Identity {
        user_id: row.try_get(0)?,
        phone_verified: row.try_get(1)?,
        email_verified: row.try_get(2)?,
        amr: Amr::from_stored(row.try_get(3)?),
        authenticated_at: row.try_get(4)?,
    })
}

/// The first column after those that [`identity`] reads.
const AFTER_IDENTITY: usize = 5;

async fn views_of(
    link: PostgresLink,
    ids: Vec<Uuid>,
    own: &mut Own,
) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        user_columns!(),
        "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR u.session_epoch <> s.epoch, s.shown, \
         s.amr, coalesce(s.authenticated_at, s.created_at) FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ANY($1)"
    );
    let query = sqlx::query(SQL).bind(ids).try_map(|row: PgRow| {
        let view = SessionView {
            user: user(&row)?,
            expires_at: row.try_get(AFTER_USER + 1)?,
            revoked: row.try_get(AFTER_USER + 2)?,
            shown: row.try_get(AFTER_USER + 3)?,
            amr: Amr::from_stored(row.try_get(AFTER_USER + 4)?),
            authenticated_at: row.try_get(AFTER_USER + 5)?,
        };
        Ok((row.try_get(AFTER_USER)?, view))
    });
    link.bounded(async { query.fetch_all(own.connection(&link).await?).await })
        .await
}
