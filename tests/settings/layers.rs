//! Which layer says what, and what comes of it.

use std::time::Duration;

use ringback::{
    accounts::Argon2Cost, phone::PhoneCheck, secrets::Keyring, settings::Environment, sms,
    telemetry::LogFormat, texts::TextFolder,
};
use secrecy::ExposeSecret;

use crate::place::{DEFAULT, Place, SECRET, flat};

#[test]
fn default_toml_and_the_reader_know_the_same_keys_and_values() {
    // With no file at all, what is shown was read from the copy in the program.
    let shown = Place::new().good().show();
    assert_eq!(flat(&shown), flat(DEFAULT));
    assert!(
        shown.contains("\nbind = \"127.0.0.1:8000\" # built in\n"),
        "{shown}"
    );
}

#[test]
fn each_default_is_explained() {
    let mut explained = false;
    for line in DEFAULT.lines() {
        if !line.starts_with('#') && line.contains(" = ") {
            assert!(explained, "no comment above: {line}");
        }
        explained = line.starts_with('#');
    }
}

#[test]
fn the_files_that_are_shipped_are_sound() {
    let shipped = |place: Place| {
        place
            .file("default.toml", DEFAULT)
            .file("development.toml", include_str!("../../config/development.toml"))
            .file("production.toml", include_str!("../../config/production.toml"))
            .file("limits.toml", "")
            .file("sms_prices.toml", "")
            .file(
                "messages/verify_phone.en.txt",
                include_str!("../../config/messages/verify_phone.en.txt"),
            )
            .file(
                "messages/verify_email.en.txt",
                include_str!("../../config/messages/verify_email.en.txt"),
            )
            .file(
                "messages/email.html",
                include_str!("../../config/messages/email.html"),
            )
    };
    shipped(Place::new()).good();
    let settings = shipped(Place::new()).production().good();
    assert_eq!(settings.phone_check, PhoneCheck::Valid);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
}

/// As in a container that holds the program alone.
#[test]
fn production_is_strict_without_its_file() {
    let alone = Place::new().production();
    let settings = alone.good();
    assert_eq!(settings.phone_check, PhoneCheck::Valid);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
    let shown = settings.show();
    for line in [
        "\ncheck = \"valid\" # built in for production\n",
        "\nlength = 6 # built in\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    // The defaults on disk take nothing of it back; the environment's own file does, key by key.
    let defaults = Place::new().production();
    let defaults = defaults.file("default.toml", "[phone]\ncheck = \"e164\"\n");
    assert_eq!(defaults.good().phone_check, PhoneCheck::Valid);
    let other = defaults.file("production.toml", "[otp]\nlength = 8\n");
    assert_eq!(other.good().phone_check, PhoneCheck::Valid);
    let loose = other.file("production.toml", "[phone]\ncheck = \"possible\"\n");
    let settings = loose.good();
    assert_eq!(settings.phone_check, PhoneCheck::Possible);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
}

#[test]
fn the_program_carries_all_that_differs_in_production() {
    let shown = flat(&Place::new().production().good().show());
    let shipped = flat(include_str!("../../config/production.toml"));
    assert!(!shipped.is_empty());
    for (key, value) in shipped {
        assert_eq!(shown.get(&key), Some(&value), "{key}");
    }
}

#[test]
fn a_fresh_checkout_needs_no_setting() {
    let settings = Place::new().good();
    assert_eq!(settings.env, Environment::Development);
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8000");
    assert!(settings.database.url.is_none() && settings.redis.is_none());
    assert!(settings.keyring.is_none() && settings.twilio.is_none());
    assert!(settings.server.public_url.is_none() && settings.limits.file.is_none());
    assert_eq!(settings.otp.ttl, Duration::from_secs(600));
    assert_eq!(settings.otp.resend_cooldown, Duration::from_secs(60));
    assert_eq!(settings.phone_check, PhoneCheck::E164);
    assert_eq!(settings.telemetry.format, LogFormat::Pretty);
    assert!(settings.server.workers > 0 && settings.passwords.threads > 0);
    // What stands in the program as well, for its own tests.
    assert_eq!(settings.passwords.cost, Argon2Cost::default());
    let texts = sms::Texts::load(&sms::TextOptions::default(), &TextFolder::default()).unwrap();
    assert_eq!(format!("{:?}", settings.texts.sms), format!("{texts:?}"));
}

#[test]
fn the_later_layer_wins() {
    let url = |place: &Place| {
        place
            .good()
            .database
            .url
            .map(|url| url.expose_secret().to_owned())
    };
    let mut place = Place::new();
    assert_eq!(url(&place), None);
    for (name, value, in_force) in [
        ("default.toml", "sqlite://1", "sqlite://1"),
        ("development.toml", "sqlite://2", "sqlite://2"),
        ("production.toml", "sqlite://other", "sqlite://2"),
    ] {
        place = place.file(name, format!("[database]\nurl = \"{value}\"\n"));
        assert_eq!(url(&place).as_deref(), Some(in_force), "{name}");
    }
    place = place.var("DATABASE_URL", "");
    assert_eq!(
        url(&place).as_deref(),
        Some("sqlite://2"),
        "an empty alias is not set"
    );
    place = place.var("DATABASE_URL", "sqlite://3");
    assert_eq!(url(&place).as_deref(), Some("sqlite://3"));
    place = place.var("RINGBACK__DATABASE__URL", "sqlite://4");
    assert_eq!(url(&place).as_deref(), Some("sqlite://4"));
    place = place.var("RINGBACK__DATABASE__URL", "");
    assert_eq!(url(&place), None, "empty takes a value back");
}

#[test]
fn every_alias_sets_its_key() {
    let settings = Place::new()
        .production()
        .var("TWILIO_BASE_URL", "http://127.0.0.1:9/x")
        .good();
    let twilio = settings.twilio.unwrap().options;
    assert_eq!(twilio.account_sid, "AC0123456789abcdef0123456789abcdef");
    assert_eq!(twilio.auth_token.unwrap().expose_secret(), "hush-token");
    assert_eq!(twilio.sender, "+1234567890");
    assert_eq!(twilio.base_url, "http://127.0.0.1:9/x");
    assert_eq!(
        settings.keyring.unwrap().current().id,
        Keyring::parse(SECRET).unwrap().current().id
    );
    assert_eq!(settings.redis.unwrap().url, "rediss://:hush@cache:6379");
    let auto = Place::new()
        .production()
        .var("RINGBACK__TELEMETRY__FORMAT", "auto");
    assert_eq!(auto.good().telemetry.format, LogFormat::Json);
}

#[test]
fn a_variable_is_read_as_its_key_wants() {
    let settings = Place::new()
        .var(
            "RINGBACK__SERVER__TRUSTED_PROXIES",
            "10.0.0.0/8, 192.0.2.1,2001:db8::/32",
        )
        .var(
            "RINGBACK__SERVER__CORS_ORIGINS",
            "https://app.example.com,http://localhost:3000",
        )
        .var("RINGBACK__SERVER__PUBLIC_URL", "https://id.example.com")
        .var("RINGBACK__DATABASE__MIGRATE", "false")
        .var("RINGBACK__OTP__LENGTH", "8")
        .var("RINGBACK__REDIS__TIMEOUT", "50ms")
        .var("REDIS_URL", "redis://cache")
        .good();
    let proxies: Vec<_> = settings
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    assert_eq!(
        settings.server.cors_origins,
        ["https://app.example.com", "http://localhost:3000"]
    );
    assert_eq!(
        settings.server.public_url.unwrap().as_str(),
        "https://id.example.com/"
    );
    assert!(!settings.database.migrate);
    assert_eq!(settings.otp.length, 8);
    assert_eq!(settings.redis.unwrap().timeout, Duration::from_millis(50));
    let emptied = Place::new()
        .file("default.toml", "server.trusted_proxies = [\"10.0.0.0/8\"]")
        .var("RINGBACK__SERVER__TRUSTED_PROXIES", "");
    assert!(emptied.good().server.trusted_proxies.is_empty());
}

#[test]
fn a_variable_may_name_a_file_that_holds_the_value() {
    let secrets = Place::new()
        .file("token", "hush-from-file\n")
        .file("url", "sqlite://from-file\r\n")
        .file("empty", "\n");
    let path = |name: &str| secrets.dir.join(name).to_str().unwrap().to_owned();
    let settings = Place::new()
        .production()
        .var("TWILIO_AUTH_TOKEN", "")
        .var("TWILIO_AUTH_TOKEN_FILE", &path("token"))
        .good();
    assert_eq!(
        settings
            .twilio
            .unwrap()
            .options
            .auth_token
            .unwrap()
            .expose_secret(),
        "hush-from-file"
    );
    for name in ["DATABASE_URL_FILE", "RINGBACK__DATABASE__URL_FILE"] {
        let url = Place::new().var(name, &path("url")).good().database.url.unwrap();
        assert_eq!(url.expose_secret(), "sqlite://from-file", "{name}");
    }
    // A key whose own name ends so is that key.
    let faults = Place::new()
        .var("RINGBACK__REDIS__CA_FILE", &path("token"))
        .faults();
    assert!(
        !faults
            .iter()
            .any(|fault| fault.contains("must name a file with the value")),
        "{faults:?}"
    );
    for (name, value, why) in [
        (
            "DATABASE_URL_FILE",
            path("no-such"),
            "it can't be read (entity not found)",
        ),
        ("DATABASE_URL_FILE", path("empty"), "it is empty"),
        (
            "RINGBACK__REDIS__URL_FILE",
            path(""),
            "it can't be read (is a directory)",
        ),
    ] {
        let faults = Place::new().var(name, &value).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(name) && faults[0].contains(why), "{faults:?}");
    }
    let both = Place::new()
        .var("DATABASE_URL", "sqlite://1")
        .var("DATABASE_URL_FILE", &path("url"))
        .faults();
    assert!(both[0].contains("set this or DATABASE_URL, not both"), "{both:?}");
}
