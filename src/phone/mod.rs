//! What a phone number is, in one spelling, and how it is kept out of sight.

mod country;
mod territories;

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};
use thiserror::Error;

use crate::secrets::MacKey;

pub use country::Country;

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
#[derive(Clone)]
pub struct PhoneNumber {
    e164: String,
    /// Where it was found by the way.
    country: Option<Country>,
}

impl PhoneNumber {
    /// Reads a number as people write it: separators dropped, full-width, Arabic-Indic and Devanagari digits folded. Where
    /// the country is known to the check, what is dialled within it alone, such as a trunk prefix, is dropped too.
    ///
    /// # Errors
    /// A [`PhoneError`] that can be shown to whoever typed it.
    pub fn parse(text: &str, check: PhoneCheck) -> Result<Self, PhoneError> {
        let number = Self::from_stored(to_e164(text)?);
        let plausible = match check {
            PhoneCheck::E164 => Some(number),
            PhoneCheck::Possible => number.possible(),
            PhoneCheck::Valid => number.assigned(),
        };
        plausible.ok_or(PhoneError::Implausible)
    }

    /// Takes back a number that this service stored itself.
    pub fn from_stored(e164: String) -> Self {
        Self { e164, country: None }
    }

    /// The number that libphonenumber has read.
    fn of(number: &rlibphonenumber::PhoneNumber) -> Self {
        Self::from_stored(number.format_as(PhoneNumberFormat::E164).into_owned())
    }

    /// The number in clear, as `+14152000001`.
    pub fn expose(&self) -> &str {
        &self.e164
    }

    /// The country that the number belongs to. To find it takes a microsecond or two, unless `parse` did already.
    pub fn country(&self) -> Country {
        self.country.unwrap_or_else(|| {
            let written = self.as_written().and_then(|number| number.get_region_code());
            let region = written.or_else(|| self.as_dialled()?.get_region_code());
            region.map_or(Country::UNKNOWN, Country::of)
        })
    }

    /// The first `digits` digits: numbers of one block, as SMS pumpers walk through them.
    pub fn prefix(&self, digits: usize) -> &str {
        let digits_only = &self.e164[1..];
        &digits_only[..digits.min(digits_only.len())]
    }

    /// The number as it is dialled, if its length fits the country. It is read in any case: with a digit more, a trunk
    /// prefix for instance, the length often fits as well.
    fn possible(self) -> Option<Self> {
        let dialled = self.as_dialled()?;
        if dialled.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
            return None;
        }
        if self.as_written().as_ref() == Some(&dialled) {
            return Some(self);
        }
        // What still holds something to drop is nobody's number.
        let number = Self::of(&dialled);
        (number.as_dialled() == Some(dialled)).then_some(number)
    }

    /// The number as it is written or else as it is dialled, if it so lies in a range that its country has assigned.
    fn assigned(self) -> Option<Self> {
        let written = self.as_written();
        if let Some(country) = written.as_ref().and_then(assigned_by) {
            return Some(Self {
                country: Some(country),
                ..self
            });
        }
        let dialled = self
            .as_dialled()
            .filter(|dialled| written.as_ref() != Some(dialled))?;
        let country = assigned_by(&dialled)?;
        Some(Self {
            country: Some(country),
            ..Self::of(&dialled)
        })
    }

    /// Its country code and the rest, as the digits stand: for every number that is written as it should be the same as
    /// [`Self::as_dialled`], at a fraction of the cost.
    fn as_written(&self) -> Option<rlibphonenumber::PhoneNumber> {
        let digits = &self.e164[1..];
        // No country code begins another (ITU-T E.164, 6.2.1).
        let (country_code, national) = (1..=3)
            .filter_map(|length| digits.split_at_checked(length))
            .find_map(|(code, national)| {
                let code = code.parse().ok()?;
                let is_one = PHONE_NUMBER_UTIL
                    .get_regions_for_country_calling_code(code)
                    .is_some();
                is_one.then_some((code, national))
            })?;
        let zeros = national.bytes().take_while(|&digit| digit == b'0').count();
        Some(rlibphonenumber::PhoneNumber {
            country_code,
            national_number: national.parse().ok()?,
            // Italy's, and some others', which belong to the number.
            italian_leading_zero: (zeros > 0).then_some(true),
            number_of_leading_zeros: i32::try_from(zeros).ok().filter(|&zeros| zeros > 1),
            ..rlibphonenumber::PhoneNumber::default()
        })
    }

    /// As libphonenumber reads it: it passes over what people dial and shouldn't write, such as a trunk prefix.
    fn as_dialled(&self) -> Option<rlibphonenumber::PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(&self.e164, None).ok()
    }
}

impl PartialEq for PhoneNumber {
    fn eq(&self, other: &Self) -> bool {
        self.e164 == other.e164
    }
}

impl Eq for PhoneNumber {}

impl Hash for PhoneNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.e164.hash(state);
    }
}

impl PartialOrd for PhoneNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PhoneNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.e164.cmp(&other.e164)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber(•••, {} digits)", self.e164.len() - 1)
    }
}

/// A keyed digest of a number: what Redis keys and limiters hold in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PhoneDigest([u8; 16]);

impl PhoneDigest {
    /// The digest under the key that one secret gives.
    pub fn of(phone: &PhoneNumber, key: &MacKey) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&key.tag(&[phone.e164.as_bytes()])[..16]);
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

/// The country that has assigned the range in which the number lies.
fn assigned_by(number: &rlibphonenumber::PhoneNumber) -> Option<Country> {
    let region = number.get_region_code()?;
    number.is_valid_for_region(region).then(|| Country::of(region))
}

fn to_e164(text: &str) -> Result<String, PhoneError> {
    let text = text.trim_matches(|sign: char| sign.is_whitespace() || is_direction_mark(sign));
    if text.chars().count() > MAX_INPUT_CHARS {
        return Err(PhoneError::Length);
    }
    let rest = text
        .strip_prefix(['+', '\u{FF0B}'])
        .ok_or(PhoneError::NoCountryCode)?;
    if has_trunk_prefix(rest) {
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

/// Whether a zero stands in parentheses, with or without separators around it.
fn has_trunk_prefix(text: &str) -> bool {
    text.split('(').skip(1).any(|group| {
        let mut signs = group.chars().filter(|&sign| sign == ')' || !is_separator(sign));
        signs.next().and_then(digit) == Some('0') && signs.next() == Some(')')
    })
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
mod dialled_tests;

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
