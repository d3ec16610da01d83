//! What a phone number is, in one spelling, and how it is kept out of sight.

mod country;
mod digest;
mod error;
mod kind;
mod renumbered;
mod spelling;
mod territories;

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};

use spelling::{MAX_DIGITS, to_e164};

pub use country::Country;
pub use digest::PhoneDigest;
pub use error::PhoneError;
pub use kind::{PhoneKind, PhoneKinds};

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

/// A phone number in E.164. There is one value for each number, however it was typed.
///
/// `Debug` and logs show no more than its length; [`PhoneNumber::expose`] is for the users' table and the SMS call.
#[derive(Clone)]
pub struct PhoneNumber {
    e164: String,
    /// Where it was found by the way.
    assigned: Option<(Country, PhoneKind)>,
}

impl PhoneNumber {
    /// Reads a number as people write it: separators and invisible marks dropped, digits of every script folded. Where the
    /// country is known to the check, what is dialled within it alone, such as a trunk prefix, is dropped too, and a
    /// number as it was before its country's plan changed becomes the present one: one phone has one number.
    ///
    /// # Errors
    /// A [`PhoneError`] that can be shown to whoever typed it.
    pub fn parse(text: &str, check: PhoneCheck) -> Result<Self, PhoneError> {
        let number = Self::from_stored(to_e164(text)?);
        let is_long = number.e164.len() > MAX_DIGITS + 1;
        let plausible = match check {
            PhoneCheck::E164 => Some(number).filter(|_| !is_long),
            PhoneCheck::Possible => number.possible(),
            PhoneCheck::Valid => number.assigned(),
        };
        plausible.ok_or(if is_long {
            PhoneError::Length
        } else {
            PhoneError::Implausible
        })
    }

    /// Takes back a number that this service stored itself.
    pub fn from_stored(e164: String) -> Self {
        Self { e164, assigned: None }
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
        if let Some((country, _)) = self.assigned {
            return country;
        }
        let written = self.as_written().and_then(|number| number.get_region_code());
        let region = written.or_else(|| self.as_dialled()?.get_region_code());
        region.map_or(Country::UNKNOWN, Country::of)
    }

    /// What the number is for; none where no country has assigned it.
    pub fn kind(&self) -> Option<PhoneKind> {
        let assigned = self
            .assigned
            .or_else(|| assigned_by(&self.as_written()?))
            .or_else(|| assigned_by(&self.as_dialled()?));
        assigned.map(|(_, kind)| kind)
    }

    /// The first `digits` digits: numbers of one block, as SMS pumpers walk through them.
    pub fn prefix(&self, digits: usize) -> &str {
        let digits_only = &self.e164[1..];
        &digits_only[..digits.min(digits_only.len())]
    }

    /// The number as it is dialled, or as it is called today, if its length fits the country.
    fn possible(self) -> Option<Self> {
        self.dialled_length().or_else(|| {
            let mut forms = renumbered::present_forms(&self.e164);
            forms.find_map(|form| Self::from_stored(form).dialled_length())
        })
    }

    /// The number as it is dialled, if its length fits the country. It is read in any case: with a digit more, a trunk
    /// prefix for instance, the length often fits as well.
    fn dialled_length(&self) -> Option<Self> {
        let dialled = self.as_dialled()?;
        if dialled.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
            return None;
        }
        if self.as_written().as_ref() == Some(&dialled) {
            return Some(self.clone());
        }
        // What still holds something to drop is nobody's number.
        let number = Self::of(&dialled);
        (number.as_dialled() == Some(dialled)).then_some(number)
    }

    /// The number as it is written, or else as it is dialled, or else as it is called today, if it so lies in a range
    /// that its country has assigned.
    fn assigned(self) -> Option<Self> {
        let written = self.as_written();
        if let Some(assigned) = written.as_ref().and_then(assigned_by) {
            return Some(Self {
                assigned: Some(assigned),
                ..self
            });
        }
        self.dialled_range(written.as_ref()).or_else(|| {
            let mut forms = renumbered::present_forms(&self.e164);
            forms.find_map(|form| Self::from_stored(form).dialled_range(None))
        })
    }

    /// The number as it is dialled, if that is not as it is `written` and lies in an assigned range.
    fn dialled_range(&self, written: Option<&rlibphonenumber::PhoneNumber>) -> Option<Self> {
        let dialled = self.as_dialled().filter(|dialled| written != Some(dialled))?;
        Some(Self {
            assigned: Some(assigned_by(&dialled)?),
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

/// The country that has assigned the range in which the number lies, and what for.
fn assigned_by(number: &rlibphonenumber::PhoneNumber) -> Option<(Country, PhoneKind)> {
    let region = number.get_region_code()?;
    if !number.is_valid_for_region(region) {
        return None;
    }
    let kind = PhoneKind::of(number.get_type(), number.country_code)?;
    Some((Country::of(region), kind))
}

#[cfg(test)]
mod dialled_tests;
#[cfg(test)]
mod kind_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_grow_stricter() {
        let allowed = |text| {
            [PhoneCheck::E164, PhoneCheck::Possible, PhoneCheck::Valid]
                .map(|check| PhoneNumber::parse(text, check).is_ok())
        };
        assert_eq!(allowed("+14152000001"), [true, true, true]);
        assert_eq!(allowed("+12005550123"), [true, true, false], "no such area code");
        assert_eq!(
            allowed("+1415200000123456"),
            [false, false, false],
            "longer than E.164"
        );
        let long = PhoneNumber::parse("+1415200000123456", PhoneCheck::Valid);
        assert_eq!(long.unwrap_err(), PhoneError::Length);
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
