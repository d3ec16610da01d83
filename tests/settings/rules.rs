//! What keys demand of each other, and what is shown of them.

use std::{path::PathBuf, time::Duration};

use proptest::prelude::*;
use ringback::{
    accounts::Argon2Cost,
    delivery::Countries,
    phone::Country,
    settings::{Settings, Source},
};

use crate::{
    place::{Place, SECRET, flat},
    texts::message,
};

#[test]
fn a_client_certificate_and_its_key_go_together() {
    const CERTIFICATE: &str = "RINGBACK__DATABASE__CLIENT_CERT_FILE";
    const KEY: &str = "RINGBACK__DATABASE__CLIENT_KEY_FILE";
    let good = Place::new()
        .var(CERTIFICATE, "client.pem")
        .var(KEY, "client.key")
        .good();
    let shown = good.database.postgres.client_key_file;
    assert_eq!(shown, Some(PathBuf::from("client.key")));
    for (set, missing) in [(CERTIFICATE, "client_key_file"), (KEY, "client_cert_file")] {
        let faults = Place::new().var(set, "client.pem").faults();
        assert!(faults.len() == 1 && faults[0].contains(missing), "{faults:?}");
    }
}

#[test]
fn production_falls_back_on_nothing() {
    let faults = Place::new().var("RINGBACK_ENV", "production").faults();
    assert_eq!(faults.len(), 5, "{faults:?}");
    assert!(faults[0].contains("sms.countries_allow"), "{faults:?}");
    let names = [
        "DATABASE_URL",
        "REDIS_URL",
        "RINGBACK_SECRET",
        "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER",
    ];
    for (fault, name) in faults[1..].iter().zip(names) {
        let expected = format!("environment: {name}: not set, and in production nothing falls back");
        assert!(fault.starts_with(&expected), "{fault}");
    }
    for name in ["DATABASE_URL", "REDIS_URL", "RINGBACK_SECRET"] {
        for place in [
            Place::new().production().without(name),
            Place::new().production().var(name, ""),
        ] {
            let faults = place.faults();
            assert!(faults.len() == 1 && faults[0].contains(name), "{faults:?}");
        }
        // What is faulty is not missing as well.
        let faults = Place::new().production().var(name, "?").faults();
        assert!(faults.len() == 1 && faults[0].contains(" = "), "{faults:?}");
    }
    // From a file it is just as good.
    let file = format!("[secret]\nkeys = \"{SECRET}\"");
    Place::new()
        .production()
        .without("RINGBACK_SECRET")
        .file("production.toml", file)
        .good();
}

#[test]
fn shortening_a_code_shortens_what_cannot_outlast_it() {
    let settings = Place::new()
        .production()
        .var("RINGBACK__OTP__TTL", "2s")
        .var("RINGBACK__DELIVERY__LEASE", "1s")
        .good();
    assert_eq!(settings.otp.resend_cooldown, Duration::from_secs(2));
    assert_eq!(settings.dispatcher.retry_for, Duration::from_secs(2));
    let shown = settings.show();
    let note = "resend_cooldown = \"60s\" # built in; in force: 2s, since it lasts no longer than otp.ttl";
    assert!(shown.contains(note), "{shown}");
    let twilio = settings.twilio.unwrap().options;
    assert_eq!(twilio.timeout, Duration::from_secs(1));
    assert_eq!(twilio.connect_timeout, Duration::from_secs(1));
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    // An address of all is every one of its kind.
    for bind in ["127.0.0.1:8001", "0.0.0.0:8001"] {
        let same = Place::new().var("RINGBACK__SERVER__BIND", bind).faults();
        assert_eq!(
            same,
            ["built in: server.ops_bind = \"127.0.0.1:8001\": must be another address than server.bind"]
        );
    }
    let all = Place::new().var("RINGBACK__ADMIN__BIND", "0.0.0.0:8000").faults();
    assert!(all[0].contains("than server.bind and server.ops_bind"), "{all:?}");
    Place::new().var("RINGBACK__SERVER__BIND", "[::]:8001").good();
    Place::new()
        .var("RINGBACK__SERVER__BIND", "127.0.0.1:0")
        .var("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:0")
        .good();
    let lanes = "[passwords]\nmemory_kib = 31\nparallelism = 4\n";
    assert_eq!(
        Place::new().file("development.toml", lanes).faults(),
        [
            "development.toml:2: passwords.memory_kib = 31: must be 32 or more: 8 for each of passwords.parallelism"
        ]
    );
}

/// A hash of a higher cost could be made, and never be read again.
#[test]
fn a_password_hash_costs_no_more_than_one_that_is_read() {
    for (key, most) in [
        ("RINGBACK__PASSWORDS__MEMORY_KIB", Argon2Cost::MAX_MEMORY_KIB),
        ("RINGBACK__PASSWORDS__ITERATIONS", Argon2Cost::MAX_PASSES),
    ] {
        Place::new().var(key, &most.to_string()).good();
        let faults = Place::new().var(key, &(most + 1).to_string()).faults();
        assert!(
            faults.len() == 1 && faults[0].ends_with(&format!(" to {most}")),
            "{faults:?}"
        );
    }
}

#[test]
fn the_rules_are_looked_for_beside_the_files_then_where_the_service_was_started() {
    let found = |place: &Place| place.good().limits.file;
    let beside = Place::new().file("limits.toml", "");
    assert_eq!(found(&beside), Some(beside.dir.join("limits.toml")));
    let beside = Place::new()
        .file("Cargo.toml", "")
        .var("RINGBACK__LIMITS__FILE", "Cargo.toml");
    assert_eq!(found(&beside), Some(beside.dir.join("Cargo.toml")));
    let started = Place::new().var("RINGBACK__LIMITS__FILE", "Cargo.toml");
    assert_eq!(found(&started), Some(PathBuf::from("Cargo.toml")));
    let elsewhere = Place::new().file("rules", "");
    let path = elsewhere.dir.join("rules");
    let absolute = Place::new().var("RINGBACK__LIMITS__FILE", &path.display().to_string());
    assert_eq!(found(&absolute), Some(path));
    // A file that is named is meant, even by the default's name.
    let faults = Place::new().var("RINGBACK__LIMITS__FILE", "limits.toml").faults();
    assert!(
        faults.len() == 1 && faults[0].contains("no such file"),
        "{faults:?}"
    );
}

#[test]
fn what_is_shown_is_what_was_read_where_and_reads_back_the_same() {
    let place = Place::new()
        .file("development.toml", "# first\n[otp]\nlength = 0x8\n")
        .var(
            "RINGBACK__SERVER__CORS_ORIGINS",
            "https://a.example, https://b.example",
        )
        .var("RINGBACK__OTP__MAX_ATTEMPTS", "5")
        .var("RINGBACK__MESSAGES__BRAND", "A \"B\" \\ C");
    let shown = place.good().show();
    for line in [
        &format!("length = 8 # {}/development.toml:3\n", place.dir.display()),
        "max_attempts = 5 # environment: RINGBACK__OTP__MAX_ATTEMPTS\n",
        "cors_origins = [\"https://a.example\", \"https://b.example\"] # environment: ",
        "max_failures = 10 # built in\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let again = Place::new()
        .file("development.toml", &shown)
        .file("limits.toml", "")
        .file("sms_prices.toml", "")
        .file("messages/verify_phone.en.txt", "{brand}: {code}")
        .good();
    assert_eq!(flat(&again.show()), flat(&shown));
    assert_eq!(message(&again, "en"), "A \"B\" \\ C: 123456");
}

#[test]
fn countries_are_allowed_or_denied_but_not_both() {
    let [us, india] = ["US", "IN"].map(|code| Country::parse(code).unwrap());
    assert_eq!(Place::new().good().countries, Countries::All);
    let allowed = Place::new().var("RINGBACK__SMS__COUNTRIES_ALLOW", "US").good();
    assert_eq!(allowed.countries, Countries::Only(vec![us]));
    let file = "[sms]\ncountries_deny = [\"IN\"]\n";
    let denied = Place::new().file("development.toml", file);
    assert_eq!(denied.good().countries, Countries::Except(vec![india]));
    let both = denied.var("RINGBACK__SMS__COUNTRIES_ALLOW", "US");
    assert_eq!(
        both.faults(),
        [
            "development.toml:2: sms.countries_deny = [\"IN\"]: must be empty where sms.countries_allow names \
             countries: what is not allowed is denied"
        ]
    );
}

#[test]
fn a_file_can_be_checked_before_it_is_rolled_out() {
    let check = |text: &str| {
        let place = Place::new()
            .file("candidate.toml", text)
            .file("production.toml", "broken");
        let place = place.var("RINGBACK_ENV", "production");
        Settings::check_file(&place.dir.join("candidate.toml"), place.env.clone())
    };
    assert_eq!(
        check("[twilio]\naccount_sid = \"AC0123456789abcdef0123456789abcdef\"\n"),
        Ok(()),
        "the rest comes from elsewhere"
    );
    let faults = check("[otp]\nttl = \"1x\"\nfoo = 1\n").unwrap_err();
    let lines = faults.iter().map(|fault| match &fault.source {
        Source::File { path, line } => (path.ends_with("candidate.toml"), *line),
        _ => (false, None),
    });
    assert_eq!(lines.collect::<Vec<_>>(), [(true, Some(2)), (true, Some(3))]);
    let absent = Place::new();
    let faults = Settings::check_file(&absent.dir.join("absent.toml"), absent.env.clone()).unwrap_err();
    assert!(
        faults.to_string().contains("absent.toml: cannot be read"),
        "{faults}"
    );
}

#[test]
fn no_secret_leaves_by_any_door() {
    let settings = Place::new().production().every_provider().good();
    let shown = settings.show();
    for text in [&shown, &format!("{settings:?}"), &format!("{settings:#?}")] {
        assert!(!text.contains("hush") && !text.contains(SECRET), "{text}");
        // The webhook's, in base64.
        assert!(!text.contains("aHVza"), "{text}");
    }
    assert!(
        shown.contains("url = \"postgres://u:***@db/ringback?sslmode=require\" # environment: DATABASE_URL"),
        "{shown}"
    );
    assert!(
        shown.contains("keys = \"***\" # environment: RINGBACK_SECRET"),
        "{shown}"
    );
    // Misspelled, misplaced or mistyped, a secret is still one.
    let place = Place::new()
        .file(
            "production.toml",
            "secret = \"hush\"\nauth_token = \"hush\"\n[twilio]\nauth_tokn = \"hush\"\nauth_token = [\"hush\"]\n\
             [webhook]\nsecret = \"hush\"\n[vonage]\napi_secret = 7\napi_secrt = \"hush\"\n[databse]\nurl = \"postgres://u:hush@h/d\"\n",
        )
        .var("RINGBACK_ENV", "production")
        .var("RINGBACK_SECRT", "hush")
        .var("RINGBACK__SECRET__KEY", "hush")
        .var("DATABASE_URL", "hush")
        .var("REDIS_URL", "redis://hush@:x");
    let faults = place.faults().join("\n");
    assert!(
        faults.lines().count() >= 9 && !faults.contains("hush"),
        "{faults}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a password is made of, and however faulty it makes its URL.
    #[test]
    fn no_password_is_shown(before in "[ -~]{0,8}", after in "[ -~]{0,8}", port in "[0-9x]{1,4}") {
        let password = format!("{before}HUSH{after}");
        for (name, value) in [
            ("DATABASE_URL", format!("postgres://user:{password}@host:{port}/db")),
            ("REDIS_URL", format!("redis://:{password}@host:{port}")),
            ("RINGBACK__SERVER__PUBLIC_URL", format!("https://user:{password}@host:{port}")),
            ("RINGBACK_SECRET", password.clone()),
            ("TWILIO_AUTH_TOKEN", password.clone()),
            ("RINGBACK__VONAGE__API_SECRET", password.clone()),
            ("RINGBACK__WEBHOOK__SECRET", password.clone()),
            ("RINGBACK__WEBHOOK__URL", format!("https://user:{password}@host:{port}/path")),
        ] {
            let text = match Place::new().var(name, &value).load() {
                Ok(settings) => format!("{settings:?}{}", settings.show()),
                Err(faults) => format!("{faults}{faults:?}"),
            };
            prop_assert!(!text.contains("HUSH"), "{value}: {text}");
        }
    }

    /// Neither a file nor a variable makes it panic, and each fault is one line.
    #[test]
    fn any_text_is_answered(
        text in "\\PC{0,60}|([a-z]{1,5} ?[=.\\[\\]\"'#\n]{1,3} ?[0-9a-z]{0,3}){0,8}",
        value in any::<String>(),
    ) {
        let place = Place::new().file("development.toml", &text).var("RINGBACK__OTP__TTL", &value);
        if let Err(faults) = place.load() {
            prop_assert_eq!(faults.to_string().lines().count(), faults.iter().count());
        }
    }
}
