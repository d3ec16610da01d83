//! Sessions in PostgreSQL.
//!
//! Epochs are compared by `>=`: a statement that waited for a session's row sees it as it is then, but its user as it was when
//! the statement began; so a session whose epoch was raised meanwhile may be ahead of its user's, and never lasts behind.
//! One statement decides each change. A rotation that misses is explained, and if need be punished, under the row's lock.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Identity, Liveness, MOST_LISTED, NewSession, OpenSession, Rotated, Rotation, SessionStore, SessionView,
    rotation::{SpentTimes, StoredSession},
    row::postgres::{AFTER_IDENTITY, identity, is_live, view, view_columns},
};
use crate::{
    accounts::users::row::postgres::{AFTER_USER, user_columns},
    database::{Coalescer, Own, PostgresLink, to_micros},
    events::{
        self, NewEvent,
        postgres::{insert_event, parameter},
    },
    tokens::Role,
    unavailable::{Part, Unavailable},
};

/// How often a rotation is tried that missed because of a change which was under way.
const TRIES: u32 = 3;

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

    async fn list(&self, user: Uuid, live: Liveness) -> Result<Vec<OpenSession>, Unavailable> {
        const SQL: &str = concat!(
            "SELECT s.id, s.created_at, coalesce(s.last_used_at, s.created_at) AS used_at, s.expires_at, s.client, s.network \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = $1 AND ",
            is_live!("$2", "$3"),
            " ORDER BY used_at DESC, s.id DESC LIMIT $4"
        );
        let query = sqlx::query(SQL)
            .bind(user)
            .bind(live.now)
            .bind(live.idle_before)
            .bind(i64::from(MOST_LISTED))
            .try_map(|row: PgRow| {
                Ok(OpenSession {
                    id: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                    used_at: row.try_get(2)?,
                    expires_at: row.try_get(3)?,
                    client: row.try_get(4)?,
                    network: row.try_get(5)?,
                })
            });
        self.link
            .bounded(async { query.fetch_all(self.link.lend().await?.session()).await })
            .await
    }

    async fn open(&self, session: NewSession) -> Result<Option<Identity>, Unavailable> {
        // The UPDATE waits for a change of the epoch that is under way, and then looks again: a SELECT would not.
        const SQL: &str = concat!(
            "WITH owner AS ( \
               UPDATE users SET signed_in_at = $9 WHERE id = $2 AND session_epoch = $4 AND locked_at IS NULL \
               RETURNING id, phone_verified, email_verified \
             ), opened AS ( \
               INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
                 created_at, expires_at, role) \
               SELECT $1, owner.id, $3, $4, $5, $6, $7, $8, $9, $10, $12 FROM owner \
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
            .bind(parameter(&session.event))
            .bind(session.role.map(Role::name));
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
            role: session.role,
        }))
    }

    async fn end_surplus(&self, user: Uuid, most: u32, event: NewEvent) -> Result<(), Unavailable> {
        // Locked in the order of their keys, as by all who write several: nobody waits for another in a circle.
        const SQL: &str = concat!(
            "WITH surplus AS ( \
               SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id \
               WHERE s.user_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND s.epoch >= u.session_epoch \
               ORDER BY coalesce(s.last_used_at, s.created_at) DESC, s.id DESC OFFSET $3 \
             ), held AS ( \
               SELECT id FROM sessions WHERE id IN (SELECT id FROM surplus) AND revoked_at IS NULL ORDER BY id FOR UPDATE \
             ), ended AS ( \
               UPDATE sessions SET revoked_at = $2, expires_at = least(expires_at, $2) WHERE id IN (SELECT id FROM held) \
               RETURNING user_id \
             ) ",
            insert_event!("$4", "one.user_id", "(SELECT user_id FROM ended LIMIT 1) AS one")
        );
        let query = sqlx::query(SQL)
            .bind(user)
            .bind(event.at)
            .bind(i64::from(most))
            .bind(parameter(&event));
        if self.link.execute(query).await? > 0 {
            event.count();
        }
        Ok(())
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable> {
        self.link
            .bounded(async {
                for _ in 0..TRIES {
                    if let Some(rotated) = self.move_on(&rotation).await? {
                        return Ok(rotated);
                    }
                    // What is rare is on the heap: its future would make that of each rotation far larger.
                    if let Some(rotated) = Box::pin(self.explain_rotation(&rotation)).await? {
                        return Ok(rotated);
                    }
                }
                Ok(Rotated::Unknown)
            })
            .await
    }

    async fn note_used(&self, uses: &[(Uuid, DateTime<Utc>)]) -> Result<(), Unavailable> {
        // A row that somebody else holds is passed over: nobody waits for this, and this for nobody.
        const SQL: &str = "WITH held AS ( \
               SELECT s.id, used.at FROM sessions s \
               JOIN unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) ON used.id = s.id \
               WHERE coalesce(s.last_used_at, s.created_at) < used.at FOR NO KEY UPDATE OF s SKIP LOCKED \
             ) UPDATE sessions s SET last_used_at = held.at FROM held WHERE s.id = held.id";
        let (ids, times): (Vec<_>, Vec<_>) = uses.iter().copied().unzip();
        self.link
            .execute(sqlx::query(SQL).bind(ids).bind(times))
            .await
            .map(drop)
    }

    async fn end(
        &self,
        user: Uuid,
        session: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        const SQL: &str = concat!(
            "WITH ended AS ( \
               UPDATE sessions s SET revoked_at = $2, expires_at = least(s.expires_at, $2) FROM users u \
               WHERE s.id = $4 AND s.user_id = $1 AND u.id = $1 AND ",
            is_live!("$2", "$3"),
            " RETURNING s.user_id), noted AS (",
            insert_event!("$5", "ended.user_id", "ended"),
            ") SELECT count(*), count(*) FROM ended"
        );
        self.change_live(SQL, user, session, live, event).await
    }

    async fn end_others(
        &self,
        user: Uuid,
        keep: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        // All are locked, in the order of their keys; each as it is then, so that one that was ended meanwhile is gone.
        const SQL: &str = concat!(
            "WITH held AS ( \
               SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = $1 AND ",
            is_live!("$2", "$3"),
            " ORDER BY s.id FOR UPDATE OF s \
             ), ended AS ( \
               UPDATE sessions SET revoked_at = $2, expires_at = least(expires_at, $2) \
               WHERE id IN (SELECT id FROM held) AND id <> $4 AND EXISTS (SELECT FROM held WHERE id = $4) \
               RETURNING user_id \
             ), noted AS (",
            insert_event!("$5", "one.user_id", "(SELECT user_id FROM ended LIMIT 1) AS one"),
            ") SELECT count(*), (SELECT count(*) FROM ended) FROM held WHERE id = $4"
        );
        self.change_live(SQL, user, keep, live, event).await
    }

    async fn note_shown(&self, session: Uuid, generation: u32) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET shown = $2 WHERE id = $1 AND shown < $2";
        let query = sqlx::query(SQL).bind(session).bind(i64::from(generation));
        self.link.execute(query).await.map(drop)
    }

    async fn revoke(&self, session: Uuid, event: NewEvent) -> Result<(), Unavailable> {
        const SQL: &str = concat!(
            "WITH ended AS ( \
               UPDATE sessions SET revoked_at = $2, expires_at = least(expires_at, $2) \
               WHERE id = $1 AND revoked_at IS NULL RETURNING user_id \
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
    /// Runs a statement about a live session that answers whether it was one, and how many sessions it changed.
    async fn change_live(
        &self,
        sql: &'static str,
        user: Uuid,
        session: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        let query = sqlx::query_as(sql)
            .bind(user)
            .bind(live.now)
            .bind(live.idle_before)
            .bind(session)
            .bind(parameter(&event));
        let (was_live, changed): (i64, i64) = self
            .link
            .bounded(async { query.fetch_one(self.link.lend().await?.session()).await })
            .await?;
        if changed > 0 {
            event.count();
        }
        Ok(was_live > 0)
    }

    /// The one UPDATE that rotates. `None` if it missed.
    async fn move_on(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const SQL: &str = "UPDATE sessions s SET generation = s.generation + 1, refresh_hash = $4, \
               previous_hash = s.refresh_hash, spent = substr($6 || s.spent, 1, $7), \
               shown = greatest(s.shown, s.generation), last_used_at = $5 \
             FROM users u \
             WHERE s.id = $1 AND s.generation = $2 AND s.refresh_hash = $3 \
               AND s.revoked_at IS NULL AND s.expires_at > $5 AND coalesce(s.last_used_at, s.created_at) >= $8 \
               AND u.id = s.user_id AND u.locked_at IS NULL AND s.epoch >= u.session_epoch \
             RETURNING s.user_id, u.phone_verified, u.email_verified, s.amr, \
               coalesce(s.authenticated_at, s.created_at), s.role, s.expires_at";
        let query = sqlx::query(SQL)
            .bind(rotation.session_id)
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(to_micros(rotation.now))
            .bind(rotation.spent_now())
            .bind(SpentTimes::LENGTH)
            .bind(rotation.idle_before)
            .try_map(|row: PgRow| {
                Ok(Rotated::Rotated {
                    identity: identity(&row)?,
                    expires_at: row.try_get(AFTER_IDENTITY)?,
                })
            });
        query.fetch_optional(self.link.lend().await?.session()).await
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else sees the session again. `None`: nothing is in its way
    /// any more.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, u.phone_verified, u.email_verified, s.amr, \
             coalesce(s.authenticated_at, s.created_at), s.role, s.expires_at, \
             s.generation, s.refresh_hash, s.previous_hash, s.spent, s.shown, coalesce(s.last_used_at, s.created_at), \
             s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR s.epoch < u.session_epoch \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 FOR UPDATE OF s";
        const REVOKE: &str =
            "UPDATE sessions SET revoked_at = $2, expires_at = least(expires_at, $2) WHERE id = $1";
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
                used_at: row.try_get(AFTER_IDENTITY + 6)?,
                revoked: row.try_get(AFTER_IDENTITY + 7)?,
            })
        });
        let stored = query.fetch_optional(together.session()).await?;
        if stored.as_ref().is_some_and(|stored| rotation.is_good_for(stored)) {
            together.commit().await?;
            return Ok(None);
        }
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
        Ok(Some(verdict))
    }
}

async fn views_of(
    link: PostgresLink,
    ids: Vec<Uuid>,
    own: &mut Own,
) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        view_columns!(),
        " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ANY($1)"
    );
    let query = sqlx::query(SQL).bind(ids).try_map(|row: PgRow| {
        let view = view(&row)?;
        Ok((row.try_get(AFTER_USER)?, view))
    });
    link.bounded(async { query.fetch_all(own.connection(&link).await?).await })
        .await
}
