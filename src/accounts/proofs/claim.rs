//! Who claims a phone or has an e-mail address, and what becomes of a proof.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{email::EmailAddress, phone::PhoneNumber};

/// Who claims a phone. Unverified claims lapse: those that have count only where no other does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claims {
    /// The account that has it verified.
    pub verified_by: Option<Uuid>,
    /// How many accounts claim it unverified: 0, 1, or 2 for two and more. Not counted further, since anybody may add
    /// to them. Of those whose claim has not lapsed; if all have, of all.
    pub unverified: u32,
    /// The one that claims it unverified, if exactly one does.
    pub sole_claimant: Option<Uuid>,
    /// The first of those that claim it unverified, if any does.
    pub any_claimant: Option<Uuid>,
}

impl Claims {
    /// Adds an account that claims it.
    pub(super) fn add(&mut self, user: Uuid, is_verified: bool) {
        if is_verified {
            self.verified_by = Some(user);
            return;
        }
        self.sole_claimant = (self.unverified == 0).then_some(user);
        self.unverified = (self.unverified + 1).min(2);
        self.any_claimant = Some(self.any_claimant.map_or(user, |first| first.min(user)));
    }

    /// Leaves the claims alone that have not lapsed, unless all have: the first of them, two at most.
    pub(super) fn keep_live(&mut self, live: &[Uuid]) {
        if let Some(first) = live.first() {
            self.unverified = u32::from(live.len() > 1) + 1;
            self.sole_claimant = (live.len() == 1).then_some(*first);
            self.any_claimant = Some(*first);
        }
    }

    /// From one statement about all who claim it.
    pub(super) fn of(verified_by: Option<Uuid>, unverified: i64, first: Option<Uuid>) -> Self {
        Self {
            verified_by,
            unverified: u32::try_from(unverified).unwrap_or_default(),
            sole_claimant: first.filter(|_| unverified == 1),
            any_claimant: first,
        }
    }
}

/// A phone whose claims are looked up. Two that ask for one phone at once get one answer, though their times differ by a
/// moment.
#[derive(Debug, Clone)]
pub(super) struct ClaimsOf {
    pub phone: PhoneNumber,
    /// Claims from before have lapsed.
    pub live_since: DateTime<Utc>,
}

impl PartialEq for ClaimsOf {
    fn eq(&self, other: &Self) -> bool {
        self.phone == other.phone
    }
}

impl Eq for ClaimsOf {}

impl Hash for ClaimsOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.phone.hash(state);
    }
}

/// On whose behalf a phone or an e-mail address is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claimant {
    /// Nobody was signed in.
    Anyone,
    /// The user of a bearer token.
    User(Uuid),
}

impl Claimant {
    /// The user of the bearer token.
    pub fn user(&self) -> Option<Uuid> {
        match self {
            Self::User(user) => Some(*user),
            Self::Anyone => None,
        }
    }
}

/// What became of the verification of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// This account has the phone verified from now on.
    Verified(Uuid),
    /// This account had it verified before: the claimant's own, or for [`Claimant::Anyone`] whosever it is.
    AlreadyVerified(Uuid),
    /// Another account than the claimant's has it verified.
    Taken,
    /// Several unverified accounts claim it, of whose claims not all but one have lapsed, and nobody was signed in.
    Ambiguous,
    /// No account claims it, or not the claimant's.
    NoClaim,
}

impl Verification {
    /// From the account that takes a phone, and whether it had it verified before.
    pub(super) fn taken_by(taker: Option<(Uuid, bool)>) -> Self {
        match taker {
            Some((user, false)) => Self::Verified(user),
            Some((user, true)) => Self::AlreadyVerified(user),
            None => Self::NoClaim,
        }
    }
}

/// The account that has an e-mail address. At most one has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailHolder {
    pub user: Uuid,
    /// As the account has it: what two spellings share may be two mailboxes.
    pub email: EmailAddress,
    /// Whether a code proved it.
    pub is_verified: bool,
}

impl EmailHolder {
    /// By the address's key, from a row.
    pub(super) fn keyed(key: String, email: String, user: Uuid, is_verified: bool) -> (String, Self) {
        let email = EmailAddress::from_stored(email, key.clone());
        let holder = Self {
            user,
            email,
            is_verified,
        };
        (key, holder)
    }
}

/// What became of the verification of an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailVerification {
    /// This account has the address verified from now on.
    Verified(Uuid),
    /// This account had it verified before.
    AlreadyVerified(Uuid),
    /// No account has the address, or another than the claimant's has it.
    NoClaim,
}

impl EmailVerification {
    /// From the account that has the address, and whether it had it verified before.
    pub(super) fn of(held: Option<(Uuid, bool)>) -> Self {
        match held {
            Some((user, false)) => Self::Verified(user),
            Some((user, true)) => Self::AlreadyVerified(user),
            None => Self::NoClaim,
        }
    }
}
