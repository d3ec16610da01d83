//! What access tokens say.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amr, Role};

/// What this service needs of a good access token. The rest of its claims is for others, and passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccessClaims {
    /// The user.
    pub sub: Uuid,
    /// The session; it may have been revoked since.
    pub sid: Uuid,
    /// Of the refresh token that it was given with. Left out where it is 0, as after a login.
    #[serde(rename = "gen", default)]
    pub generation: u32,
    pub(super) iat: i64,
    pub(super) exp: i64,
}

/// What a new token says of its user and session.
#[derive(Debug, Clone, Copy)]
pub struct AccessGrant {
    pub user: Uuid,
    pub session: Uuid,
    /// Of the refresh token that it is given with.
    pub generation: u32,
    pub phone_verified: bool,
    pub email_verified: bool,
    pub amr: Amr,
    /// When the user last proved who they are.
    pub authenticated_at: DateTime<Utc>,
    /// Of an administrator's session.
    pub role: Option<Role>,
}

/// All claims of a token, in the order in which they are written.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    pub iss: &'a str,
    pub aud: &'a str,
    /// Who got the token (RFC 9068): users sign in to the service itself, so it is the audience.
    pub client_id: &'a str,
    pub sub: Uuid,
    pub sid: Uuid,
    #[serde(rename = "gen", skip_serializing_if = "is_zero")]
    pub generation: u32,
    pub jti: Uuid,
    pub iat: i64,
    pub exp: i64,
    pub auth_time: i64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub amr: &'a [&'a str],
    pub phone_verified: bool,
    pub email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
}

fn is_zero(generation: &u32) -> bool {
    *generation == 0
}
