//! What goes to the scripts and comes back: packed, since numbers by themselves are slow to write and to read.

use uuid::Uuid;

use crate::{
    challenges::{
        millis::{Millis, millis},
        store::OtpRules,
    },
    limits::{self, Counter, read_verdicts},
    unavailable::{Part, Unavailable},
};

/// What a script is told in one argument: numbers with their highest byte first, and bytes as they are.
pub struct Packed(pub Vec<u8>);

impl Packed {
    /// What most calls take.
    const USUAL: usize = 192;

    /// Begins with the offset of the store's clock.
    pub fn at(offset: Millis) -> Self {
        let mut bytes = Vec::with_capacity(Self::USUAL);
        bytes.extend_from_slice(&offset.to_be_bytes());
        Self(bytes)
    }

    /// Adds a number in so many bytes; the nearest that has room there.
    #[must_use]
    pub fn number(mut self, number: Millis, bytes: usize) -> Self {
        let number = number.clamp(0, (1 << (8 * bytes)) - 1).to_be_bytes();
        self.0.extend_from_slice(&number[number.len() - bytes..]);
        self
    }

    /// Adds how many wrong codes there may be.
    #[must_use]
    pub fn most(self, rules: &OtpRules) -> Self {
        self.number(rules.max_failures.into(), 4)
            .number(millis(rules.failure_window), 4)
            .number(rules.max_failures_in_day.into(), 4)
    }

    /// Leaves room for the place of what is added later, and says where that room is.
    pub fn room_for_place(self) -> (Self, usize) {
        let at = self.0.len();
        (self.bytes(&[0; 2]), at)
    }

    /// Writes the place of what is added next into such room, as Lua counts, from 1.
    #[must_use]
    pub fn place_here(mut self, room: usize) -> Self {
        let place = self.0.len() as u16 + 1; // some hundred
        self.0[room..room + 2].copy_from_slice(&place.to_be_bytes());
        self
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What `issue.lua` and `judge.lua` answer.
pub struct Answer<'a> {
    pub letter: u8,
    pub number: Millis,
    pub attached: Vec<limits::Verdict>,
    pub rest: &'a [u8],
}

impl<'a> Answer<'a> {
    /// `attached` are the counters that were asked.
    pub fn read(answer: &'a [u8], attached: &[Counter]) -> Result<Self, Unavailable> {
        let (&letter, answer) = answer.split_first().ok_or_else(unknown_answer)?;
        let (number, answer) = answer.split_at_checked(6).ok_or_else(unknown_answer)?;
        let number = number
            .iter()
            .fold(0, |number, &byte| number << 8 | Millis::from(byte));
        let (attached, rest) = read_verdicts(answer, attached).ok_or_else(unknown_answer)?;
        Ok(Self {
            letter,
            number,
            attached,
            rest,
        })
    }
}

/// Of the letter of an answer by `issue.lua`, or the digit in its stead: which of several places was written, if any was.
pub fn place_of(letter: u8) -> Option<usize> {
    match letter {
        b'w' => Some(0),
        b'1'..=b'9' => Some((letter - b'1').into()),
        _ => None,
    }
}

/// Bytes for each challenge that was charged: its id, its attempts.
pub const CHARGED: usize = 17;

pub fn decode_charged(charged: &[u8]) -> Option<(Uuid, u8)> {
    let (id, rest) = charged.split_first_chunk()?;
    Some((Uuid::from_bytes(*id), *rest.first()?))
}

/// The error of an answer that cannot be read.
pub fn unknown_answer() -> Unavailable {
    Unavailable::new(Part::Redis, "an answer that no script of ours gives")
}
