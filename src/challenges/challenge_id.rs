//! The name of a challenge, which clients and providers hold: it says where the challenge is kept, to us alone.
//!
//! It is a UUID of version 4, of whose 122 free bits the first 16 are the day on which it was issued: by it the ledger is kept
//! by months, and its index grows at one end. 44 more are random; the others are the slot's address, masked by a digest of
//! these 60 that is keyed by the secret: whoever guesses has 106 bits to guess. So no index has to lead from an id to its challenge, and two ids of
//! one address have nothing in common for whoever lacks the secret. A made-up id leads somewhere as well: only the challenge
//! that has the very id counts.

use chrono::{DateTime, Utc};
use uuid::{Uuid, Variant, Version};

use crate::{
    dated::day_number,
    entropy::Entropy,
    partition::SlotAddress,
    secrets::{Keyring, SecretKeys},
};

/// Where the version stands in the first half, and the variant in the second (RFC 9562).
const VERSION_MASK: u64 = 0xF000;
const VERSION: u64 = 0x4000;
const VARIANT: u64 = 0b10 << SlotAddress::BITS;

/// Below the day in the first half.
const BELOW_DAY: u32 = 48;

/// A new name for a challenge of the slot at `address` that is issued now.
pub fn challenge_id(
    keys: &SecretKeys,
    address: SlotAddress,
    now: DateTime<Utc>,
    entropy: &dyn Entropy,
) -> Uuid {
    let random = u64::from_be_bytes(entropy.bytes()) >> (u64::BITS - BELOW_DAY) & !VERSION_MASK | VERSION;
    let random = u64::from(day_number(now)) << BELOW_DAY | random;
    let sealed = SlotAddress::from_bits(address.bits() ^ mask(keys, random));
    Uuid::from_u64_pair(random, VARIANT | sealed.bits())
}

/// Where the challenge of this name may be kept: one slot for each secret in force; none for what is no such name.
pub fn candidate_slots(keyring: &Keyring, challenge_id: Uuid) -> impl Iterator<Item = SlotAddress> {
    let ours =
        challenge_id.get_version() == Some(Version::Random) && challenge_id.get_variant() == Variant::RFC4122;
    let (random, sealed) = challenge_id.as_u64_pair();
    let keys = keyring.all().iter().filter(move |_| ours);
    keys.map(move |keys| SlotAddress::from_bits(sealed ^ mask(keys, random)))
}

/// The secret that named the challenge of the slot at `address`, and so derives its code, if it is in force.
pub(super) fn secret_of(keyring: &Keyring, address: SlotAddress, challenge_id: Uuid) -> Option<&SecretKeys> {
    let mut secrets = keyring.all().iter().zip(candidate_slots(keyring, challenge_id));
    secrets.find_map(|(keys, slot)| (slot == address).then_some(keys))
}

fn mask(keys: &SecretKeys, random: u64) -> u64 {
    let name = keys.challenge_id.name(&[&random.to_be_bytes()]);
    name[..8]
        .iter()
        .fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        challenges::{Purpose, Slot, Whose},
        dated::first_challenge_id,
        entropy::SystemEntropy,
        phone::PhoneDigest,
    };

    fn keyring(secrets: &[u8]) -> Keyring {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|&byte| BASE64_STANDARD.encode([byte; 32]))
            .collect();
        Keyring::parse(&secrets.join(",")).unwrap()
    }

    fn address(phone: u8) -> SlotAddress {
        let slot = Slot {
            purpose: Purpose::VerifyPhone,
            destination: PhoneDigest::from_bytes([phone; 16]).into(),
            whose: Whose::Public,
        };
        slot.address()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn name(keyring: &Keyring, phone: u8) -> Uuid {
        challenge_id(keyring.current(), address(phone), now(), &SystemEntropy)
    }

    #[test]
    fn an_id_leads_to_its_slot_and_begins_with_its_day() {
        let keyring = keyring(&[1]);
        for phone in 0..=255 {
            let id = name(&keyring, phone);
            assert_eq!(
                candidate_slots(&keyring, id).collect::<Vec<_>>(),
                [address(phone)]
            );
            assert_eq!(id.get_version(), Some(Version::Random));
            assert_eq!(id.get_variant(), Variant::RFC4122);
            assert_eq!(Uuid::parse_str(&id.to_string()), Ok(id));
            let days = [now(), now() + TimeDelta::days(1)].map(first_challenge_id);
            assert!(days[0] <= id && id < days[1], "{id}");
        }
    }

    /// Each bit of two ids of one day differs as often as not, whether they are of one phone or of two.
    #[test]
    fn ids_of_one_phone_have_nothing_in_common() {
        const PAIRS: u32 = 1000;
        let (keyring, fixed) = (
            keyring(&[1]),
            u128::from(u16::MAX) << 112 | u128::from(VERSION_MASK) << 64 | u128::from(VARIANT | 1 << 62),
        );
        for others_phone in [7, 8] {
            let mut differ = [0; 128];
            for _ in 0..PAIRS {
                let pair = [name(&keyring, 7), name(&keyring, others_phone)].map(|id| id.as_u128());
                for (bit, count) in differ.iter_mut().enumerate() {
                    *count += ((pair[0] ^ pair[1]) >> bit & 1) as u32;
                }
            }
            for (bit, count) in differ.into_iter().enumerate() {
                let free = fixed >> bit & 1 == 0;
                assert!(
                    if free {
                        (350..650).contains(&count)
                    } else {
                        count == 0
                    },
                    "{bit}: {count}"
                );
            }
        }
    }

    #[test]
    fn an_id_of_an_older_secret_is_still_read() {
        let id = name(&keyring(&[1]), 7);
        let slots_under = |secrets: &[u8]| candidate_slots(&keyring(secrets), id).collect::<Vec<_>>();
        let found = slots_under(&[2, 1]);
        assert_eq!((found.len(), found[1]), (2, address(7)));
        assert_ne!(found[0], address(7));
        assert!(!slots_under(&[2]).contains(&address(7)));
        let both = keyring(&[2, 1]);
        assert_eq!(secret_of(&both, address(7), id).unwrap().id, both.all()[1].id);
        assert!(secret_of(&both, address(8), id).is_none());
        assert!(secret_of(&keyring(&[2]), address(7), id).is_none());
    }

    #[test]
    fn what_is_no_uuid_of_version_4_leads_nowhere() {
        for id in [
            Uuid::nil(),
            Uuid::max(),
            Uuid::from_u128(7),
            Uuid::from_u64_pair(VERSION, 0),
        ] {
            assert_eq!(candidate_slots(&keyring(&[1]), id).count(), 0, "{id}");
        }
    }
}
