//! Tests of `record.rs`.

use std::time::Duration;

use super::*;
use crate::{
    challenges::{IssuedMessage, Place, Slot, pools::Pool},
    email::EmailDigest,
    phone::PhoneDigest,
    provider::DeliveryStatus,
};

const NOW: Millis = 1_800_000_000_123;
const SEED: CodeSeed = CodeSeed::from_bytes([4; 8]);

fn address() -> SlotAddress {
    SlotAddress::from_bits(7)
}

/// As the scripts put it together.
fn record(flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut record = vec![FORMAT, flags, KEPT | 2];
    match flags & ELSEWHERE {
        0 => record.extend_from_slice(&(NOW + 60_000).to_be_bytes()[2..]),
        _ => record.extend_from_slice(&[2; 6]),
    }
    record.push(2);
    for pool in 0..3 {
        record.extend_from_slice(&[1, pool]);
        record.extend_from_slice(&(NOW - 5).to_be_bytes()[2..]);
        record.extend_from_slice(&[0, 7]);
        record.extend_from_slice(&(NOW - 9).to_be_bytes()[2..]);
    }
    if flags & CHALLENGE != 0 {
        record.extend_from_slice(&[9; 16]);
        record.extend_from_slice(&[8; 16]);
        record.extend_from_slice(&NOW.to_be_bytes()[2..]);
        record.extend_from_slice(&600_000_u32.to_be_bytes()[1..]);
        record.extend_from_slice(&[
            status::byte(DeliveryStatus::Delivered),
            Purpose::VerifyEmail.byte(),
        ]);
        record.extend_from_slice(rest);
    }
    record
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let mut rest = b"\x06twilio".to_vec();
    rest.extend_from_slice(&[1; 16]);
    rest.extend_from_slice(&[3; 16]);
    rest.extend_from_slice(&[4; 8]);
    rest.extend_from_slice(b"GB\x05pt-brAbCd");
    let flags = CHALLENGE | USED | MESSAGE | ELSEWHERE | USERS | SUBJECT | ADDRESSEE | EMAIL;
    let slot = decode(&record(flags, &rest), address()).unwrap();
    for (pool, failures) in [(Pool::Own, 256), (Pool::WithId, 257), (Pool::Claimants, 258)] {
        let tally = Tally {
            failures,
            last: NOW - 5,
            in_day: 7,
            began: NOW - 9,
        };
        assert_eq!(*slot.pools.of(pool), tally);
    }
    assert_eq!(slot.cooldown_ends, 0);
    let challenge = slot.challenge.unwrap();
    assert!(challenge.used && challenge.attempts == 2 && challenge.expires() == NOW + 600_000);
    assert!(challenge.is_users && challenge.purpose == Purpose::VerifyEmail);
    assert_eq!(challenge.status, DeliveryStatus::Delivered);
    assert_eq!(challenge.avoid.as_deref(), Some("twilio"));
    assert_eq!(challenge.subject, Some(Uuid::from_bytes([1; 16])));
    assert_eq!(
        challenge.cooldown_at.unwrap().local(),
        [2; SlotAddress::LOCAL_BYTES]
    );
    assert_eq!(challenge.shadowed.as_str(), "AbCd");
    let message = challenge.message.unwrap();
    assert_eq!(message.user_id, Some(Uuid::from_bytes([3; 16])));
    assert_eq!(message.sealed, None);
    assert_eq!((challenge.channel, message.seed), (Channel::Email, SEED));
    assert_eq!(
        (message.country.as_str(), message.language.as_str()),
        ("GB", "pt-br")
    );
}

#[test]
fn a_cooldown_may_stand_alone() {
    let slot = decode(&record(0, b""), address()).unwrap();
    assert_eq!((slot.challenge, slot.cooldown_ends), (None, NOW + 60_000));
}

/// The sizes at which jemalloc takes 96 bytes, with the four that Redis adds. Wrong codes are 48 more.
#[test]
fn the_usual_record_has_at_most_92_bytes() {
    let user = Uuid::from_u128(7);
    let phone = (Purpose::VerifyPhone, PhoneDigest::from_bytes([7; 16]).into());
    let email = (Purpose::VerifyEmail, EmailDigest::from_bytes([7; 16]).into());
    let reset = (Purpose::ResetPassword, EmailDigest::from_bytes([7; 16]).into());
    for ((purpose, destination), whose) in [
        (phone, Whose::Public),
        (phone, Whose::User(user)),
        (email, Whose::Public),
        (email, Whose::User(user)),
        (reset, Whose::Candidate(1)),
    ] {
        let slot = Slot {
            purpose,
            destination,
            whose,
        };
        let issue = Issue {
            place: Place {
                slot,
                challenge_id: user,
                digest: CodeDigest::unmatchable([1; 16]),
            },
            others: &[],
            subject: Some(user),
            message: Some(IssuedMessage {
                user_id: Some(user),
                seed: SEED,
                country: Country::UNKNOWN,
                language: &Language::default(),
                sealed: None,
                has_worked: false,
                lease: Duration::ZERO,
            }),
            attached: &[],
            shadowed: &Shadowed::default(),
        };
        let tail = encode_tail(&issue, Duration::from_secs(600));
        let mut record = record(flags(&issue), &tail[5..]);
        record[2] = 0;
        record.drain(10..58);
        assert!(record.len() <= 92, "{}", record.len());
        let challenge = decode(&record, address()).unwrap().challenge.unwrap();
        assert_eq!(challenge.channel, destination.channel());
        assert_eq!(challenge.is_users, whose == Whose::User(user));
        assert_eq!(
            challenge.cooldown_at.is_some(),
            matches!(whose, Whose::Candidate(_))
        );
        let message = challenge.message.unwrap();
        assert_eq!((message.user_id, message.seed), (Some(user), SEED));
    }
}

#[test]
fn a_message_to_an_address_without_an_account_has_it_sealed() {
    for bytes in [0, 16, SealedAddress::MAX_BYTES] {
        let sealed_address = SealedAddress::from_bytes(&vec![6; bytes]).unwrap();
        let mut rest = b"\x00seedseedZZ\x82en".to_vec();
        rest.extend_from_slice(&(bytes as u16).to_be_bytes());
        rest.extend_from_slice(sealed_address.as_bytes());
        rest.extend_from_slice(b"AbCd");
        let slot = decode(&record(CHALLENGE | MESSAGE | EMAIL, &rest), address()).unwrap();
        let challenge = slot.challenge.unwrap();
        assert_eq!(challenge.shadowed.as_str(), "AbCd");
        let message = challenge.message.unwrap();
        assert_eq!((message.user_id, message.language.as_str()), (None, "en"));
        assert_eq!(message.sealed.as_ref(), Some(&sealed_address));
    }
    let cut = record(CHALLENGE | MESSAGE, b"\x00seedseedZZ\x82en\x00\x05seal");
    assert_eq!(decode(&cut, address()), None);
    let long = [b"\x00seedseedZZ\x82en\xff\xff".as_slice(), &[1; 0xFFFF]].concat();
    assert_eq!(decode(&record(CHALLENGE | MESSAGE, &long), address()), None);
}

#[test]
fn what_was_cut_off_or_is_of_another_format_is_refused() {
    let mut whole = record(CHALLENGE, b"\x00");
    assert!(decode(&whole, address()).is_some());
    for length in 0..whole.len() {
        assert_eq!(decode(&whole[..length], address()), None, "{length}");
    }
    whole[0] = 2;
    assert_eq!(decode(&whole, address()), None);
    assert_eq!(decode(b"nothing of ours", address()), None);
}
