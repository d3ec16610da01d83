//! Test numbers: their codes, their last day, and what production says to them.

use chrono::{DateTime, Utc};
use ringback::{
    challenges::OtpCode,
    phone::{PhoneCheck, PhoneNumber},
    settings::Settings,
};

use crate::place::Place;

const CODES: &str = "RINGBACK__TEST_NUMBERS__CODES";
const UNTIL: &str = "RINGBACK__TEST_NUMBERS__UNTIL";
const SWITCH: &str = "RINGBACK__TEST_NUMBERS__ANYONE_CAN_VERIFY_IN_PRODUCTION";

fn code(settings: &Settings, phone: &str) -> Option<String> {
    let phone = PhoneNumber::parse(phone, PhoneCheck::E164).unwrap();
    let now = "2026-06-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let code = settings.test_numbers.code(&phone, now);
    code.map(OtpCode::expose).map(str::to_owned)
}

#[test]
fn numbers_have_the_codes_that_are_listed() {
    let listed = "+1 (415) 200-0007=975310, +14152000002 = 000000";
    let file = "[test_numbers]\ncodes = [\"+1 (415) 200-0007=975310\", \"+14152000002=000000\"]\nuntil = \"2027-01-31\"\n";
    for place in [
        Place::new().var(CODES, listed).var(UNTIL, "2027-01-31"),
        Place::new().file("development.toml", file),
        Place::new()
            .production()
            .var(CODES, "+14152000007=975310,+14152000002=000000")
            .var(UNTIL, "2027-01-31")
            .var(SWITCH, "true"),
    ] {
        let settings = place.good();
        assert_eq!(code(&settings, "+14152000007").as_deref(), Some("975310"));
        assert_eq!(code(&settings, "+14152000002").as_deref(), Some("000000"));
        assert_eq!(code(&settings, "+14152000003"), None);
        for shown in [settings.show(), format!("{settings:?}")] {
            assert!(
                !shown.contains("975310") && !shown.contains("200-0007"),
                "{shown}"
            );
        }
    }
    let past = Place::new()
        .var(CODES, "+14152000007=975310")
        .var(UNTIL, "2026-05-31")
        .good();
    assert_eq!(code(&past, "+14152000007"), None);
}

#[test]
fn what_cannot_be_meant_is_refused_and_shows_no_code() {
    let place = |codes: &str| Place::new().var(CODES, codes).var(UNTIL, "2027-01-31");
    for (codes, part) in [
        ("+14152000007", "numbers that phone.check takes with their codes"),
        ("4152000001=975310", "Enter the number in international form"),
        ("+14152000007=12345", "the 6 digits of otp.length"),
        ("+14152000007=abcdef", "the 6 digits of otp.length"),
        ("+14152000007=975310,", "numbers that phone.check takes"),
        (
            "+14152000007=975310,+1 415 2000007=654321",
            "must name each number once",
        ),
    ] {
        let faults = place(codes).faults();
        assert_eq!(faults.len(), 1, "{codes}: {faults:?}");
        assert!(faults[0].contains(part), "{faults:?}");
        assert!(
            !faults[0].contains("2000007") && !faults[0].contains("7531"),
            "{faults:?}"
        );
    }
    let many: Vec<_> = (0..101)
        .map(|number| format!("+1415200{number:04}=975310"))
        .collect();
    assert!(place(&many.join(",")).faults()[0].contains("100 numbers at most"));
    place(&many[1..].join(",")).good();
    // No such area code: production's numbers are those that exist.
    let impossible = place("+12005550123=975310").var("RINGBACK__PHONE__CHECK", "valid");
    assert!(impossible.faults()[0].contains("No number like this"));
    let endless = Place::new().var(CODES, "+14152000007=975310").faults();
    assert_eq!(
        endless,
        ["built in: test_numbers.until = \"\": must be the last day on which test_numbers.codes work"]
    );
}

#[test]
fn production_takes_them_by_a_name_that_says_what_they_are() {
    let place = || {
        Place::new()
            .production()
            .var(CODES, "+14152000007=975310")
            .var(UNTIL, "2027-01-31")
    };
    assert_eq!(
        place().faults(),
        [
            "environment: RINGBACK__TEST_NUMBERS__CODES = \"***\": must be empty in production, for anyone can verify \
             these numbers; unless test_numbers.anyone_can_verify_in_production = true"
        ]
    );
    place().var(SWITCH, "true").good();
    place().var("RINGBACK_ENV", "development").good();
}
