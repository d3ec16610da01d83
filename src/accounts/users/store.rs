//! The contract of the store of users. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use thiserror::Error;
use uuid::Uuid;

use super::{NewUser, ProfileChange, User};
use crate::{
    accounts::sessions::NewSession,
    channel::Channel,
    events::{NewEvent, NewNotice, NoticeAddress},
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// What is written where an account loses an e-mail address that it never proved.
#[derive(Debug, Clone)]
pub struct EmailLoss {
    /// About that account.
    pub event: NewEvent,
    /// To its phone, if that was proven: the address may be somebody else's.
    pub notice: NewNotice,
}

impl EmailLoss {
    /// Where the notice goes, by the phone of the account and whether that was proven.
    pub(super) fn told_at(phone: String, is_proven: bool) -> Option<NoticeAddress> {
        is_proven.then(|| NoticeAddress::Phone(PhoneNumber::from_stored(phone)))
    }

    /// Counts what was written of it.
    pub(super) fn count(&self, is_told: bool) {
        self.event.count();
        if is_told {
            self.notice.count();
        }
    }
}

/// Where users are kept. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Makes an account and opens its first session, and writes the event of each: all or nothing.
    ///
    /// # Errors
    /// MUST answer [`RegisterError::EmailTaken`] if an account has this [`crate::email::EmailAddress::key`], also when
    /// both come at the same time.
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError>;

    /// The same for whoever proved by a code that the address is theirs: it is marked verified, and MUST be taken from an
    /// account that has it unverified, with the event and the notice of `loss`. So there MUST be
    /// [`RegisterError::EmailTaken`] only where an account has it verified.
    async fn register_proven(
        &self,
        user: NewUser,
        session: NewSession,
        loss: EmailLoss,
    ) -> Result<User, RegisterError>;

    /// Changes what an account says of itself. `None`: there is no such account.
    async fn change_profile(
        &self,
        user: Uuid,
        change: ProfileChange,
        event: NewEvent,
    ) -> Result<Option<User>, Unavailable>;

    /// Locks an account: MUST end all its sessions for good, and those whose login is under way. MUST NOT lock the last
    /// administrator who isn't locked, however many are locked at once.
    async fn lock(&self, user: Uuid, event: NewEvent) -> Result<Locked, Unavailable>;

    /// Unlocks an account. MUST bring no session back, whoever locked it and how. `false`: it wasn't locked.
    async fn unlock(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable>;

    /// Notes that the proven phone or e-mail address of an account is its owner's, as if its code had been entered with the account's token:
    /// from then on it opens the account. `false`: it does already, it isn't proven, or there is no such account.
    async fn confirm(&self, user: Uuid, channel: Channel, event: NewEvent) -> Result<bool, Unavailable>;

    /// Ends all sessions of an account for good, and those whose login is under way. `false`: there is no such account.
    async fn end_sessions(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable>;
}

/// What became of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    Locked,
    /// It was locked already, or there is no such account.
    Unchanged,
    /// Nobody would be left who may do everything.
    LastAdministrator,
}

/// Why an account wasn't made.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
