//! What of the section `sms` says where SMS go.

use super::reader::{Reader, Refused};
use crate::{delivery::Countries, phone::Country};

const ALLOW: &str = "sms.countries_allow";
const DENY: &str = "sms.countries_deny";

/// The countries whose phones may have a code.
pub(super) fn read(reader: &mut Reader) -> Countries {
    let mut list = |key| {
        reader.list(
            key,
            "countries by the two capital letters of ISO 3166-1 such as \"US\", ZZ for numbers of no country",
            |text| {
                let country = Country::parse(text).filter(|country| country.is_known());
                country.ok_or_else(Refused::default)
            },
        )
    };
    let (allowed, denied) = (list(ALLOW), list(DENY));
    match (allowed.is_empty(), denied.is_empty()) {
        (true, true) => Countries::All,
        (true, false) => Countries::Except(denied),
        (false, true) => Countries::Only(allowed),
        (false, false) => {
            reader.refuse(
                DENY,
                format!("must be empty where {ALLOW} is set: what is not allowed is denied"),
            );
            Countries::Only(allowed)
        }
    }
}
