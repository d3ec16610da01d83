//! Purpose × address × whose: what a challenge is identified by, and where it is kept.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{destination::DestinationDigest, policy::Found, pools::Pool, purpose::Purpose};
use crate::{channel::Channel, partition::SlotAddress};

/// How many challenges of a purpose that are found by their ids live at a time for one address.
pub(super) const CANDIDATES: u8 = 3;
/// Of the eight slots side by side: what the candidates of strangers share, the candidates of known networks, what these share.
const HOME: u8 = 3;
const KNOWN: u8 = 4;
const KNOWN_HOME: u8 = 7;
/// What tells the address of the public slot that keeps the cooldown, and those of candidates, from others of a destination.
const PUBLIC_MARK: u8 = Purpose::VerifyPhone.byte();
const CANDIDATES_MARK: u8 = 0x80;
const EMAIL_MARK: u8 = 0x40;

/// Whose a challenge is. A purpose has one public slot for an address, and one for each user who asked with a token; or, where
/// challenges are found by their ids, three that stand side by side.
///
/// What is spent in one slot (attempts, failures) is not spent in another, but for the failures of candidates: those of all of an
/// address, whatever they are for, are kept in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Asked for without a token: whoever has the code may use it.
    Public,
    /// Asked for with a token: that user's alone.
    User(Uuid),
    /// Found by its id: whoever has that and the code may use it.
    Candidate(u8),
    /// The same for whoever asks from a network from which the account was signed in to lately: strangers elsewhere take none of
    /// these places.
    Known(u8),
}

impl Whose {
    /// The slot of whoever asks with this user's token, or with none.
    pub fn of(user: Option<Uuid>) -> Self {
        user.map_or(Self::Public, Self::User)
    }
}

/// A place for one challenge at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    pub purpose: Purpose,
    pub destination: DestinationDigest,
    pub whose: Whose,
}

impl Slot {
    /// What the places for known networks have in common: their cooldown and wrong codes, whatever a code is for.
    fn known_home(destination: DestinationDigest) -> Self {
        Self {
            purpose: Purpose::SignIn,
            destination,
            whose: Whose::Known(KNOWN_HOME - KNOWN),
        }
    }

    /// Where a store keeps it. Two that share an address don't share a code, since the code's digest is over purpose and
    /// destination.
    pub fn address(&self) -> SlotAddress {
        let purpose = self.purpose.byte();
        let mut local = [0; 8];
        match self.whose {
            // The digest is as good as random already; the purpose keeps the slots of one address apart.
            Whose::Public => {
                local.copy_from_slice(&self.destination.as_bytes()[..8]);
                // Alike for both channels, so that the candidates of an address lead there.
                local[1] ^= match self.purpose {
                    proving if proving == Purpose::verifying(self.destination.channel()) => PUBLIC_MARK,
                    Purpose::VerifyPhone => Purpose::VerifyEmail.byte(),
                    _ => purpose,
                };
            }
            Whose::User(id) => {
                let mut hash = Sha256::new();
                hash.update([purpose]);
                hash.update(self.destination.as_bytes());
                hash.update(id.as_bytes());
                local.copy_from_slice(&hash.finalize()[..8]);
            }
            Whose::Candidate(_) | Whose::Known(_) => {
                local.copy_from_slice(&self.destination.as_bytes()[..8]);
                local[1] ^= purpose;
                // No public slot has this address, whatever the number of the candidate makes of it.
                local[2] ^= CANDIDATES_MARK;
            }
        }
        // Phones and e-mail addresses are kept apart, whatever their digests are.
        if self.destination.channel() == Channel::Email {
            local[2] ^= EMAIL_MARK;
        }
        let address = SlotAddress::new(self.destination.partition(), u64::from_be_bytes(local));
        match self.whose {
            Whose::Public => address.beside(HOME),
            Whose::Candidate(n) => address.beside(n),
            Whose::Known(n) => address.beside(KNOWN + n),
            Whose::User(_) => address,
        }
    }

    /// The slot that keeps the wrong codes that count here: its own, or the one that all candidates of an address share.
    pub(super) fn failures_slot(&self) -> Self {
        match self.whose {
            Whose::Candidate(_) | Whose::Known(_) => self.cooldown_slot(),
            Whose::Public | Whose::User(_) => *self,
        }
    }

    /// Which of the wrong codes that are kept there count here, for a challenge whose id is given or not.
    pub(super) fn pools(&self) -> &'static [Pool] {
        match self.whose {
            Whose::Public => &[Pool::WithoutId, Pool::WithId],
            Whose::Candidate(_) | Whose::Known(_) => &[Pool::WithId],
            Whose::User(_) => &[Pool::Own],
        }
    }

    /// The slot that keeps the cooldown. A user's own slot has one of its own, which no stranger can begin, and known networks have
    /// one. All others share
    /// that of the address, whatever a code is for: it is kept in the public slot of the purpose that proves such addresses.
    /// Most requests touch no other.
    pub fn cooldown_slot(&self) -> Self {
        match self.whose {
            Whose::User(_) => *self,
            Whose::Known(_) => Self::known_home(self.destination),
            Whose::Public | Whose::Candidate(_) => Self {
                purpose: Purpose::verifying(self.destination.channel()),
                destination: self.destination,
                whose: Whose::Public,
            },
        }
    }
}

/// Where the wrong codes are kept that count in the slot at `address`, which has a challenge of this purpose.
pub(super) fn failures_at(address: SlotAddress, purpose: Purpose) -> SlotAddress {
    match purpose.policy().found {
        Found::ById if address.place_beside() < KNOWN => {
            let home = address.flip([purpose.byte() ^ PUBLIC_MARK, CANDIDATES_MARK]);
            home.beside(HOME)
        }
        Found::ById => {
            let home = address.flip([purpose.byte() ^ Purpose::SignIn.byte(), 0]);
            home.beside(KNOWN_HOME)
        }
        Found::ByAddress | Found::ByUser => address,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{email::EmailDigest, phone::PhoneDigest};

    fn slots(destination: DestinationDigest) -> impl Iterator<Item = Slot> {
        let users = [1, 2].map(|id| Whose::User(Uuid::from_u128(id)));
        let candidates = [0, 1, 2].map(Whose::Candidate);
        let known = [0, 1, 2].map(Whose::Known);
        Purpose::ALL.into_iter().flat_map(move |purpose| {
            let all = [Whose::Public]
                .into_iter()
                .chain(users)
                .chain(candidates)
                .chain(known);
            all.map(move |whose| Slot {
                purpose,
                destination,
                whose,
            })
        })
    }

    #[test]
    fn every_slot_has_an_address_of_its_own_in_the_partition_of_its_destination() {
        let mut seen = HashSet::new();
        for first in 0..=255 {
            let destination = PhoneDigest::from_bytes([first; 16]).into();
            for slot in slots(destination) {
                let address = slot.address();
                assert_eq!(address.partition(), destination.partition());
                assert!(seen.insert(address), "{address:?}");
            }
        }
    }

    #[test]
    fn the_failures_of_all_candidates_have_one_place() {
        for first in 0..=255 {
            let phone = DestinationDigest::from(PhoneDigest::from_bytes([first; 16]));
            let email = DestinationDigest::from(EmailDigest::from_bytes([first; 16]));
            for destination in [phone, email] {
                let all = slots(destination).filter(|slot| slot.purpose.policy().found == Found::ById);
                let all: Vec<_> = all
                    .filter(|slot| !matches!(slot.whose, Whose::Public | Whose::User(_)))
                    .collect();
                for slot in &all {
                    assert_eq!(
                        failures_at(slot.address(), slot.purpose),
                        slot.failures_slot().address()
                    );
                }
                let places: HashSet<_> = all.iter().map(Slot::failures_slot).collect();
                assert_eq!(places.len(), 2, "those of known networks and all others");
            }
        }
    }

    #[test]
    fn the_cooldown_of_an_address_has_one_place_and_that_of_a_user_another() {
        let phone = PhoneDigest::from_bytes([7; 16]).into();
        let (own, others): (Vec<_>, Vec<_>) =
            slots(phone).partition(|slot| matches!(slot.whose, Whose::User(_)));
        let (known, others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|slot| matches!(slot.whose, Whose::Known(_)));
        let places: HashSet<_> = known.iter().map(Slot::cooldown_slot).collect();
        assert_eq!(places.len(), 1);
        let places: HashSet<_> = others.iter().map(Slot::cooldown_slot).collect();
        assert_eq!(places.len(), 1);
        assert!(own.iter().all(|slot| slot.cooldown_slot() == *slot));
        let email = EmailDigest::from_bytes([7; 16]).into();
        let mut others =
            slots(email).filter(|slot| matches!(slot.whose, Whose::Public | Whose::Candidate(_)));
        assert!(others.all(|slot| slot.cooldown_slot().purpose == Purpose::VerifyEmail));
    }
}
