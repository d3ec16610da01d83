//! The two tokens of a session: a signed access token that lives minutes, and a refresh token that is spent at each use.

mod access;
mod amr;
mod claims;
mod refresh;
mod role;

pub use access::{AccessOptions, AccessTokens, TokenError};
pub use amr::Amr;
pub use claims::{AccessClaims, AccessGrant};
pub use refresh::{RefreshToken, RefreshTokens};
pub use role::Role;
