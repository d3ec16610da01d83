//! A session: one that is to be opened, and one as a request with a bearer token needs it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    accounts::users::User,
    events::NewEvent,
    limits::ClientNetwork,
    tokens::{Amr, Role},
};

/// Who a client is, as far as its owner may want to know later.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    pub network: ClientNetwork,
    /// Browser and system in words, as "Chrome on Android". `None`: it doesn't say.
    pub client: Option<String>,
}

/// A session to be opened. Its first refresh token is of generation 0.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: Uuid,
    pub user_id: Uuid,
    /// Digest of the first refresh token.
    pub refresh_hash: [u8; 32],
    /// The account's `session_epoch` when its owner was proven: with another one by now, the session is not opened.
    pub epoch: i64,
    pub amr: Amr,
    /// Of an administrator who gave a second proof for it.
    pub role: Option<Role>,
    /// When its owner was proven.
    pub authenticated_at: DateTime<Utc>,
    /// As in [`ClientInfo`].
    pub client: Option<String>,
    /// See [`ClientNetwork::coarse`].
    pub network: Option<String>,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// What is written with it.
    pub event: NewEvent,
}

/// A live session, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    /// Noted some moments later: see [`super::SessionUses`].
    pub used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub client: Option<String>,
    pub network: Option<String>,
}

/// What tells a live session from one that is over: it hasn't ended by `now`, and wasn't last used before `idle_before`.
#[derive(Debug, Clone, Copy)]
pub struct Liveness {
    pub now: DateTime<Utc>,
    pub idle_before: DateTime<Utc>,
}

/// Whose a session is, and what its access tokens say of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub user_id: Uuid,
    pub phone_verified: bool,
    pub email_verified: bool,
    pub amr: Amr,
    pub authenticated_at: DateTime<Utc>,
    /// Of an administrator's session.
    pub role: Option<Role>,
}

/// A session and whose it is: what every request with a bearer token asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub user: User,
    /// Logged out, revoked for reuse of a token, of an older epoch than its user's, or its user is locked.
    pub revoked: bool,
    pub expires_at: DateTime<Utc>,
    /// When it was last used, as far as that is noted by now.
    pub used_at: DateTime<Utc>,
    /// The highest generation of which a token was shown.
    pub shown: i64,
    pub amr: Amr,
    /// When whoever opened it last proved who they are.
    pub authenticated_at: DateTime<Utc>,
}
