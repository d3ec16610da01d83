//! Why a phone could not be marked as verified.

use uuid::Uuid;

use super::{Claimant, Verification};

/// How often a verification is tried whose miss nothing explains: what stood in its way went meanwhile.
pub(super) const VERIFY_ATTEMPTS: usize = 3;

/// What a read after a missed UPDATE shows.
pub(super) struct Miss {
    pub verified_by: Option<Uuid>,
    /// How many claim it unverified, two at most; and those whose claim has not lapsed.
    pub unverified: i64,
    pub live: i64,
    /// Whether the claimant's own account claims the phone.
    pub mine: bool,
}

impl Miss {
    /// Explains a missed UPDATE. `None` if nothing does: what stood in its way is gone meanwhile.
    pub(super) fn explain(&self, claimant: &Claimant) -> Option<Verification> {
        match (claimant, self.verified_by) {
            (Claimant::User(me), Some(owner)) if owner == *me => Some(Verification::AlreadyVerified(owner)),
            (Claimant::User(_), _) if !self.mine => Some(Verification::NoClaim),
            (Claimant::User(_), Some(_)) => Some(Verification::Taken),
            (Claimant::User(_), None) => None,
            (Claimant::Anyone, Some(owner)) => Some(Verification::AlreadyVerified(owner)),
            (Claimant::Anyone, None) => match (self.unverified, self.live) {
                (0, _) => Some(Verification::NoClaim),
                (1, _) | (_, 1) => None,
                _ => Some(Verification::Ambiguous),
            },
        }
    }
}
