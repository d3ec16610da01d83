//! The contract of the directory. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/directory.rs` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AccountStatus, Search, SearchBy, SearchPlace};
use crate::{
    accounts::users::User, email::EmailAddress, phone::PhoneNumber, tokens::Role, unavailable::Unavailable,
};

/// Accounts as administrators find and see them. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait Directory: Send + Sync {
    /// The accounts that are looked for, with the place of each. It reads by an index no more than it answers, however many
    /// accounts there are, but for those that `status` leaves out.
    async fn search(&self, search: &Search) -> Result<Vec<(AccountDetails, SearchPlace)>, Unavailable> {
        let placed = |by_name: bool| {
            move |found: AccountDetails| {
                let id = found.user.id;
                (found, SearchPlace { by_name, id })
            }
        };
        let found = match &search.by {
            SearchBy::Nothing => self.all(search).await?,
            SearchBy::Id(id) => {
                let found = self.find(*id).await?.filter(|_| search.after.is_none());
                let fits =
                    |found: &AccountDetails| search.status.is_none_or(|status| found.status() == status);
                found.filter(fits).into_iter().collect()
            }
            SearchBy::Phone(phone) => self.by_phone(search, phone).await?,
            SearchBy::Beginning { email, name } => {
                let mut found = Vec::new();
                if search.after.is_none_or(|place| !place.by_name) {
                    let first = self.by_email(search, email).await?;
                    found.extend(first.into_iter().map(placed(false)));
                }
                let left = search
                    .limit
                    .saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
                if left > 0 {
                    let rest = self.by_name(search, (email, name), left).await?;
                    found.extend(rest.into_iter().map(placed(true)));
                }
                return Ok(found);
            }
        };
        Ok(found.into_iter().map(placed(false)).collect())
    }

    /// All accounts, by id, the highest first: ids that are made here go by time, those that come with an import may not. MUST read by
    /// an index no more than it answers, but for those that `status` leaves out; so must those below.
    async fn all(&self, search: &Search) -> Result<Vec<AccountDetails>, Unavailable>;

    /// Those that have a phone, proven or not.
    async fn by_phone(
        &self,
        search: &Search,
        phone: &PhoneNumber,
    ) -> Result<Vec<AccountDetails>, Unavailable>;

    /// Those whose e-mail address begins so.
    async fn by_email(&self, search: &Search, email: &str) -> Result<Vec<AccountDetails>, Unavailable>;

    /// Those whose last name begins as `beginning.1`, and whose e-mail address doesn't as `beginning.0`: `limit` at most.
    async fn by_name(
        &self,
        search: &Search,
        beginning: (&str, &str),
        limit: u32,
    ) -> Result<Vec<AccountDetails>, Unavailable>;

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
