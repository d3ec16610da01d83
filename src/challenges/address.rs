//! Where a slot is kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::store::Slot;
use crate::{partition::PARTITIONS, phone::PhoneDigest};

/// Bits that tell the slots of a partition apart.
const LOCAL_BITS: u32 = 56;
const LOCAL: u64 = (1 << LOCAL_BITS) - 1;
const _: () = assert!(PARTITIONS == 64, "a partition has six bits");

/// Where a store keeps a slot of a phone: the phone's partition and 56 bits of a digest, from the keyed digest of the
/// phone, and the user's id where the slot is a user's.
///
/// Of ten million slots, two share an address once in 90,000 times; the code of one is wrong in the other all the same,
/// since its digest is over the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotAddress(u64);

impl SlotAddress {
    /// How many bits an address has.
    pub const BITS: u32 = 6 + LOCAL_BITS;
    /// Bytes of what tells it from the others of its partition.
    pub(super) const LOCAL_BYTES: usize = LOCAL_BITS as usize / 8;

    /// The address of a phone's slot.
    pub fn of(phone: PhoneDigest, slot: Slot) -> Self {
        let mut head = [0; 8];
        match slot {
            Slot::Public => head.copy_from_slice(&phone.as_bytes()[..8]),
            Slot::User(id) => head.copy_from_slice(&hash(phone, id)[..8]),
        }
        Self::new(phone.partition(PARTITIONS), u64::from_be_bytes(head))
    }

    /// From the lowest bits of a number.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// As a number.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    fn new(partition: u8, local: u64) -> Self {
        Self::from_bits(u64::from(partition) << LOCAL_BITS | local & LOCAL)
    }

    /// The share of all keys that it belongs to: its phone's.
    pub fn partition(self) -> u8 {
        (self.0 >> LOCAL_BITS) as u8
    }

    /// What tells it from the others of its partition.
    pub(super) fn local(self) -> [u8; Self::LOCAL_BYTES] {
        let [_, local @ ..] = self.0.to_be_bytes();
        local
    }

    /// Takes back what [`SlotAddress::local`] gave.
    pub(super) fn from_local(partition: u8, local: [u8; Self::LOCAL_BYTES]) -> Self {
        let number = local
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte));
        Self::new(partition, number)
    }

    /// The same in ten characters of base64url.
    pub(super) fn encode(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.local())
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
                let address = SlotAddress::of(phone, slot);
                assert_eq!(address.partition(), phone.partition(PARTITIONS));
                assert_eq!(
                    SlotAddress::from_local(address.partition(), address.local()),
                    address
                );
                assert_eq!(SlotAddress::from_bits(address.bits()), address);
                assert!(seen.insert(address), "{address:?}");
            }
        }
    }
}
