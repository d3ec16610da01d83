//! Into how many shares everything is spread that is kept for addresses and by limits, and where in them a slot is.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The unit by which several servers share the load: what is in one partition lies together, and can be changed in one
/// step. A constant, since every instance must agree on it.
pub const PARTITIONS: u8 = 64;

/// Bits that tell the slots of a partition apart.
const LOCAL_BITS: u32 = 56;
const LOCAL: u64 = (1 << LOCAL_BITS) - 1;
/// Above the bits by which a store spreads what is pending, so that it has one place for slots side by side.
const BESIDE: u32 = 3;
const _: () = assert!(PARTITIONS == 64, "a partition has six bits");

/// Where a store keeps a slot: a partition, and 56 bits of a digest.
///
/// Of ten million slots, two share an address once in 10,000 times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotAddress(u64);

impl SlotAddress {
    /// How many bits an address has.
    pub const BITS: u32 = 6 + LOCAL_BITS;
    /// Bytes of what tells it from the others of its partition.
    pub const LOCAL_BYTES: usize = LOCAL_BITS as usize / 8;

    /// An address in a partition, from the lowest bits of a number.
    pub fn new(partition: u8, local: u64) -> Self {
        Self::from_bits(u64::from(partition) << LOCAL_BITS | local & LOCAL)
    }

    /// From the lowest bits of a number.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// As a number.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The share of all keys that it belongs to.
    pub fn partition(self) -> u8 {
        (self.0 >> LOCAL_BITS) as u8
    }

    /// What tells it from the others of its partition.
    pub fn local(self) -> [u8; Self::LOCAL_BYTES] {
        let [_, local @ ..] = self.0.to_be_bytes();
        local
    }

    /// Takes back what [`SlotAddress::local`] gave.
    pub fn from_local(partition: u8, local: [u8; Self::LOCAL_BYTES]) -> Self {
        let mut number = [0; 8];
        number[1..].copy_from_slice(&local);
        Self::new(partition, u64::from_be_bytes(number))
    }

    /// The address of the `n`th of the eight slots that stand side by side: they differ in three bits alone.
    pub fn beside(self, n: u8) -> Self {
        Self(self.0 & !(0b111 << BESIDE) | u64::from(n & 0b111) << BESIDE)
    }

    /// The address with the bits of a mark flipped, in the first two of its own bytes.
    pub fn flip(self, [first, second]: [u8; 2]) -> Self {
        Self(self.0 ^ u64::from(first) << (LOCAL_BITS - 8) ^ u64::from(second) << (LOCAL_BITS - 16))
    }

    /// Which of the eight it is.
    pub fn place_beside(self) -> u8 {
        (self.0 >> BESIDE & 0b111) as u8
    }

    /// [`SlotAddress::local`] in ten characters of base64url.
    pub fn encode(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.local())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for partition in 0..PARTITIONS {
            for local in [0, 1, u64::from(partition) << 48 | 0x1234, u64::MAX] {
                let address = SlotAddress::new(partition, local);
                assert_eq!(address.partition(), partition);
                assert_eq!(SlotAddress::from_local(partition, address.local()), address);
                assert_eq!(SlotAddress::from_bits(address.bits()), address);
            }
        }
    }

    #[test]
    fn from_each_of_the_slots_side_by_side_all_are_found() {
        for local in [0, 0x1234_5678, u64::MAX] {
            let all = [0, 1, 2, 3, 4, 5, 6, 7].map(|n| SlotAddress::new(7, local).beside(n));
            for (n, of) in (0..).zip(all) {
                assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|n| of.beside(n)), all);
                assert_eq!(of.place_beside(), n);
            }
            assert_eq!(HashSet::from(all).len(), 8);
        }
    }
}
