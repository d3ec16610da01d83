//! A session: one that is to be opened, and one as a request with a bearer token needs it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::accounts::users::User;

/// A session to be opened. Its first refresh token is of generation 0.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: Uuid,
    pub user_id: Uuid,
    /// Digest of the first refresh token.
    pub refresh_hash: [u8; 32],
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A session and whose it is: what every request with a bearer token asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub user: User,
    /// Logged out, revoked for reuse of a token, or its user is locked.
    pub revoked: bool,
    pub expires_at: DateTime<Utc>,
    /// The highest generation of which a token was shown.
    pub shown: i64,
}
