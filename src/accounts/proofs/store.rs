//! The contract of the store of proofs. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Claimant, Claims, EmailHolder, EmailVerification, Verification};
use crate::{email::EmailAddress, events::NewEvent, phone::PhoneNumber, unavailable::Unavailable};

/// Who claims a phone or an e-mail address, and who has proven it. What holds for every store of accounts is said at
/// [`crate::accounts`].
#[async_trait]
pub trait ProofStore: Send + Sync {
    /// Who claims a phone. Lookups that arrive together are one query.
    ///
    /// An unverified claim that is older than the store's `claim_ttl` has lapsed: it MUST NOT count, unless all have. One of a locked
    /// account MUST NOT count, here and in all changes below: it proves nothing, and holds nobody up.
    async fn claims(&self, phone: &PhoneNumber, now: DateTime<Utc>) -> Result<Claims, Unavailable>;

    /// Marks a phone as verified: the code was right.
    ///
    /// MUST be one atomic change. For [`Claimant::User`]: on that account, if it claims the phone. For
    /// [`Claimant::Anyone`]: if exactly one unverified account claims it (of several, exactly one whose claim has not lapsed)
    /// and none has it verified. However many callers race, at most one account has a phone verified, ever. `event` MUST be
    /// written with the change, about that account, and only then; its time is the caller's now, and for
    /// [`Claimant::User`] the time from which the phone opens the account. Without a token it opens nothing, whatever was known
    /// before.
    async fn verify_phone(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<Verification, Unavailable>;

    /// Marks a test number as verified, on the claimant's account if it claims the number, for [`Claimant::Anyone`] on the
    /// newest that does.
    ///
    /// MUST be one atomic change that takes the number from whichever account had it, and answer
    /// [`Verification::Verified`], [`Verification::AlreadyVerified`] or [`Verification::NoClaim`]. However many callers
    /// race, at most one account has it verified. MUST NOT note that the account owns the number: it opens nothing.
    async fn take_test_number(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<Verification, Unavailable>;

    /// The phone that an account claims or has.
    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable>;

    /// Which account has an e-mail address, found by [`EmailAddress::key`]; not one that is locked and has not proven it. Lookups that arrive together are one query.
    async fn email_holder(&self, email: &EmailAddress) -> Result<Option<EmailHolder>, Unavailable>;

    /// Marks an e-mail address as verified: the code was right.
    ///
    /// MUST be one atomic change of the account that has the address by its [`EmailAddress::key`]; for
    /// [`Claimant::User`], of that account alone. Of any number of callers one MUST get
    /// [`EmailVerification::Verified`]; the others get [`EmailVerification::AlreadyVerified`] and change nothing. `event` is
    /// written as for [`ProofStore::verify_phone`].
    async fn verify_email(
        &self,
        email: &EmailAddress,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<EmailVerification, Unavailable>;

    /// The e-mail address of an account, if it has one.
    async fn email_of(&self, user: Uuid) -> Result<Option<EmailAddress>, Unavailable>;
}
