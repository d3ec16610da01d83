//! What production refuses since it is unsafe, each with the key that allows it.

use ringback::{delivery::Countries, phone::Country, settings::Settings};

use crate::place::{Place, SECRET, WEBHOOK_SECRET};

/// An address in plain text for each section, the variable that sets it, and the section's name.
const PLAIN: [(&str, &str, &str); 13] = [
    ("database", "DATABASE_URL", "postgres://u:hush@db/ringback"),
    (
        "database",
        "DATABASE_URL",
        "postgresql://u:hush@10.0.0.1/ringback?sslmode=disable",
    ),
    (
        "database",
        "DATABASE_URL",
        "postgres://u:hush@db/ringback?sslmode=allow",
    ),
    (
        "database",
        "DATABASE_URL",
        "postgres://u:hush@db/ringback?sslmode=prefer",
    ),
    ("database", "DATABASE_URL", "postgres:///ringback?host=db&user=u"),
    ("redis", "REDIS_URL", "redis://:hush@cache:6379"),
    ("redis", "REDIS_URL", "redis://a,redis://b"),
    ("redis", "REDIS_URL", "redis+sentinel://a,b/main"),
    ("twilio", "TWILIO_BASE_URL", "http://api.example.com"),
    ("vonage", "RINGBACK__VONAGE__BASE_URL", "http://10.0.0.1:8080"),
    ("webhook", "RINGBACK__WEBHOOK__URL", "http://sms.example.com/out"),
    ("server", "RINGBACK__SERVER__PUBLIC_URL", "http://id.example.com"),
    ("server", "RINGBACK__SERVER__PUBLIC_URL", "http://192.0.2.1:8000"),
];

fn place() -> Place {
    Place::new()
        .production()
        .var("RINGBACK__WEBHOOK__URL", "https://sms.example.com/out")
        .var("RINGBACK__WEBHOOK__SECRET", WEBHOOK_SECRET)
}

#[test]
fn nothing_goes_in_plain_text_to_another_machine_unless_its_section_allows_it() {
    place().good();
    for (section, name, url) in PLAIN {
        let switch = format!("{section}.allow_plaintext");
        let plain = place().var(name, url);
        let faults = plain.faults();
        assert_eq!(faults.len(), 1, "{url}: {faults:?}");
        for part in [name, "by TLS in production", &format!("{switch} = true")] {
            assert!(faults[0].contains(part), "{faults:?}");
        }
        assert!(!faults[0].contains("hush"), "{faults:?}");
        let variable = format!("RINGBACK__{}__ALLOW_PLAINTEXT", section.to_uppercase());
        plain.var(&variable, "true").good();
        place().var(name, url).var("RINGBACK_ENV", "development").good();
        // Also in a file that is only being checked.
        let key = match section {
            "database" | "redis" | "webhook" => "url",
            "server" => "public_url",
            _ => "base_url",
        };
        let file = format!("[{section}]\n{key} = \"{url}\"\n");
        let candidate = Place::new()
            .file("candidate.toml", file)
            .var("RINGBACK_ENV", "production");
        let checked = Settings::check_file(&candidate.dir.join("candidate.toml"), candidate.env.clone());
        assert!(checked.unwrap_err().to_string().contains(&switch));
    }
}

#[test]
fn on_this_machine_and_with_tls_everything_may() {
    for (name, url) in [
        ("DATABASE_URL", "postgres://u@localhost/ringback"),
        ("DATABASE_URL", "postgres://u@127.0.0.1/ringback?sslmode=disable"),
        ("DATABASE_URL", "postgres:///ringback?host=/run/postgresql"),
        ("DATABASE_URL", "postgres://u@%2Frun%2Fpostgresql/ringback"),
        ("DATABASE_URL", "postgres://u@db/ringback?sslmode=verify-full"),
        ("DATABASE_URL", "sqlite:///var/lib/ringback/users.db"),
        ("REDIS_URL", "redis://[::1]:6379"),
        ("REDIS_URL", "redis://localhost,redis://127.0.0.1:2"),
        ("REDIS_URL", "rediss+sentinel://a,b/main"),
        ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
        ("RINGBACK__SERVER__PUBLIC_URL", "http://localhost:8000"),
        ("RINGBACK__SERVER__PUBLIC_URL", "https://id.example.com"),
    ] {
        place().var(name, url).good();
    }
}

#[test]
fn where_sms_go_is_said_in_production() {
    const ALLOW: &str = "RINGBACK__SMS__COUNTRIES_ALLOW";
    for unsaid in [
        place().without(ALLOW),
        place().var(ALLOW, ""),
        place().without(ALLOW).var("RINGBACK__SMS__COUNTRIES_DENY", "IN"),
    ] {
        let faults = unsaid.faults();
        assert!(
            faults.len() == 1 && faults[0].contains("sms.countries_allow") | faults[0].contains(ALLOW),
            "{faults:?}"
        );
        assert!(faults[0].contains("[\"*\"] for all"), "{faults:?}");
    }
    let country = |code| Country::parse(code).unwrap();
    assert_eq!(place().good().countries, Countries::All);
    let denied = place().var("RINGBACK__SMS__COUNTRIES_DENY", "IN").good();
    assert_eq!(denied.countries, Countries::Except(vec![country("IN")]));
    let allowed = place().var(ALLOW, "US").good();
    assert_eq!(allowed.countries, Countries::Only(vec![country("US")]));
    Place::new().good();
}

#[test]
fn a_secret_that_is_not_random_is_refused_in_production() {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for bad in [zeros.to_owned(), format!("{SECRET},{zeros}")] {
        let faults = place().var("RINGBACK_SECRET", &bad).faults();
        assert!(
            faults.len() == 1 && faults[0].contains("RINGBACK_SECRET") && faults[0].contains("not random"),
            "{faults:?}"
        );
        assert!(!faults[0].contains("AAAA"), "{faults:?}");
        Place::new().var("RINGBACK_SECRET", &bad).good();
    }
}

#[test]
fn a_password_that_tears_its_url_is_told_how_to_be_written() {
    for (name, url) in [
        ("DATABASE_URL", "postgres://u:1/hush@h/db"),
        ("DATABASE_URL", "postgres://u:hu#sh@h/db"),
        ("DATABASE_URL", "postgres://u:hu?sh@h/db"),
        ("REDIS_URL", "redis://:hu/sh@h:1"),
        ("REDIS_URL", "rediss://:hu#sh@h:1"),
    ] {
        let faults = Place::new().var(name, url).faults();
        assert!(
            faults.len() == 1 && faults[0].contains("percent-encoded"),
            "{faults:?}"
        );
        assert!(
            !faults[0].contains("hu") || !faults[0].contains("sh@"),
            "{faults:?}"
        );
    }
    // An @ needs nothing.
    Place::new().var("DATABASE_URL", "postgres://u:p@ss@h/db").good();
    Place::new()
        .var("DATABASE_URL", "postgres://h/db?user=u@h&password=a/b@c")
        .good();
}

#[test]
fn an_api_key_signs_in_to_twilio_in_place_of_the_token() {
    let keyed = || {
        place()
            .var("TWILIO_API_KEY", "SK0123")
            .var("TWILIO_API_SECRET", "hush")
    };
    let public = |place: Place| place.var("RINGBACK__SERVER__PUBLIC_URL", "https://id.example.com");
    let both = public(keyed()).good().twilio.unwrap().options;
    assert!(both.api_key.is_some() && both.auth_token.is_some() && both.receipts_to.is_some());
    let alone = public(keyed().without("TWILIO_AUTH_TOKEN"))
        .good()
        .twilio
        .unwrap()
        .options;
    assert!(alone.api_key.is_some() && alone.auth_token.is_none() && alone.receipts_to.is_none());
    for half in ["TWILIO_API_KEY", "TWILIO_API_SECRET"] {
        let faults = keyed().without(half).faults();
        assert!(
            faults.len() == 1 && faults[0].contains("an API key is both"),
            "{faults:?}"
        );
    }
    let faults = place().var("TWILIO_ACCOUNT_SID", "SK0123").faults();
    assert!(
        faults.len() == 1 && faults[0].contains("TWILIO_API_KEY"),
        "{faults:?}"
    );
}

#[test]
fn a_sender_is_whatever_twilio_takes() {
    for (sender, kept) in [
        ("Ringback", "Ringback"),
        ("12345", "12345"),
        ("MGMResorts", "MGMResorts"),
        ("MG123", "MG123"),
        ("+1 (415) 200-0001", "+14152000001"),
        (
            "MG0123456789abcdef0123456789abcdef",
            "MG0123456789abcdef0123456789abcdef",
        ),
    ] {
        let twilio = place().var("TWILIO_PHONE_NUMBER", sender).good().twilio.unwrap();
        assert_eq!(twilio.options.sender, kept);
    }
}

#[test]
fn apps_have_origins_too() {
    let origins = "capacitor://localhost,ionic://localhost,tauri://localhost,https://app.example.com:8443";
    let settings = Place::new().var("RINGBACK__SERVER__CORS_ORIGINS", origins).good();
    assert_eq!(settings.server.cors_origins.join(","), origins);
}
