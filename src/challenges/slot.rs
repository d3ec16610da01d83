//! What a challenge is for, and where it is kept.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    partition::{PARTITIONS, SlotAddress},
    phone::PhoneDigest,
};

/// Whose challenge of a phone: each phone has one public slot, and one for each user who asked with a token.
///
/// What is spent in one slot (attempts, failures) is not spent in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Asked for without a token: whoever has the code may use it.
    Public,
    /// Asked for with a token: that user's alone.
    User(Uuid),
}

impl Slot {
    /// Where a store keeps this slot of a phone. Two that share an address don't share a code, since the code's digest
    /// is over the phone.
    pub fn address(self, phone: PhoneDigest) -> SlotAddress {
        let mut head = [0; 8];
        match self {
            Self::Public => head.copy_from_slice(&phone.as_bytes()[..8]),
            Self::User(id) => head.copy_from_slice(&hash(phone, id)[..8]),
        }
        SlotAddress::new(phone.partition(PARTITIONS), u64::from_be_bytes(head))
    }
}

fn hash(phone: PhoneDigest, user: Uuid) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(phone.as_bytes());
    hash.update(user.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_an_address_of_its_own_in_its_phones_partition() {
        let mut seen = std::collections::HashSet::new();
        for first in 0..=255 {
            let phone = PhoneDigest::from_bytes([first; 16]);
            for slot in [
                Slot::Public,
                Slot::User(Uuid::from_u128(1)),
                Slot::User(Uuid::from_u128(2)),
            ] {
                let address = slot.address(phone);
                assert_eq!(address.partition(), phone.partition(PARTITIONS));
                assert!(seen.insert(address), "{address:?}");
            }
        }
    }
}
