//! Countries and prefixes that no code goes to for a while, since an operator said so.

use chrono::{DateTime, SecondsFormat};
use thiserror::Error;

use super::{
    key::KeyDimension,
    names::{is_clear, push_prefix},
    subject::Subject,
};
use crate::{phone::Country, secrets::SecretKeys};

/// Digits of a prefix that can be paused: a block of numbers, and nobody's own.
const MAX_DIGITS: usize = 8;
/// Pauses at a time.
pub const MAX_PAUSES: usize = 1000;
/// The rule that a refusal names.
pub const PAUSED: &str = "paused";
/// What refusals of the service's own name as their rule: no rule of the limits file may be called so. The first two are of
/// the section `otp`.
pub const RESERVED_IDS: [&str; 3] = ["otp-resend-cooldown", "otp-max-failures", PAUSED];

/// What a pause is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Paused {
    Country(Country),
    /// The first digits of numbers.
    Prefix(String),
}

/// Why a text names nothing that can be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PausedError {
    #[error("not a country: two capital letters of ISO 3166-1 such as US, or ZZ for numbers of no country")]
    Country,
    #[error("not a prefix: 1 to {MAX_DIGITS} digits, the first not 0")]
    Prefix,
}

impl Paused {
    /// A country by its two letters.
    ///
    /// # Errors
    /// [`PausedError::Country`].
    pub fn country(text: &str) -> Result<Self, PausedError> {
        let country = Country::parse(text).filter(|country| country.is_known());
        country.map(Self::Country).ok_or(PausedError::Country)
    }

    /// The first digits of numbers in international form, with or without a plus.
    ///
    /// # Errors
    /// [`PausedError::Prefix`].
    pub fn prefix(text: &str) -> Result<Self, PausedError> {
        let digits = text.trim().trim_start_matches('+');
        let is_prefix = (1..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|character| character.is_ascii_digit())
            && !digits.starts_with('0');
        is_prefix
            .then(|| Self::Prefix(digits.to_owned()))
            .ok_or(PausedError::Prefix)
    }

    /// Its name where it is kept: two letters, or digits.
    pub fn name(&self) -> &str {
        match self {
            Self::Country(country) => country.as_str(),
            Self::Prefix(digits) => digits,
        }
    }

    /// Its name where no long prefix may stand, such as a log; none of a prefix that is too long for it.
    pub fn clear_name(&self) -> Option<&str> {
        match self {
            Self::Prefix(digits) if !is_clear(digits.len()) => None,
            short => Some(short.name()),
        }
    }

    /// The same, with a keyed digest for a long prefix, as counters have it.
    pub fn name_in_logs(&self, keys: &SecretKeys) -> String {
        match self {
            Self::Country(country) => country.to_string(),
            Self::Prefix(prefix) => {
                let mut name = String::new();
                let digits = u8::try_from(prefix.len()).unwrap_or(u8::MAX);
                push_prefix(&mut name, prefix, digits, &keys.phone);
                name
            }
        }
    }

    /// Takes back what [`Paused::name`] gave.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::country(name).or_else(|_| Self::prefix(name)).ok()
    }

    /// What it is about, as rules name it.
    pub(super) fn by(&self) -> KeyDimension {
        match self {
            Self::Country(_) => KeyDimension::Country,
            Self::Prefix(digits) => KeyDimension::Prefix(u8::try_from(digits.len()).unwrap_or(u8::MAX)),
        }
    }

    fn has(&self, subject: &Subject) -> bool {
        match self {
            Self::Country(country) => subject.country() == Some(*country),
            Self::Prefix(digits) => subject.phone_begins_with(digits),
        }
    }
}

/// A pause; it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub what: Paused,
    /// In milliseconds since the Unix epoch.
    pub until_ms: i64,
}

impl Pause {
    /// Its end in UTC (RFC 3339).
    pub fn until_text(&self) -> String {
        let until = DateTime::from_timestamp_millis(self.until_ms).unwrap_or_default();
        until.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

/// The pause that a request falls under; of several the one that lasts longest.
pub(super) fn longest_pause<'a>(pauses: &'a [Pause], subject: &Subject, now_ms: i64) -> Option<&'a Pause> {
    let lasting = pauses
        .iter()
        .filter(|pause| pause.until_ms > now_ms && pause.what.has(subject));
    lasting.max_by_key(|pause| pause.until_ms)
}
