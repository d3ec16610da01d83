//! The contract of the store of openings. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Opening;
use crate::{
    accounts::passwords::{Login, PasswordHash},
    channel::Channel,
    events::{NewEvent, NewNotice},
    unavailable::Unavailable,
};

/// Which account an address opens. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait OpeningStore: Send + Sync {
    /// The account that an address leads to: the one that has the phone verified, or has the e-mail address. MUST cost the same
    /// whether or not there is one.
    async fn opened_by(&self, address: &Login) -> Result<Option<Opening>, Unavailable>;

    /// An account by its id.
    async fn opening_of(&self, user: Uuid) -> Result<Option<Opening>, Unavailable>;

    /// Notes that a code for an address was typed by whoever the account is, if the account has the address and has it
    /// verified, and no later proof is known. `event`, if there is one, MUST be written with the change, and only then.
    /// Answers whether it was noted.
    async fn note_owned(
        &self,
        user: Uuid,
        address: &Login,
        now: DateTime<Utc>,
        event: Option<&NewEvent>,
    ) -> Result<bool, Unavailable>;

    /// Sets a password anew and ends all sessions of the account, also those whose login is under way: raises its epoch. The
    /// address that the code came to is proven from then on, as by the account itself.
    ///
    /// MUST be one atomic change, and MUST do nothing if the account is locked or anything that decided about the reset is
    /// other than it was read; the answer is whether it was made. With the change, the event MUST be written, and one notice
    /// to each address that was proven before.
    async fn reset(&self, reset: &PasswordReset) -> Result<bool, Unavailable>;
}

/// A password that is to be set anew.
#[derive(Debug)]
pub struct PasswordReset {
    /// As it was read when it was decided that the code may do it.
    pub opening: Opening,
    /// How the code came.
    pub by: Channel,
    pub password: PasswordHash,
    pub event: NewEvent,
    /// To the e-mail address, and to the phone.
    pub notices: [NewNotice; 2],
}
