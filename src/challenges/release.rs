//! What an operator has forgotten, so that an address can have a code again.

use uuid::Uuid;

use super::{
    destination::DestinationDigest,
    purpose::Purpose,
    service::Challenges,
    slot::{CANDIDATES, Slot, Whose},
    store::Hold,
};
use crate::{delivery::Destination, unavailable::Unavailable};

impl Challenges {
    /// Forgets what keeps an address from its next code, whatever that is for: for whoever asks without a token, and for
    /// these users. Wrong codes are counted under each secret in force.
    ///
    /// # Errors
    /// As [`ChallengeStore::release`](super::ChallengeStore::release).
    pub async fn release(&self, hold: Hold, to: &Destination, users: &[Uuid]) -> Result<(), Unavailable> {
        let candidates = (0..CANDIDATES).map(Whose::Candidate);
        // The last keeps what all of these share.
        let known = (0..=CANDIDATES).map(Whose::Known);
        let users = users.iter().copied().map(Whose::User);
        let whose: Vec<_> = users
            .chain(candidates)
            .chain(known)
            .chain([Whose::Public])
            .collect();
        for keys in self.keyring.all() {
            let destination = DestinationDigest::of(to, keys);
            let slots_of = |purpose| {
                whose.iter().map(move |&whose| Slot {
                    purpose,
                    destination,
                    whose,
                })
            };
            let slots: Vec<_> = Purpose::ALL.into_iter().flat_map(slots_of).collect();
            self.store.release(&slots, hold).await?;
        }
        Ok(())
    }
}
