//! What a phone number is, in one spelling, and how it is kept out of sight.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL};
use thiserror::Error;

use crate::secrets::MacKey;

/// ITU-T E.164: at most 15 digits, country code included.
const MAX_DIGITS: usize = 15;
/// The shortest international numbers in use have 7 digits (Saint Helena, Niue: +290 xxxx).
const MIN_DIGITS: usize = 7;
/// No spelling of 15 digits needs more; what is longer is not read.
const MAX_INPUT_CHARS: usize = 40;

/// How closely a number is looked at (`phone.check`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneCheck {
    /// The shape alone: `+`, then 7 to 15 digits that don't begin with 0.
    E164,
    /// The length fits the country (libphonenumber's `isPossibleNumber`).
    Possible,
    /// The number lies in a range that the country has assigned (libphonenumber's `isValidNumber`).
    Valid,
}

/// Why a text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PhoneError {
    #[error(
        "Enter the number in international form: + and the country code first, for example +14152000001."
    )]
    NoCountryCode,
    #[error("A phone number has digits, spaces, and the signs ( ) - . / only.")]
    ForeignCharacter,
    #[error("A phone number has 7 to 15 digits, country code included.")]
    Length,
    #[error("Leave out the (0): it is not dialled after a country code.")]
    TrunkPrefix,
    #[error("No number like this exists in its country.")]
    Implausible,
}

/// A phone number in E.164. There is one value for each number, however it was typed.
///
/// `Debug` and logs show no more than its length; [`PhoneNumber::expose`] is for the users' table and the SMS call.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as people write it: separators dropped, full-width, Arabic-Indic and Devanagari digits folded.
    ///
    /// # Errors
    /// A [`PhoneError`] that can be shown to whoever typed it.
    pub fn parse(text: &str, check: PhoneCheck) -> Result<Self, PhoneError> {
        let number = Self(to_e164(text)?);
        let plausible = match check {
            PhoneCheck::E164 => true,
            PhoneCheck::Possible => number.parsed().is_some_and(|parsed| {
                parsed
                    .is_possible_with_reason()
                    .is_ok_and(|length| length == NumberLengthType::IsPossible)
            }),
            PhoneCheck::Valid => number.parsed().is_some_and(|parsed| parsed.is_valid()),
        };
        if plausible {
            Ok(number)
        } else {
            Err(PhoneError::Implausible)
        }
    }

    /// Takes back a number that this service stored itself.
    pub fn from_stored(e164: String) -> Self {
        Self(e164)
    }

    /// The number in clear, as `+14152000001`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The country that the number belongs to.
    pub fn country(&self) -> Country {
        self.parsed()
            .and_then(|parsed| parsed.get_region_code())
            .and_then(|region| Country::parse(region.as_region_str().as_ref()))
            .unwrap_or(Country::UNKNOWN)
    }

    /// The first `digits` digits: numbers of one block, as SMS pumpers walk through them.
    pub fn prefix(&self, digits: usize) -> &str {
        let digits_only = &self.0[1..];
        &digits_only[..digits.min(digits_only.len())]
    }

    fn parsed(&self) -> Option<rlibphonenumber::PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(&self.0, None).ok()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber(•••, {} digits)", self.0.len() - 1)
    }
}

/// A country by its two letters of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Of numbers that the metadata knows no country for (`ZZ`, which ISO 3166-1 leaves to its users): made-up ones, and
    /// those of no country, such as satellite phones.
    pub const UNKNOWN: Self = Self(*b"ZZ");

    /// Takes two upper-case letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }

    /// Whether there are numbers of it.
    pub fn is_known(self) -> bool {
        let mut regions = PHONE_NUMBER_UTIL.get_supported_regions();
        self == Self::UNKNOWN || regions.any(|region| region.as_region_str().as_ref() == self.as_str())
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A keyed digest of a number: what Redis keys and limiters hold in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PhoneDigest([u8; 16]);

impl PhoneDigest {
    /// The digest under the key that one secret gives.
    pub fn of(phone: &PhoneNumber, key: &MacKey) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&key.tag(&[phone.0.as_bytes()])[..16]);
        Self(digest)
    }

    /// Takes back a digest from its text form.
    pub fn decode(text: &str) -> Option<Self> {
        Some(Self(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// Its text form: 22 characters of base64url.
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Adds its text form.
    pub fn encode_to(&self, text: &mut String) {
        BASE64_URL_SAFE_NO_PAD.encode_string(self.0, text);
    }

    /// Takes back a digest from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Which of `partitions` shares it belongs to.
    pub fn partition(&self, partitions: u8) -> u8 {
        self.0[0] % partitions
    }
}

fn to_e164(text: &str) -> Result<String, PhoneError> {
    let text = text.trim_matches(|sign: char| sign.is_whitespace() || is_direction_mark(sign));
    if text.chars().count() > MAX_INPUT_CHARS {
        return Err(PhoneError::Length);
    }
    let rest = text
        .strip_prefix(['+', '\u{FF0B}'])
        .ok_or(PhoneError::NoCountryCode)?;
    let folded = rest
        .chars()
        .filter(|&sign| matches!(sign, '(' | ')') || !is_separator(sign));
    let folded: String = folded.map(|sign| digit(sign).unwrap_or(sign)).collect();
    if folded.contains("(0)") {
        return Err(PhoneError::TrunkPrefix);
    }
    let mut e164 = String::with_capacity(MAX_DIGITS + 1);
    e164.push('+');
    for sign in rest.chars() {
        match digit(sign) {
            Some(digit) => e164.push(digit),
            None if is_separator(sign) => {}
            None => return Err(PhoneError::ForeignCharacter),
        }
    }
    match e164.len() - 1 {
        MIN_DIGITS..=MAX_DIGITS if e164.as_bytes()[1] != b'0' => Ok(e164),
        MIN_DIGITS..=MAX_DIGITS => Err(PhoneError::NoCountryCode),
        _ => Err(PhoneError::Length),
    }
}

/// Digits of the scripts that phones and keyboards produce, as ASCII.
fn digit(sign: char) -> Option<char> {
    const ZEROS: [char; 5] = ['0', '\u{FF10}', '\u{0660}', '\u{06F0}', '\u{0966}'];
    ZEROS.iter().find_map(|&zero| {
        let offset = u32::from(sign).checked_sub(u32::from(zero))?;
        char::from_digit(offset, 10)
    })
}

/// Signs that people put between digits, the dashes and spaces of typography among them.
fn is_separator(sign: char) -> bool {
    const TYPOGRAPHY: [char; 6] = [
        '\u{00A0}', '\u{202F}', '\u{2212}', '\u{3000}', '\u{FF0D}', '\u{2009}',
    ];
    matches!(sign, ' ' | '(' | ')' | '-' | '.' | '/' | '\u{2010}'..='\u{2015}')
        || TYPOGRAPHY.contains(&sign)
        || is_direction_mark(sign)
}

/// Invisible marks that address books put around a number so that it reads from the left.
fn is_direction_mark(sign: char) -> bool {
    matches!(sign, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(text: &str) -> Result<String, PhoneError> {
        PhoneNumber::parse(text, PhoneCheck::E164).map(|phone| phone.expose().to_owned())
    }

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for spelling in [
            "+14152000001",
            "+1 (415) 200-0001",
            "+1.415.200.0001",
            "  +1 415 200 0001 ",
            "＋１４１５２０００００１",
            "+١٤١٥٢٠٠٠٠٠١",
            "+۱۴۱۵۲۰۰۰۰۰۱",
            "+१४१५२०००००१",
            "\u{202A}+1 415 200 0001\u{202C}",
            "+1\u{2011}415\u{00A0}200/0001",
        ] {
            assert_eq!(e164(spelling).as_deref(), Ok("+14152000001"), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", PhoneError::NoCountryCode),
            ("4152000001", PhoneError::NoCountryCode),
            ("004152000001", PhoneError::NoCountryCode),
            ("+0415200000", PhoneError::NoCountryCode),
            ("+44 (0)20 7946 0958", PhoneError::TrunkPrefix),
            ("+44 ( 0 ) 20 7946 0958", PhoneError::TrunkPrefix),
            ("+44 (０)20 7946 0958", PhoneError::TrunkPrefix),
            ("+1415200000x", PhoneError::ForeignCharacter),
            ("+1+4152000001", PhoneError::ForeignCharacter),
            ("+1415२0000\u{0}1", PhoneError::ForeignCharacter),
            ("+123456", PhoneError::Length),
            ("+1234567890123456", PhoneError::Length),
        ] {
            assert_eq!(e164(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn checks_grow_stricter() {
        let allowed = |text| {
            [PhoneCheck::E164, PhoneCheck::Possible, PhoneCheck::Valid]
                .map(|check| PhoneNumber::parse(text, check).is_ok())
        };
        assert_eq!(allowed("+14152000001"), [true, true, true]);
        assert_eq!(allowed("+12005550123"), [true, true, false], "no such area code");
        assert_eq!(
            allowed("+1234567890"),
            [true, false, false],
            "one digit short for its country"
        );
    }

    #[test]
    fn country_and_prefix_name_where_a_number_lies() {
        let phone = PhoneNumber::parse("+442079460958", PhoneCheck::E164).unwrap();
        assert_eq!(phone.country().as_str(), "GB");
        assert_eq!(phone.prefix(6), "442079");
        assert_eq!(
            PhoneNumber::parse("+1234567890", PhoneCheck::E164)
                .unwrap()
                .country(),
            Country::UNKNOWN
        );
    }

    #[test]
    fn debug_shows_no_digit_of_it() {
        let shown = format!(
            "{:?}",
            PhoneNumber::parse("+14152000009", PhoneCheck::E164).unwrap()
        );
        assert!(!shown.contains("415") && !shown.contains('9'), "{shown}");
    }
}
