//! The contract of the store of users. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use thiserror::Error;

use super::{NewUser, User};
use crate::{accounts::sessions::NewSession, unavailable::Unavailable};

/// Where users are kept. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Makes an account and opens its first session, and writes the event of each: all or nothing.
    ///
    /// # Errors
    /// MUST answer [`RegisterError::EmailTaken`] if an account has this [`crate::email::EmailAddress::key`], also when
    /// both come at the same time.
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError>;
}

/// Why an account wasn't made.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
