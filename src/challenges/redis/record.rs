//! How Redis keeps a slot: one string, packed. The scripts write it and read what they judge by (`slot.lua`); here it is
//! read whole, and what they pass on unread is written.
//!
//! Numbers have their highest byte first; times are milliseconds, since the Unix epoch unless said otherwise.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the format, 1: a record of another is refused, by the scripts too |
//! | 1 | flags: what it has |
//! | 1 | attempts spent, and 128 more if wrong codes are kept here |
//! | 6, 1 | where a cooldown is kept, that of the address or a user's own: when it ends, zero |
//! | 7 | elsewhere: the address of the slot that keeps it |
//! | 2, 6, 2, 6 | where they are kept, wrong codes of each of three pools: how many, when the last was, how many in the pool's day, when that began |
//! | | *the end, where there is no challenge* |
//! | 16, 16 | its id; the digest of its code |
//! | 6, 3 | when it was issued; how long its code lives |
//! | 1, 1 | how far its message has come; its purpose, and 128 more if a proof of work let the message go out |
//! | 1 + n | the provider to avoid |
//! | 16 | its subject, if it has one |
//! | 16 | of a message: to whose account it goes, where that isn't the subject; neither: there is no account yet |
//! | 8, 2, 1 + n | of a message: the seed of its code, the country, the language |
//! | 2 + n | of a message whose address no account has yet, which the highest bit before the language says: that address, sealed |
//! | n | tags of the shadow rules that would have refused it |
//!
//! With its key and its place in Redis's tables that is some 230 bytes; from 93 on Redis takes 16 more.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    challenges::{
        code::CodeDigest,
        millis::{Millis, millis},
        pools::{Pools, Tally},
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
    provider::DeliveryStatus,
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

/// Of the byte of the attempts: wrong codes are kept here.
const KEPT: u8 = 128;

/// Of the byte of the purpose: a proof of work let its message go out.
const WORKED: u8 = 128;

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

/// What follows the time of issue, up to the tags, of a challenge that names nobody to avoid.
pub fn encode_tail(issue: &Issue<'_>, ttl: Duration) -> Vec<u8> {
    let mut tail = Vec::with_capacity(48);
    let worked = issue.message.is_some_and(|message| message.has_worked);
    let purpose = issue.place.slot.purpose.byte() | if worked { WORKED } else { 0 };
    tail.extend_from_slice(&millis(ttl).to_be_bytes()[5..]);
    tail.extend_from_slice(&[status::byte(DeliveryStatus::Queued), purpose, 0]);
    if let Some(subject) = issue.subject {
        tail.extend_from_slice(subject.as_bytes());
    }
    if let Some(message) = &issue.message {
        if let Some(user_id) = message.user_id.filter(|_| message.user_id != issue.subject) {
            tail.extend_from_slice(user_id.as_bytes());
        }
        tail.extend_from_slice(message.seed.as_bytes());
        tail.extend_from_slice(message.country.as_str().as_bytes());
        let language = message.language.as_str().as_bytes(); // 16 at most
        let mark = if message.sealed.is_some() { SEALED } else { 0 };
        tail.push(language.len() as u8 | mark);
        tail.extend_from_slice(language);
        if let Some(sealed) = message.sealed {
            let sealed = sealed.as_bytes(); // 270 at most
            tail.extend_from_slice(&(sealed.len() as u16).to_be_bytes());
            tail.extend_from_slice(sealed);
        }
    }
    tail
}

/// Reads a record of the slot at `address`; `None` if it is none, or of another format.
pub fn decode(record: &[u8], address: SlotAddress) -> Option<SlotState> {
    let mut bytes = Bytes(record);
    if bytes.byte()? != FORMAT {
        return None;
    }
    let (flags, attempts) = (bytes.byte()?, bytes.byte()?);
    let has = |flag| flags & flag != 0;
    let mut slot = SlotState::default();
    let mut cooldown_at = None;
    if has(ELSEWHERE) {
        cooldown_at = Some(SlotAddress::from_local(address.partition(), bytes.array()?));
    } else {
        slot.cooldown_ends = bytes.number(6)?;
        bytes.byte()?;
    }
    if attempts & KEPT != 0 {
        slot.pools = bytes.pools()?;
    }
    if !has(CHALLENGE) {
        return Some(slot);
    }
    let (id, digest) = (bytes.uuid()?, CodeDigest::from_stored(bytes.array()?));
    let (issued, ttl) = (bytes.number(6)?, bytes.number(3)?);
    let (status, purpose) = (status::from_byte(bytes.byte()?)?, bytes.byte()?);
    let (purpose, has_worked) = (Purpose::from_byte(purpose & !WORKED)?, purpose & WORKED != 0);
    let avoid = bytes.text()?;
    let subject = if has(SUBJECT) { Some(bytes.uuid()?) } else { None };
    let message = match has(MESSAGE) {
        true => {
            let addressee = if has(ADDRESSEE) {
                Some(bytes.uuid()?)
            } else {
                subject
            };
            Some(bytes.message(addressee, has_worked)?)
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
        attempts: attempts & !KEPT,
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

    fn pools(&mut self) -> Option<Pools> {
        let mut tallies = [Tally::default(); Pools::COUNT];
        for tally in &mut tallies {
            *tally = Tally {
                failures: u32::try_from(self.number(2)?).ok()?,
                last: self.number(6)?,
                in_day: u32::try_from(self.number(2)?).ok()?,
                began: self.number(6)?,
            };
        }
        Some(Pools::from_stored(tallies))
    }

    fn message(&mut self, user_id: Option<Uuid>, has_worked: bool) -> Option<PendingMessage> {
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
            has_worked,
        })
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
