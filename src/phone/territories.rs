//! Countries and what belongs to them, or shares their code, and has two letters of its own.

use super::Country;

/// By the country's letters; those of a territory are not among a country's own in the metadata, so that a list with the
/// country alone leaves its people out.
const TERRITORIES: [(&str, &[&str]); 15] = [
    ("AU", &["CC", "CX"]),
    ("CN", &["HK", "MO"]),
    ("CW", &["BQ"]),
    ("DK", &["FO", "GL"]),
    ("FI", &["AX"]),
    (
        "FR",
        &["BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "WF", "YT"],
    ),
    ("GB", &["GG", "GI", "IM", "JE"]),
    ("GP", &["BL", "MF"]),
    ("IT", &["VA"]),
    ("MA", &["EH"]),
    ("NL", &["AW", "BQ", "CW", "SX"]),
    ("NO", &["SJ"]),
    ("NZ", &["CK", "NU", "TK"]),
    ("RE", &["YT"]),
    ("US", &["AS", "GU", "MP", "PR", "VI"]),
];

impl Country {
    /// What belongs to the country, or shares its code, and is listed by itself.
    pub fn territories(self) -> impl Iterator<Item = Self> {
        let found = TERRITORIES.iter().find(|(country, _)| *country == self.as_str());
        let territories = found.map_or(&[][..], |(_, territories)| territories);
        territories.iter().filter_map(|territory| Self::parse(territory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_territory_is_known_to_the_metadata() {
        for (country, _) in TERRITORIES {
            let country = Country::parse(country).unwrap();
            assert!(
                country.is_known() && country.territories().count() > 0,
                "{country}"
            );
            assert!(country.territories().all(Country::is_known), "{country}");
        }
        let of_us: Vec<_> = Country::parse("US")
            .unwrap()
            .territories()
            .map(|country| country.to_string())
            .collect();
        assert_eq!(of_us, ["AS", "GU", "MP", "PR", "VI"]);
        assert_eq!(Country::UNKNOWN.territories().count(), 0);
    }
}
