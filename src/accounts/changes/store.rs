//! The contract of the store of changes. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;

use super::{Changed, EmailChange, PhoneChange};
use crate::unavailable::Unavailable;

/// Where addresses are changed. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait ChangeStore: Send + Sync {
    /// Gives an account a phone that its owner has proven, marked verified.
    ///
    /// MUST be one atomic change, with its events and notices. MUST answer [`Changed::Void`] and change nothing if the account is
    /// gone or locked, or its phone is not [`PhoneChange::old`] any more: so of two changes one alone is made. MUST
    /// answer [`Changed::Taken`] if an account has the phone verified, unless it is [`PhoneChange::former`]: that one loses
    /// it, and its claim has lapsed from then on. However many callers race, at most one account has a phone verified.
    async fn change_phone(&self, change: &PhoneChange) -> Result<Changed, Unavailable>;

    /// Gives an account an e-mail address that its owner has proven, marked verified. Likewise; MUST answer
    /// [`Changed::Taken`] if another account has the address verified. One that has it unverified MUST lose it: it has no e-mail
    /// address then, and keeps its sessions.
    async fn change_email(&self, change: &EmailChange) -> Result<Changed, Unavailable>;
}
