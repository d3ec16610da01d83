//! The contract of the store of passwords. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use uuid::Uuid;

use super::{HashCost, PasswordHash};
use crate::{
    accounts::users::User,
    channel::Channel,
    email::EmailAddress,
    events::{NewEvent, NewNotice},
    limits::LoginDigest,
    phone::PhoneNumber,
    secrets::MacKey,
    unavailable::Unavailable,
};

/// Where the hashes of passwords are kept. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait PasswordStore: Send + Sync {
    /// What a login is compared with. MUST cost the same whether or not there is such an account.
    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable>;

    /// The same for an account that is signed in.
    async fn credentials_of(&self, user: Uuid) -> Result<Option<Credentials>, Unavailable>;

    /// Sets another password: MUST end all sessions of the account but `keep`, and those whose login is under way, and
    /// tell whoever owns a proven address of it. `false`, and nothing is changed, if the account's epoch is another by now,
    /// it is locked, or `keep` has ended.
    async fn change(&self, change: PasswordChange) -> Result<bool, Unavailable>;

    /// What the hashes cost that were taken over from other systems and not replaced yet, each cost once. MUST cost next to
    /// nothing, however many there are: it is asked each minute.
    async fn foreign_costs(&self) -> Result<Vec<HashCost>, Unavailable>;

    /// Replaces a hash by one of today's cost. MUST do nothing if it is no longer `old`: then the password was changed
    /// meanwhile.
    async fn replace_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable>;
}

/// Whom somebody says they are when they log in.
#[derive(Debug, Clone)]
pub enum Login {
    Email(EmailAddress),
    /// Finds only the account that has this phone verified: claims are no identity.
    Phone(PhoneNumber),
}

impl Login {
    /// By what a code goes to it.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }

    /// What stands for it where logins are counted. An address and a phone of one account count apart: together they
    /// would tell that they belong to one.
    pub fn digest(&self, key: &MacKey) -> LoginDigest {
        match self {
            Self::Email(email) => LoginDigest::of("email", email.key(), key),
            Self::Phone(phone) => LoginDigest::of("phone", phone.expose(), key),
        }
    }
}

/// A password that takes the place of another.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    pub user: Uuid,
    /// The account's `session_epoch` when the old one was compared.
    pub epoch: i64,
    pub password: PasswordHash,
    /// The session that goes on.
    pub keep: Uuid,
    pub event: NewEvent,
    pub notice: NewNotice,
}

/// What a login is compared with.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: User,
    /// `None`: the account has no password.
    pub password: Option<PasswordHash>,
    /// An operator has locked the account.
    pub locked: bool,
    /// Sessions of another epoch have ended: a session is opened for this one, or not at all.
    pub session_epoch: i64,
}
