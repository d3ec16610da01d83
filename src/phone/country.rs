//! Which country a number belongs to.

use std::fmt;

use rlibphonenumber::Region;

/// Countries that have numbers of their own in the metadata, which is large and read when the first number comes.
const KNOWN: &str = "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER \
    ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE \
    IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV \
    LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP \
    NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK \
    SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA \
    VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Letters and names in English (Unicode CLDR), with others that are in use.
const NAMES: &str = include_str!("country_names.txt");

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
        self == Self::UNKNOWN || KNOWN.split(' ').any(|known| known == self.as_str())
    }

    /// What it is called in English.
    pub fn name(self) -> Option<&'static str> {
        let (_, names) = names().find(|(letters, _)| *letters == self.as_str())?;
        names.split('|').next()
    }

    /// Takes two letters in any case, or a whole name in English; never the beginning of one.
    pub fn named(text: &str) -> Option<Self> {
        let typed = text.trim().to_ascii_uppercase();
        let by_letters = Self::parse(&typed).filter(|country| country.is_known());
        by_letters.or_else(|| {
            let typed = letters(text);
            let is_called = |names: &str| names.split('|').any(|name| letters(name) == typed);
            let (letters, _) = names().find(|(_, names)| is_called(names))?;
            Self::parse(letters)
        })
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

/// Letters and names of all countries.
fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.lines().filter_map(|line| line.split_once(' '))
}

/// What tells one name from another: neither case, nor accents, nor what stands between words.
fn letters(name: &str) -> String {
    let plain = |letter: char| match letter {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        letter => letter,
    };
    let lower = name.chars().flat_map(char::to_lowercase).map(plain);
    lower.filter(|letter| letter.is_alphanumeric()).collect()
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

#[cfg(test)]
mod tests {
    use rlibphonenumber::PHONE_NUMBER_UTIL;

    use super::*;

    #[test]
    fn the_countries_that_are_known_are_those_of_the_metadata() {
        let regions = PHONE_NUMBER_UTIL.get_supported_regions();
        let mut regions: Vec<_> = regions.map(|region| Country::of(region).to_string()).collect();
        regions.sort_unstable();
        assert_eq!(regions.join(" "), KNOWN);
        assert!(Country::parse("US").unwrap().is_known() && Country::UNKNOWN.is_known());
        assert!(!Country::parse("XX").unwrap().is_known());
    }

    #[test]
    fn every_country_has_names_that_lead_to_it_alone() {
        for country in KNOWN.split(' ').chain(["ZZ"]) {
            let country = Country::parse(country).unwrap();
            assert!(country.name().is_some(), "{country} has no name");
        }
        for (letters, names) in names() {
            for name in names.split('|').chain([letters]) {
                let found = Country::named(&name.to_uppercase()).map(|country| country.to_string());
                assert_eq!(found.as_deref(), Some(letters), "{name}");
            }
        }
        for (typed, country) in [
            (" germany ", "DE"),
            ("cote d’ivoire", "CI"),
            ("ge", "GE"),
            ("Turkiye", "TR"),
        ] {
            assert_eq!(Country::named(typed).unwrap().as_str(), country);
        }
        for typed in ["", "Germ", "Atlantis", "XX", "G", "--"] {
            assert_eq!(Country::named(typed), None, "{typed}");
        }
    }
}
