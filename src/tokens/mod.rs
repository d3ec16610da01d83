//! The two tokens of a session: a signed access token that lives minutes, and a refresh token that is spent at each use.

mod access;
mod refresh;

pub use access::{AccessClaims, AccessOptions, AccessTokens, TokenError};
pub use refresh::{RefreshToken, RefreshTokens};
