//! How Redis keeps a slot: one string, packed. The scripts write it and read what they judge by (`slot.lua`); here it is
//! read whole, and what they pass on unread is written.
//!
//! Numbers have their highest byte first; times are milliseconds, since the Unix epoch unless said otherwise.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the format, 1: a record of another is refused, by the scripts too |
//! | 1 | flags: what it has |
//! | 1 | attempts spent |
//! | 2, 6 | failures; when the last was |
//! | 6, 3 | of a phone's public slot: when the phone's cooldown ends, and how much earlier since a decoy seems to fail |
//! | 7, 2 | of a user's slot: the address of the phone's public one, zeros |
//! | | *the end, where there is no challenge* |
//! | 16, 16 | its id; the digest of its code |
//! | 6, 3 | when it was issued; how long its code lives |
//! | 7 | its course ([`Course`]) |
//! | 1 + n | the provider to avoid |
//! | 16 | its subject, if it has one |
//! | 16 | whose SMS it is, where that isn't the subject |
//! | 2, 1 + n | of an SMS: the country, the language |
//! | n | tags of the shadow rules that would have refused it |
//!
//! With its key and its place in Redis's tables that is some 230 bytes; from 93 on Redis takes 16 more.

use uuid::Uuid;

use crate::{
    challenges::{
        code::CodeDigest,
        slot::Slot,
        state::{Challenge, Cooldown, SlotState, Sms},
        status::Course,
        store::{Issue, Millis},
    },
    language::Language,
    limits::Shadowed,
    partition::SlotAddress,
    phone::Country,
};

/// Of every record.
const FORMAT: u8 = 1;

/// Flags. The first four are the scripts' as well (`slot.lua`).
const CHALLENGE: u8 = 1;
const USED: u8 = 2;
const SMS: u8 = 4;
const USERS: u8 = 8;
const SUBJECT: u8 = 16;
const ADDRESSEE: u8 = 32;

/// The flags of a new challenge.
pub fn flags(issue: &Issue<'_>) -> u8 {
    let addressee = issue.deliver.map(|delivery| delivery.user_id);
    let all = [
        (CHALLENGE, true),
        (SMS, addressee.is_some()),
        (USERS, issue.slot != Slot::Public),
        (SUBJECT, issue.subject.is_some()),
        (ADDRESSEE, addressee.is_some() && addressee != issue.subject),
    ];
    all.into_iter()
        .filter(|(_, has)| *has)
        .fold(0, |flags, (flag, _)| flags | flag)
}

/// What follows the provider to avoid, up to the tags.
pub fn encode_rest(issue: &Issue<'_>) -> Vec<u8> {
    let mut rest = Vec::with_capacity(40);
    if let Some(subject) = issue.subject {
        rest.extend_from_slice(subject.as_bytes());
    }
    if let Some(delivery) = &issue.deliver {
        if issue.subject != Some(delivery.user_id) {
            rest.extend_from_slice(delivery.user_id.as_bytes());
        }
        rest.extend_from_slice(delivery.country.as_str().as_bytes());
        let language = delivery.language.as_str().as_bytes(); // 16 at most
        rest.push(language.len() as u8);
        rest.extend_from_slice(language);
    }
    rest
}

/// Reads a record of the slot at `address`; `None` if it is none, or of another format.
pub fn decode(record: &[u8], address: SlotAddress) -> Option<SlotState> {
    let mut bytes = Bytes(record);
    if bytes.byte()? != FORMAT {
        return None;
    }
    let (flags, attempts) = (bytes.byte()?, bytes.byte()?);
    let has = |flag| flags & flag != 0;
    let mut slot = SlotState {
        failures: u32::try_from(bytes.number(2)?).ok()?,
        last_failure: bytes.number(6)?,
        ..SlotState::default()
    };
    let mut public = None;
    if has(USERS) {
        public = Some(SlotAddress::from_local(address.partition(), bytes.array()?));
        bytes.take(2)?;
    } else {
        let (ends, early) = (bytes.number(6)?, bytes.number(3)?);
        let fails_at = (early > 0).then_some(ends - early);
        slot.cooldown = Cooldown { ends, fails_at };
    }
    if !has(CHALLENGE) {
        return Some(slot);
    }
    let (id, digest) = (bytes.uuid()?, CodeDigest::from_stored(bytes.array()?));
    let (issued, ttl) = (bytes.number(6)?, bytes.number(3)?);
    let (course, avoid) = (Course::decode(&bytes.array()?)?, bytes.text()?);
    let subject = if has(SUBJECT) { Some(bytes.uuid()?) } else { None };
    let sms = match has(SMS) {
        true => Some(Sms {
            user_id: if has(ADDRESSEE) { bytes.uuid()? } else { subject? },
            country: Country::parse(std::str::from_utf8(bytes.take(2)?).ok()?)?,
            language: Language::parse(bytes.text()?)?,
        }),
        false => None,
    };
    slot.challenge = Some(Challenge {
        id,
        digest,
        subject,
        issued,
        ttl,
        attempts,
        used: has(USED),
        course,
        sms,
        avoid: Some(avoid.to_owned()).filter(|name| !name.is_empty()),
        public,
        shadowed: Shadowed::from_stored(std::str::from_utf8(bytes.0).ok()?.to_owned()),
    });
    Some(slot)
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self, bytes: usize) -> Option<Millis> {
        let bytes = self.take(bytes)?.iter();
        Some(bytes.fold(0, |number, &byte| number << 8 | Millis::from(byte)))
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{challenges::store::Delivery, phone::PhoneDigest};

    const NOW: Millis = 1_800_000_000_123;

    fn address() -> SlotAddress {
        SlotAddress::from_bits(7)
    }

    /// As the scripts put it together.
    fn record(flags: u8, rest: &[u8]) -> Vec<u8> {
        let mut record = vec![FORMAT, flags, 2, 1, 4];
        record.extend_from_slice(&(NOW - 5).to_be_bytes()[2..]);
        match flags & USERS {
            0 => record.extend_from_slice(&(NOW + 60_000).to_be_bytes()[2..]),
            _ => record.extend_from_slice(&[2; 6]),
        }
        record.extend_from_slice(&[2, 0, 0]);
        if flags & CHALLENGE != 0 {
            record.extend_from_slice(&[9; 16]);
            record.extend_from_slice(&[8; 16]);
            record.extend_from_slice(&NOW.to_be_bytes()[2..]);
            record.extend_from_slice(&600_000_u32.to_be_bytes()[1..]);
            record.extend_from_slice(&Course::DELIVERED.encode());
            record.extend_from_slice(rest);
        }
        record
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut rest = b"\x06twilio".to_vec();
        rest.extend_from_slice(&[1; 16]);
        rest.extend_from_slice(&[3; 16]);
        rest.extend_from_slice(b"GB\x05pt-brAbCd");
        let flags = CHALLENGE | USED | SMS | USERS | SUBJECT | ADDRESSEE;
        let slot = decode(&record(flags, &rest), address()).unwrap();
        assert_eq!((slot.failures, slot.last_failure), (260, NOW - 5));
        assert_eq!(slot.cooldown, Cooldown::default());
        let challenge = slot.challenge.unwrap();
        assert!(challenge.used && challenge.attempts == 2 && challenge.expires() == NOW + 600_000);
        assert_eq!(challenge.course, Course::DELIVERED);
        assert_eq!(challenge.avoid.as_deref(), Some("twilio"));
        assert_eq!(challenge.subject, Some(Uuid::from_bytes([1; 16])));
        assert_eq!(challenge.public.unwrap().local(), [2; SlotAddress::LOCAL_BYTES]);
        assert_eq!(challenge.shadowed.as_str(), "AbCd");
        let sms = challenge.sms.unwrap();
        assert_eq!(sms.user_id, Uuid::from_bytes([3; 16]));
        assert_eq!((sms.country.as_str(), sms.language.as_str()), ("GB", "pt-br"));
    }

    #[test]
    fn a_cooldown_may_stand_alone_and_end_early() {
        let slot = decode(&record(0, b""), address()).unwrap();
        assert_eq!(slot.challenge, None);
        let early = NOW + 60_000 - 0x02_0000;
        assert_eq!(slot.cooldown.fails_at, Some(early));
        assert_eq!(
            [early - 1, early].map(|now| slot.cooldown.wait(now)),
            [0x02_0001, 0]
        );
    }

    /// The sizes at which jemalloc takes 96 bytes, with the four that Redis adds.
    #[test]
    fn the_usual_record_has_at_most_92_bytes() {
        let user = Uuid::from_u128(7);
        for slot in [Slot::Public, Slot::User(user)] {
            let issue = Issue {
                phone: PhoneDigest::from_bytes([7; 16]),
                slot,
                challenge_id: user,
                digest: CodeDigest::unmatchable([1; 16]),
                subject: Some(user),
                deliver: Some(Delivery {
                    user_id: user,
                    country: Country::UNKNOWN,
                    language: &Language::default(),
                    lease: Duration::ZERO,
                }),
                course: Course::default(),
                riders: &[],
                shadowed: &Shadowed::default(),
            };
            let rest = [&[0][..], &encode_rest(&issue)].concat();
            let record = record(flags(&issue), &rest);
            assert!(record.len() <= 92, "{}", record.len());
            let challenge = decode(&record, address()).unwrap().challenge.unwrap();
            assert_eq!(challenge.sms.unwrap().user_id, user);
            assert_eq!(challenge.public.is_some(), slot != Slot::Public);
        }
    }

    #[test]
    fn what_was_cut_off_or_is_of_another_format_is_refused() {
        let nobodys = record(CHALLENGE | SMS, b"\x00GB\x02en");
        assert_eq!(decode(&nobodys, address()), None);
        let mut whole = record(CHALLENGE, b"\x00");
        assert!(decode(&whole, address()).is_some());
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length], address()), None, "{length}");
        }
        whole[0] = 2;
        assert_eq!(decode(&whole, address()), None);
        assert_eq!(decode(b"nothing of ours", address()), None);
    }
}
