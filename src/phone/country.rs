//! Which country a number belongs to.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

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

    pub(super) fn of(region: Region) -> Self {
        Self::parse(region.as_region_str().as_ref()).unwrap_or(Self::UNKNOWN)
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
