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
//! | 6, 1 | where a cooldown is kept, that of the address or a user's own: when it ends, zero |
//! | 7 | elsewhere: the address of the slot that keeps it |
//! | | *the end, where there is no challenge* |
//! | 16, 16 | its id; the digest of its code |
//! | 6, 3 | when it was issued; how long its code lives |
//! | 1, 1 | how far its message has come; its purpose |
//! | 1 + n | the provider to avoid |
//! | 16 | its subject, if it has one |
//! | 16 | of a message: to whose account it goes, where that isn't the subject; neither: there is no account yet |
//! | 8, 2, 1 + n | of a message: the seed of its code, the country, the language |
//! | 2 + n | of a message whose address no account has yet, which the highest bit before the language says: that address, sealed |
//! | n | tags of the shadow rules that would have refused it |
//!
//! With its key and its place in Redis's tables that is some 230 bytes; from 93 on Redis takes 16 more.

use uuid::Uuid;

use crate::{
    challenges::{
        code::CodeDigest,
        millis::Millis,
        purpose::Purpose,
        slot::Whose,
        state::{Challenge, PendingMessage, SlotState},
        status,
        store::Issue,
    },
    channel::Channel,
    delivery::CodeSeed,
    language::Language,
    limits::Shadowed,
    partition::SlotAddress,
    phone::Country,
    sealed::SealedAddress,
};

/// Of every record.
const FORMAT: u8 = 1;

/// Flags. The first five are the scripts' as well (`slot.lua`).
const CHALLENGE: u8 = 1;
const USED: u8 = 2;
const MESSAGE: u8 = 4;
const ELSEWHERE: u8 = 8;
const USERS: u8 = 16;
const SUBJECT: u8 = 32;
const ADDRESSEE: u8 = 64;
const EMAIL: u8 = 128;

/// Of the byte before the language: a sealed address follows it.
const SEALED: u8 = 128;

/// The flags of a new challenge.
pub fn flags(issue: &Issue<'_>) -> u8 {
    let (addressee, slot) = (
        issue.message.and_then(|message| message.user_id),
        issue.place.slot,
    );
    let all = [
        (CHALLENGE, true),
        (MESSAGE, issue.message.is_some()),
        (ELSEWHERE, slot != slot.cooldown_slot()),
        (USERS, matches!(slot.whose, Whose::User(_))),
        (SUBJECT, issue.subject.is_some()),
        (ADDRESSEE, addressee.is_some() && addressee != issue.subject),
        (EMAIL, slot.destination.channel() == Channel::Email),
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
    if let Some(message) = &issue.message {
        if let Some(user_id) = message.user_id.filter(|_| message.user_id != issue.subject) {
            rest.extend_from_slice(user_id.as_bytes());
        }
        rest.extend_from_slice(message.seed.as_bytes());
        rest.extend_from_slice(message.country.as_str().as_bytes());
        let language = message.language.as_str().as_bytes(); // 16 at most
        let mark = if message.sealed.is_some() { SEALED } else { 0 };
        rest.push(language.len() as u8 | mark);
        rest.extend_from_slice(language);
        if let Some(sealed) = message.sealed {
            let sealed = sealed.as_bytes(); // 270 at most
            rest.extend_from_slice(&(sealed.len() as u16).to_be_bytes());
            rest.extend_from_slice(sealed);
        }
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
    let mut cooldown_at = None;
    if has(ELSEWHERE) {
        cooldown_at = Some(SlotAddress::from_local(address.partition(), bytes.array()?));
    } else {
        slot.cooldown_ends = bytes.number(6)?;
        bytes.byte()?;
    }
    if !has(CHALLENGE) {
        return Some(slot);
    }
    let (id, digest) = (bytes.uuid()?, CodeDigest::from_stored(bytes.array()?));
    let (issued, ttl) = (bytes.number(6)?, bytes.number(3)?);
    let (status, purpose) = (
        status::from_byte(bytes.byte()?)?,
        Purpose::from_byte(bytes.byte()?)?,
    );
    let avoid = bytes.text()?;
    let subject = if has(SUBJECT) { Some(bytes.uuid()?) } else { None };
    let message = match has(MESSAGE) {
        true => {
            let addressee = if has(ADDRESSEE) {
                Some(bytes.uuid()?)
            } else {
                subject
            };
            Some(bytes.message(addressee)?)
        }
        false => None,
    };
    slot.challenge = Some(Challenge {
        id,
        purpose,
        channel: if has(EMAIL) { Channel::Email } else { Channel::Sms },
        digest,
        subject,
        issued,
        ttl,
        attempts,
        used: has(USED),
        is_users: has(USERS),
        status,
        message,
        avoid: Some(avoid.to_owned()).filter(|name| !name.is_empty()),
        cooldown_at,
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

    fn message(&mut self, user_id: Option<Uuid>) -> Option<PendingMessage> {
        let seed = CodeSeed::from_bytes(self.array()?);
        let country = Country::parse(std::str::from_utf8(self.take(2)?).ok()?)?;
        let length = self.byte()?;
        let language = self.take(usize::from(length & !SEALED))?;
        let sealed = match length & SEALED {
            0 => None,
            _ => {
                let bytes = usize::from(u16::from_be_bytes(self.array()?));
                Some(SealedAddress::from_bytes(self.take(bytes)?)?)
            }
        };
        Some(PendingMessage {
            user_id,
            seed,
            country,
            language: Language::parse(std::str::from_utf8(language).ok()?)?,
            sealed,
        })
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
    use crate::{
        challenges::{IssuedMessage, Place, Slot},
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
        let mut record = vec![FORMAT, flags, 2, 1, 4];
        record.extend_from_slice(&(NOW - 5).to_be_bytes()[2..]);
        match flags & ELSEWHERE {
            0 => record.extend_from_slice(&(NOW + 60_000).to_be_bytes()[2..]),
            _ => record.extend_from_slice(&[2; 6]),
        }
        record.push(2);
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
        assert_eq!((slot.failures, slot.last_failure), (260, NOW - 5));
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

    /// The sizes at which jemalloc takes 96 bytes, with the four that Redis adds.
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
                    lease: Duration::ZERO,
                }),
                attached: &[],
                shadowed: &Shadowed::default(),
            };
            let rest = [&[0][..], &encode_rest(&issue)].concat();
            let record = record(flags(&issue), &rest);
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
}
