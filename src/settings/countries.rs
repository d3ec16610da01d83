//! What of the section `sms` says where SMS go.

use super::reader::{Reader, Refused};
use crate::{delivery::Countries, phone::Country};

const ALLOW: &str = "sms.countries_allow";
const DENY: &str = "sms.countries_deny";

/// Where SMS go, and whether that was said.
pub(super) struct Reach {
    pub(super) countries: Countries,
    is_said: bool,
}

impl Reach {
    /// The countries whose phones may have a code.
    pub(super) fn read(reader: &mut Reader) -> Self {
        // None is `*`: all.
        let listed = reader.list(
            ALLOW,
            "countries by the two capital letters of ISO 3166-1 such as \"US\", ZZ for numbers of no country, or \"*\" \
             alone for all",
            |text| match text {
                "*" => Ok(None),
                text => country(text).map(Some),
            },
        );
        let denied = reader.list(
            DENY,
            "countries by the two capital letters of ISO 3166-1 such as \"US\", ZZ for numbers of no country",
            country,
        );
        let is_said = !listed.is_empty();
        let is_all = listed.iter().any(Option::is_none);
        if is_all && listed.len() > 1 {
            reader.refuse(ALLOW, "must be \"*\" alone, or countries without it");
        }
        let allowed: Vec<_> = listed.into_iter().flatten().collect();
        if !allowed.is_empty() && !denied.is_empty() {
            reader.refuse(
                DENY,
                format!("must be empty where {ALLOW} names countries: what is not allowed is denied"),
            );
        }
        let countries = match (allowed.is_empty(), denied.is_empty()) {
            (false, _) => Countries::Only(allowed),
            (true, false) => Countries::Except(denied),
            (true, true) => Countries::All,
        };
        Self { countries, is_said }
    }

    /// In production it is said: numbers of countries that nobody meant are how SMS are pumped.
    pub(super) fn demand(&self, reader: &mut Reader) {
        if !self.is_said && !reader.is_faulty(ALLOW) {
            reader.refuse(
                ALLOW,
                "must be said in production, for each SMS costs money: the countries of your users such as [\"US\", \
                 \"CA\"], or [\"*\"] for all (RINGBACK__SMS__COUNTRIES_ALLOW)",
            );
        }
    }
}

fn country(text: &str) -> Result<Country, Refused> {
    let country = Country::parse(text).filter(|country| country.is_known());
    country.ok_or_else(Refused::default)
}
