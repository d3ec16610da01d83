//! The contract of the directory. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/directory.rs` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AccountStatus, Search, SearchPlace};
use crate::{accounts::users::User, email::EmailAddress, tokens::Role, unavailable::Unavailable};

/// Accounts as administrators find and see them. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait Directory: Send + Sync {
    /// The accounts that are looked for, with the place of each. MUST read by an index no more than it answers, however many
    /// accounts there are, but for those that `status` leaves out.
    async fn search(&self, search: &Search) -> Result<Vec<(AccountDetails, SearchPlace)>, Unavailable>;

    /// An account by its id.
    async fn find(&self, id: Uuid) -> Result<Option<AccountDetails>, Unavailable>;

    /// An account by its e-mail address.
    async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<AccountDetails>, Unavailable>;
}

/// All that an administrator sees of an account itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDetails {
    pub user: User,
    pub has_password: bool,
    /// When its owner last typed a code for the address.
    pub phone_owned_at: Option<DateTime<Utc>>,
    pub email_owned_at: Option<DateTime<Utc>>,
    pub signed_in_at: Option<DateTime<Utc>>,
    pub imported_at: Option<DateTime<Utc>>,
    pub password_reset_at: Option<DateTime<Utc>>,
    pub locked_at: Option<DateTime<Utc>>,
    /// What it may administer.
    pub role: Option<Role>,
}

impl AccountDetails {
    pub fn status(&self) -> AccountStatus {
        match self.locked_at {
            None => AccountStatus::Active,
            Some(_) => AccountStatus::Locked,
        }
    }
}
