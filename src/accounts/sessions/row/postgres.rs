//! Sessions from rows of PostgreSQL.

use sqlx::{Row, postgres::PgRow};

use crate::{
    accounts::{
        sessions::{Identity, SessionView},
        users::row::postgres::{AFTER_USER, user},
    },
    tokens::{Amr, Role},
};

/// Whether a session `s` of user `u` is live, by the parameters of a `Liveness`.
macro_rules! is_live {
    ($now:literal, $idle_before:literal) => {
        concat!(
            "s.revoked_at IS NULL AND s.expires_at > ",
            $now,
            " AND coalesce(s.last_used_at, s.created_at) >= ",
            $idle_before,
            " AND s.epoch >= u.session_epoch AND u.locked_at IS NULL"
        )
    };
}
pub(in crate::accounts::sessions) use is_live;

/// From a row that begins with user, whether phone and e-mail are verified, `amr`, the time of the proof, and the role.
pub(in crate::accounts::sessions) fn identity(row: &PgRow) -> Result<Identity, sqlx::Error> {
    Ok(Identity {
        user_id: row.try_get(0)?,
        phone_verified: row.try_get(1)?,
        email_verified: row.try_get(2)?,
        amr: Amr::from_stored(row.try_get(3)?),
        authenticated_at: row.try_get(4)?,
        role: row.try_get::<Option<&str>, _>(5)?.and_then(Role::from_name),
    })
}

/// The first column after those that [`identity`] reads.
pub(in crate::accounts::sessions) const AFTER_IDENTITY: usize = 6;

/// Begins a statement whose rows [`view`] reads.
macro_rules! view_columns {
    () => {
        concat!(
            user_columns!(),
            "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL OR s.epoch < u.session_epoch, s.shown, \
         s.amr, coalesce(s.authenticated_at, s.created_at), coalesce(s.last_used_at, s.created_at)"
        )
    };
}
pub(in crate::accounts::sessions) use view_columns;

/// A session with its user, from a row that begins with the columns of `view_columns!`.
pub(in crate::accounts::sessions) fn view(row: &PgRow) -> Result<SessionView, sqlx::Error> {
    Ok(SessionView {
        user: user(row)?,
        expires_at: row.try_get(AFTER_USER + 1)?,
        revoked: row.try_get(AFTER_USER + 2)?,
        shown: row.try_get(AFTER_USER + 3)?,
        amr: Amr::from_stored(row.try_get(AFTER_USER + 4)?),
        authenticated_at: row.try_get(AFTER_USER + 5)?,
        used_at: row.try_get(AFTER_USER + 6)?,
    })
}
