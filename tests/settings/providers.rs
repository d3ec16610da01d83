//! The accounts at the providers of SMS: each is whole or absent, and production has one.

use std::time::Duration;

use ringback::{
    delivery::Countries,
    phone::Country,
    settings::{RouteSettings, Settings},
};

use crate::place::{Place, WEBHOOK_SECRET};

const TWILIO: &[&str] = &["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"];
const VONAGE: &[&str] = &[
    "RINGBACK__VONAGE__API_KEY",
    "RINGBACK__VONAGE__API_SECRET",
    "RINGBACK__VONAGE__SENDER",
];
const WEBHOOK: &[&str] = &["RINGBACK__WEBHOOK__URL", "RINGBACK__WEBHOOK__SECRET"];

fn every() -> Place {
    Place::new().production().every_provider()
}

fn without(place: Place, names: &[&str]) -> Place {
    names.iter().fold(place, |place, name| place.without(name))
}

#[test]
fn a_part_of_an_account_is_a_fault_that_names_the_rest() {
    for env in ["development", "production"] {
        for name in [TWILIO, VONAGE, WEBHOOK].concat() {
            for place in [every().without(name), every().var(name, "")] {
                let faults = place.var("RINGBACK_ENV", env).faults();
                assert_eq!(faults.len(), 1, "{faults:?}");
                assert!(
                    faults[0].starts_with(&format!("environment: {name}: not set")),
                    "{faults:?}"
                );
            }
        }
    }
    for (name, rest) in [
        ("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID, TWILIO_PHONE_NUMBER"),
        (
            "RINGBACK__VONAGE__API_SECRET",
            "RINGBACK__VONAGE__API_KEY, RINGBACK__VONAGE__SENDER",
        ),
    ] {
        let faults = Place::new().var(name, "hush").faults();
        assert!(faults[0].contains(&format!("{rest}: not set")), "{faults:?}");
    }
}

#[test]
fn an_account_sid_that_twilio_would_refuse_is_told_of() {
    let short = "AC0123456789abcdef0123456789abcde";
    let shown = |sid: &str| {
        let place = Place::new().production().var("TWILIO_ACCOUNT_SID", sid);
        let settings = place.good();
        settings.show()
    };
    for sid in ["zz", "AC0123", short, "AC0123456789abcdef0123456789abcdeg"] {
        assert!(shown(sid).contains("Twilio's own are AC and 32"), "{sid}");
    }
    assert!(!shown(&format!("{short}F")).contains("Twilio's own are AC and 32"));
}

#[test]
fn what_cannot_be_an_account_is_refused() {
    for (name, value) in [
        ("TWILIO_ACCOUNT_SID", "AC/../x"),
        ("TWILIO_AUTH_TOKEN", "hush hush"),
        ("TWILIO_ACCOUNT_SID", "SK00000000000000000000000000000000"),
        ("TWILIO_API_KEY", "AC0123"),
        ("TWILIO_PHONE_NUMBER", "4152000001"),
        ("TWILIO_PHONE_NUMBER", "MG0123456789abcdef"),
        ("TWILIO_PHONE_NUMBER", "Ringbackringback"),
        ("TWILIO_PHONE_NUMBER", "MG/x"),
        ("RINGBACK__VONAGE__API_KEY", "a:b"),
        ("RINGBACK__VONAGE__API_SECRET", "hush hush"),
        ("RINGBACK__VONAGE__SENDER", "Ring back"),
        ("RINGBACK__VONAGE__SENDER", "Ringbackringback"),
        ("RINGBACK__VONAGE__SENDER", "+1415200000100000"),
        ("RINGBACK__WEBHOOK__URL", "sms.example.com"),
        ("RINGBACK__WEBHOOK__URL", "ftp://sms.example.com"),
        ("RINGBACK__WEBHOOK__URL", "https://u:hush@sms.example.com"),
        ("RINGBACK__WEBHOOK__URL", "https://sms.example.com/?key=x"),
        ("RINGBACK__WEBHOOK__SECRET", "hush"),
        ("RINGBACK__WEBHOOK__SECRET", "whsec_aHVzaA=="),
        ("RINGBACK__WEBHOOK__SECRET", "hush,hush"),
    ] {
        let faults = every().var(name, value).faults();
        assert!(
            faults.len() == 1 && faults[0].contains(name),
            "{name}: {faults:?}"
        );
        assert!(!faults[0].contains("hush"), "{faults:?}");
    }
    let service = "MG0123456789abcdef0123456789abcdef";
    let rotated = format!("{WEBHOOK_SECRET},{}", &WEBHOOK_SECRET[6..]);
    let settings = every()
        .var("TWILIO_PHONE_NUMBER", service)
        .var("RINGBACK__VONAGE__SENDER", "+15005550006")
        .var("RINGBACK__WEBHOOK__SECRET", &rotated)
        .good();
    assert_eq!(settings.twilio.unwrap().options.sender, service);
    assert_eq!(settings.vonage.unwrap().options.sender, "+15005550006");
}

#[test]
fn production_has_a_provider_and_it_matters_not_which() {
    let absent = [TWILIO, VONAGE, WEBHOOK].concat();
    let faults = without(every(), &absent).faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    for part in ["TWILIO_ACCOUNT_SID", "nothing falls back", "vonage or webhook"] {
        assert!(faults[0].contains(part), "{faults:?}");
    }
    let has = |place: Place| {
        let settings = place.good();
        assert!(!settings.routes.is_empty());
        let has = [
            settings.twilio.is_some(),
            settings.vonage.is_some(),
            settings.webhook.is_some(),
        ];
        has.iter().filter(|has| **has).count()
    };
    assert_eq!(has(every()), 3);
    assert_eq!(has(without(every(), &[TWILIO, VONAGE].concat())), 1);
    assert_eq!(has(without(every(), &[TWILIO, WEBHOOK].concat())), 1);
    assert!(Place::new().good().routes.is_empty());
}

#[test]
fn in_production_codes_are_not_readable_on_the_way_to_the_gateway() {
    const URL: &str = "RINGBACK__WEBHOOK__URL";
    for url in [
        "http://sms.example.com/out",
        "http://10.0.0.1",
        "http://localhost.example.com",
    ] {
        let faults = every().var(URL, url).faults();
        assert!(
            faults.len() == 1 && faults[0].contains(URL) && faults[0].contains("https"),
            "{faults:?}"
        );
        every().var(URL, url).var("RINGBACK_ENV", "development").good();
        // Also in a file that is only being checked.
        let place = Place::new()
            .file("candidate.toml", format!("[webhook]\nurl = \"{url}\"\n"))
            .var("RINGBACK_ENV", "production");
        let checked = Settings::check_file(&place.dir.join("candidate.toml"), place.env.clone());
        assert!(checked.unwrap_err().to_string().contains("https"));
    }
    for url in [
        "http://127.0.0.1:9/out",
        "http://[::1]:9",
        "http://localhost",
        "https://10.0.0.1",
    ] {
        every().var(URL, url).good();
    }
}

#[test]
fn no_call_outlasts_the_lease_of_its_sms() {
    let settings = every().var("RINGBACK__DELIVERY__LEASE", "1s").good();
    let (twilio, vonage) = (settings.twilio.unwrap().options, settings.vonage.unwrap().options);
    let webhook = settings.webhook.unwrap().options;
    for timeout in [
        twilio.timeout,
        twilio.connect_timeout,
        vonage.timeout,
        vonage.connect_timeout,
        webhook.timeout,
        webhook.connect_timeout,
    ] {
        assert_eq!(timeout, Duration::from_secs(1));
    }
}

#[test]
fn routes_are_the_listed_ones_or_to_every_provider_with_an_account() {
    let routes = |list: &str| {
        let place = Place::new().production().var("RINGBACK__SMS__PROVIDERS", list);
        let routes = place.good().routes;
        let route = |route: &RouteSettings| (route.provider.name(), route.countries.clone());
        routes.iter().map(route).collect::<Vec<_>>()
    };
    let country = |code| Country::parse(code).unwrap();
    assert_eq!(routes(""), [("twilio", Countries::All)]);
    assert_eq!(
        routes("twilio:US+CA, twilio:!IN"),
        [
            ("twilio", Countries::Only(vec![country("US"), country("CA")])),
            ("twilio", Countries::Except(vec![country("IN")])),
        ]
    );
    let every = every().good().routes;
    let names: Vec<_> = every.iter().map(|route| route.provider.name()).collect();
    assert_eq!(names, ["twilio", "vonage", "webhook"]);
    let shown = Place::new().production().good().show();
    let line = "providers = [] # built in; in force: twilio";
    assert!(shown.contains(line), "{shown}");
    assert!(Place::new().good().routes.is_empty(), "the inbox carries them");
}

#[test]
fn a_faulty_route_is_told_by_its_part() {
    for (list, why) in [
        ("twilio, pigeon", "\"pigeon\": must be providers"),
        (
            "pigeon",
            "there is no provider of this name, but twilio, vonage, webhook",
        ),
        (
            "twilio:US+USA",
            "\"USA\" is not the two capital letters of a country",
        ),
    ] {
        let place = Place::new().production().var("RINGBACK__SMS__PROVIDERS", list);
        let faults = place.faults();
        assert!(faults.len() == 1 && faults[0].contains(why), "{faults:?}");
    }
    let faults = Place::new().var("RINGBACK__SMS__PROVIDERS", "twilio").faults();
    let why = "must name configured providers, and twilio is not";
    assert!(faults.len() == 1 && faults[0].ends_with(why), "{faults:?}");
}
