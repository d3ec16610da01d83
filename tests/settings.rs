//! The configuration as an operator meets it: files in a folder, variables, one line for each fault.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use proptest::prelude::*;
use ringback::{
    phone::PhoneCheck,
    settings::{Environment, Faults, LogFormat, Settings, Source},
};
use secrecy::ExposeSecret;

const DEFAULT: &str = include_str!("../config/default.toml");
/// 32 bytes.
const SECRET: &str = "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=";

/// A folder and an environment of a test's own.
struct Place {
    dir: PathBuf,
    env: BTreeMap<String, String>,
}

impl Place {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ringback-settings-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let folder = dir.display().to_string();
        Self {
            dir,
            env: BTreeMap::new(),
        }
        .var("RINGBACK_CONFIG_DIR", &folder)
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.dir.join(name), text).unwrap();
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    fn production(self) -> Self {
        self.var("RINGBACK_ENV", "production")
            .var("RINGBACK_SECRET", SECRET)
            .var("DATABASE_URL", "postgres://u:hush@db/ringback")
            .var("REDIS_URL", "redis://:hush@cache:6379")
            .var("TWILIO_ACCOUNT_SID", "AC0123")
            .var("TWILIO_AUTH_TOKEN", "hush-token")
            .var("TWILIO_PHONE_NUMBER", "+1 (234) 567-890")
    }

    fn load(&self) -> Result<Settings, Faults> {
        Settings::load(self.env.clone())
    }

    fn good(&self) -> Settings {
        self.load().unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// The lines of the faults, the folder's path left out.
    fn faults(&self) -> Vec<String> {
        let faults = self
            .load()
            .err()
            .map(|faults| faults.to_string())
            .unwrap_or_default();
        let folder = format!("{}/", self.dir.display());
        faults.lines().map(|line| line.replace(&folder, "")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// `section.key` of each key of a TOML text.
fn flat(text: &str) -> BTreeMap<String, toml::Value> {
    let table: toml::Table = text.parse().unwrap();
    let of_section = |(section, keys): (String, toml::Value)| {
        let keys = keys.as_table().unwrap().clone();
        keys.into_iter()
            .map(move |(key, value)| (format!("{section}.{key}"), value))
    };
    table.into_iter().flat_map(of_section).collect()
}

fn variable(key: &str) -> String {
    format!("RINGBACK__{}", key.replace('.', "__").to_uppercase())
}

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
            .file("development.toml", include_str!("../config/development.toml"))
            .file("production.toml", include_str!("../config/production.toml"))
            .file("limits.toml", "")
    };
    shipped(Place::new()).good();
    let settings = shipped(Place::new()).production().good();
    assert_eq!(settings.phone.check, PhoneCheck::Valid);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
}

#[test]
fn a_fresh_checkout_needs_no_setting() {
    let settings = Place::new().good();
    assert_eq!(settings.env, Environment::Development);
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8000");
    assert!(settings.database.url.is_none() && settings.redis.url.is_none());
    assert!(settings.secret.keys.is_none() && settings.twilio.is_none());
    assert!(settings.server.public_url.is_none() && settings.limits.file.is_none());
    assert_eq!(settings.otp.ttl, Duration::from_secs(600));
    assert_eq!(settings.otp.resend_cooldown, Duration::from_secs(60));
    assert_eq!(settings.phone.check, PhoneCheck::E164);
    assert_eq!(settings.telemetry.format, LogFormat::Pretty);
    assert!(settings.server.workers > 0 && settings.limits.shards > 0 && settings.passwords.threads > 0);
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
    let twilio = settings.twilio.unwrap();
    assert_eq!(twilio.account_sid, "AC0123");
    assert_eq!(twilio.auth_token.expose_secret(), "hush-token");
    assert_eq!(twilio.phone_number, "+1234567890");
    assert_eq!(twilio.base_url.as_str(), "http://127.0.0.1:9/x");
    assert_eq!(settings.secret.keys.unwrap().expose_secret(), SECRET);
    assert_eq!(
        settings.redis.url.unwrap().expose_secret(),
        "redis://:hush@cache:6379"
    );
    assert_eq!(settings.telemetry.format, LogFormat::Json, "auto, in production");
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
    assert_eq!(settings.redis.timeout, Duration::from_millis(50));
    let emptied = Place::new()
        .file("default.toml", "server.trusted_proxies = [\"10.0.0.0/8\"]")
        .var("RINGBACK__SERVER__TRUSTED_PROXIES", "");
    assert!(emptied.good().server.trusted_proxies.is_empty());
}

#[test]
fn every_fault_is_named_at_once_with_its_place_and_what_is_allowed() {
    let place = Place::new()
        .file(
            "default.toml",
            "[server]\nworkers = \"many\"\n\n[otp]\nlength = 5\nttl = 600\n",
        )
        .file(
            "development.toml",
            "[otp]\nlenght = 6\n[serverr]\nbind = \"x\"\n[phone]\ncheck = \"strict\"",
        )
        .var("RINGBACK__SERVER__WORKERS", "4")
        .var("RINGBACK__OTP__MAX_ATTEMPTS", "11")
        .var("RINGBACK__OTP__TLL", "1s")
        .var("RINGBACK_FOO", "bar");
    let duration =
        "must be a duration in quotes, a whole number with ms, s, m, h or d, from \"1s\" to \"1h\"";
    assert_eq!(
        place.faults(),
        [
            "default.toml:2: server.workers = \"many\": must be a whole number from 0 to 1024",
            "default.toml:5: otp.length = 5: must be a whole number from 6 to 10",
            &format!("default.toml:6: otp.ttl = 600: {duration} (not a text in quotes)"),
            "development.toml:2: otp.lenght = 6: no such key, did you mean otp.length?",
            "development.toml:4: serverr.bind = \"x\": no such key, did you mean server.bind?",
            "development.toml:6: phone.check = \"strict\": must be \"e164\", \"possible\" or \"valid\"",
            "environment: RINGBACK_FOO = \"***\": no such variable: \
             must be RINGBACK__SECTION__KEY of a key in config/default.toml",
            "environment: RINGBACK__OTP__MAX_ATTEMPTS = 11: must be a whole number from 1 to 10",
            "environment: RINGBACK__OTP__TLL = \"1s\": no such variable, did you mean RINGBACK__OTP__TTL?",
        ]
    );
    assert_eq!(place.load().unwrap_err().iter().count(), place.faults().len());
}

#[test]
fn what_is_not_toml_is_named_with_line_and_column_and_hides_no_other_fault() {
    let place = Place::new()
        .file(
            "default.toml",
            "[twilio]\nauth_token = hush\n\n[otp]\nttl = \"1s\nlength = 3\n[phone]\ncheck = 1\n",
        )
        .file("development.toml", b"[sms]\nbrand = \"\xff\"\n")
        .var("RINGBACK__OTP__LENGTH", "2");
    let faults = place.faults().join("\n");
    for expected in [
        "default.toml:2:14: not TOML: ",
        "default.toml:5:",
        "default.toml:6: otp.length = 3",
        "default.toml:8: phone.check = 1",
        "development.toml:2:10: not TOML: not UTF-8",
        "RINGBACK__OTP__LENGTH = 2",
    ] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
    assert!(!faults.contains("hush"), "{faults}");
    assert_eq!(faults.lines().count(), 6, "{faults}");
}

#[test]
fn the_choice_of_layers_can_be_wrong_too() {
    let here = Place::new().file("a-file", "");
    for dir in [PathBuf::new(), here.dir.join("nowhere"), here.dir.join("a-file")] {
        let faults = Place::new()
            .var("RINGBACK_CONFIG_DIR", &dir.display().to_string())
            .faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with("environment: RINGBACK_CONFIG_DIR = "),
            "{faults:?}"
        );
    }
    for env in ["", "Production", "staging"] {
        assert_eq!(
            Place::new().var("RINGBACK_ENV", env).faults(),
            [format!(
                "environment: RINGBACK_ENV = \"{env}\": must be \"development\" or \"production\""
            )]
        );
    }
    let unreadable = Place::new();
    fs::create_dir(unreadable.dir.join("development.toml")).unwrap();
    let faults = unreadable.faults();
    assert!(
        faults.len() == 1 && faults[0].starts_with("development.toml: cannot be read"),
        "{faults:?}"
    );
}

#[test]
fn unknown_sections_misplaced_keys_and_rules_say_where_they_belong() {
    let place = Place::new().file(
        "development.toml",
        "server = 3\nbind = \"x\"\n[otp.ttl]\nx = 1\n[nothing]\n[sms]\n[inbox]\nfolder = 1\n[[rule]]\nid = \"a\"\n",
    );
    let faults = place.faults();
    for expected in [
        "development.toml:1: server = \"***\": must be a section, [server]",
        "development.toml:2: bind = \"***\": no such section: must be server, database, redis,",
        "development.toml:3: otp.ttl = {…}: must be a duration",
        "development.toml:5: nothing = {…}: no such section: must be server,",
        "development.toml:8: inbox.folder = \"***\": no such key: [inbox] has size",
        "development.toml:9: rule = \"***\": rules stand in a file of their own, which limits.file names",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(expected)),
            "{expected}\n{faults:#?}"
        );
    }
    assert_eq!(faults.len(), 6, "{faults:#?}");
}

#[test]
fn only_variables_that_are_meant_for_us_are_judged() {
    Place::new()
        .var("RINGBACK_TEST_DATABASE_URL", "x")
        .var("HOME", "/")
        .var("TWILIO_API_KEY", "x")
        .var("REDIS_HOST", "x")
        // A Kubernetes service by the name of `ringback`, and one named `ringback-ops`.
        .var("RINGBACK_SERVICE_HOST", "10.0.0.1")
        .var("RINGBACK_SERVICE_PORT", "8000")
        .var("RINGBACK_SERVICE_PORT_HTTP", "8000")
        .var("RINGBACK_PORT", "tcp://10.0.0.1:8000")
        .var("RINGBACK_PORT_8000_TCP", "tcp://10.0.0.1:8000")
        .var("RINGBACK_PORT_8000_TCP_ADDR", "10.0.0.1")
        .var("RINGBACK_OPS_PORT", "tcp://10.0.0.1:8001")
        .good();
    for (name, hint) in [
        ("RINGBACK_PORT", "no such variable"),
        ("RINGBACK__SERVER", "no such variable"),
        ("RINGBACK__SERVER__PORT", "no such variable"),
        ("RINGBACK__SERVER__BIND__X", "no such variable"),
        ("RINGBACK__server__bind", "did you mean RINGBACK__SERVER__BIND?"),
        ("RINGBACK_SECRETS", "did you mean RINGBACK_SECRET?"),
        ("RINGBACK_CONFIG_DIRS", "did you mean RINGBACK_CONFIG_DIR?"),
        ("RINGBACK__SERVICE_HOST", "no such variable"),
    ] {
        let faults = Place::new().var(name, "8000").faults();
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert!(
            faults[0].contains(&format!("{name} = ")) && faults[0].contains(hint),
            "{faults:?}"
        );
    }
    let broken = Place::new().var("REDIS_URL", "redis://\u{FFFD}").faults();
    assert_eq!(broken, ["environment: REDIS_URL: must be UTF-8"]);
}

/// For each key a value that is good, and some that are not.
const VALUES: &[(&str, &str, &[&str])] = &[
    (
        "server.bind",
        "[::]:0",
        &["", "8000", "localhost:8000", "127.0.0.1", "127.0.0.1:70000"],
    ),
    ("server.ops_bind", "0.0.0.0:9", &["", "127.0.0.1:8000"]),
    (
        "server.public_url",
        "http://id.example.com:8443",
        &[
            "id.example.com",
            "ftp://x",
            "https://x/path",
            "https://x/?q",
            "https://x/#f",
            "https://u:hush@x/",
            "https://",
        ],
    ),
    (
        "server.workers",
        "1024",
        &["1025", "-1", "1.5", "", "two", "99999999999999999999"],
    ),
    (
        "server.trusted_proxies",
        "::1",
        &["10.0.0.0/33", "proxy", "10.0.0.0/8,,"],
    ),
    ("server.shutdown_timeout", "1s", &["0s", "301s", "30"]),
    ("server.request_timeout", "5m", &["99ms", "6m"]),
    (
        "server.cors_origins",
        "*",
        &[
            "https://a.example/",
            "https://a.example:443",
            "a.example",
            "*,https://a.example",
            "null",
            "https://A.example",
        ],
    ),
    ("server.max_connections", "1", &["0", "1000001"]),
    (
        "database.url",
        "postgresql:///db?host=/run/postgresql",
        &[
            "mysql://x/y",
            "sqlite://",
            "sqlite://?mode=ro",
            "sqlite::memory:",
            "postgres://",
            "postgres://u:hush@h:port/db",
            "hush",
        ],
    ),
    ("database.max_connections", "1000", &["0", "1001"]),
    ("database.timeout", "50ms", &["49ms", "11s"]),
    ("database.migrate", "false", &["no", "0", "", "False"]),
    (
        "redis.url",
        "rediss://:hush@a:1,rediss://:hush@b:2",
        &[
            "http://x",
            "redis://",
            "redis://:hush@h:port",
            "redis+sentinel://:hush@h:1",
            "hush",
        ],
    ),
    (
        "redis.prefix",
        "a:B_c-1",
        &["", "{a}", "a b", "é", "012345678901234567890123456789012"],
    ),
    ("redis.timeout", "1s", &["49ms", "1001ms"]),
    ("data.dir", "/var/lib/ringback", &[""]),
    ("secret.keys", SECRET, &["hush", "aHVzaA==", "hush,hush"]),
    ("otp.ttl", "1h", &["999ms", "61m", "0s"]),
    ("otp.max_attempts", "10", &["0", "11", "256"]),
    ("otp.length", "10", &["5", "11"]),
    ("otp.resend_cooldown", "0s", &["61m", "-1s"]),
    ("otp.max_failures", "1000", &["0", "1001"]),
    ("otp.failure_window", "24h", &["0s", "25h"]),
    ("otp.require_challenge_id", "true", &["yes"]),
    ("phone.check", "possible", &["", "E164"]),
    ("passwords.memory_kib", "8", &["7", "1048577"]),
    ("passwords.iterations", "100", &["0", "101"]),
    ("passwords.parallelism", "64", &["0", "65"]),
    ("passwords.threads", "256", &["257"]),
    ("passwords.queue", "1", &["0", "10001"]),
    ("tokens.audience", "https://api.example.com", &["", "a b", "ä"]),
    ("tokens.access_ttl", "24h", &["0s", "25h"]),
    ("tokens.refresh_ttl", "365d", &["0s", "366d"]),
    ("tokens.refresh_grace", "0s", &["301s"]),
    ("tokens.cache", "0", &["-1", "10000001"]),
    (
        "sms.brand",
        "Café Übersø",
        &[
            "",
            " ",
            "a ",
            "a\nb",
            "\u{202E}a",
            "0123456789012345678901234567890",
        ],
    ),
    ("sms.queue", "1", &["0", "1000001"]),
    ("sms.in_flight", "1", &["0", "10001"]),
    ("sms.lease", "1s", &["0s", "11m"]),
    ("sms.max_tries", "20", &["0", "21"]),
    ("sms.retry_for", "1h", &["0s", "61m"]),
    (
        "twilio.base_url",
        "http://127.0.0.1:1/prefix",
        &["", "api.twilio.com", "https://u:hush@x", "https://x/?q"],
    ),
    ("twilio.connect_timeout", "30s", &["49ms", "31s"]),
    ("twilio.timeout", "1m", &["49ms", "61s"]),
    ("limits.file", "Cargo.toml", &["", "nowhere.toml", "src"]),
    ("limits.shards", "256", &["257"]),
    ("limits.queue", "1", &["0", "1000001"]),
    ("limits.max_keys", "1", &["0", "100000001"]),
    ("limits.instances", "10000", &["0", "10001"]),
    ("inbox.size", "1", &["0", "10001"]),
    (
        "telemetry.log",
        "WARN,ringback::sms=debug",
        &["", "inof", "info,", "ringback=loud"],
    ),
    ("telemetry.format", "pretty", &["", "text"]),
];

#[test]
fn each_key_has_its_bounds() {
    for (key, good, bad) in VALUES {
        Place::new().var(&variable(key), good).good();
        for value in *bad {
            let faults = Place::new().var(&variable(key), value).faults();
            assert_eq!(faults.len(), 1, "{key} = {value}: {faults:?}");
            assert!(
                faults[0].starts_with(&format!("environment: {} = ", variable(key))),
                "{faults:?}"
            );
            assert!(!faults[0].contains("hush"), "{faults:?}");
        }
    }
    let account = ["twilio.account_sid", "twilio.auth_token", "twilio.phone_number"];
    let tested: BTreeSet<_> = VALUES
        .iter()
        .map(|(key, ..)| *key)
        .chain(account)
        .map(str::to_owned)
        .collect();
    assert_eq!(
        tested,
        flat(DEFAULT).into_keys().collect(),
        "a key without a test"
    );
}

#[test]
fn a_wrong_type_is_a_fault_for_every_key() {
    for (key, value) in flat(DEFAULT) {
        let (section, name) = key.split_once('.').unwrap();
        // A float is the type of no key; text is none for numbers, and a number none for text.
        let other = if value.is_str() { "7" } else { "\"x\"" };
        for wrong in ["1.5", other, "1979-05-27", "{ a = 1 }", "[[1]]"] {
            let text = format!("[{section}]\n{name} = {wrong}\n");
            let faults = Place::new()
                .production()
                .var("RINGBACK_ENV", "development")
                .file("development.toml", text)
                .faults();
            assert_eq!(faults.len(), 1, "{key} = {wrong}: {faults:?}");
            assert!(
                faults[0].starts_with(&format!("development.toml:2: {key} = ")),
                "{faults:?}"
            );
        }
    }
}

#[test]
fn production_falls_back_on_nothing() {
    let faults = Place::new().var("RINGBACK_ENV", "production").faults();
    assert_eq!(faults.len(), 4, "{faults:?}");
    let names = [
        "DATABASE_URL",
        "REDIS_URL",
        "RINGBACK_SECRET",
        "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER",
    ];
    for (fault, name) in faults.iter().zip(names) {
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
fn a_part_of_a_twilio_account_is_a_fault_that_names_the_rest() {
    let names = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"];
    for env in ["development", "production"] {
        for name in names {
            let faults = Place::new()
                .production()
                .var("RINGBACK_ENV", env)
                .without(name)
                .faults();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].starts_with(&format!("environment: {name}: not set")),
                "{faults:?}"
            );
        }
    }
    let faults = Place::new().var("TWILIO_AUTH_TOKEN", "hush").faults();
    assert!(
        faults[0].contains("TWILIO_ACCOUNT_SID, TWILIO_PHONE_NUMBER: not set"),
        "{faults:?}"
    );
    for (name, value) in [
        ("TWILIO_ACCOUNT_SID", "AC/../x"),
        ("TWILIO_AUTH_TOKEN", "hush hush"),
        ("TWILIO_PHONE_NUMBER", "4152000001"),
        ("TWILIO_PHONE_NUMBER", "MG/x"),
    ] {
        let faults = Place::new().production().var(name, value).faults();
        assert!(faults.len() == 1 && faults[0].contains(name), "{faults:?}");
        assert!(!faults[0].contains("hush"), "{faults:?}");
    }
    let service = "MG0123456789abcdef0123456789abcdef";
    let settings = Place::new()
        .production()
        .var("TWILIO_PHONE_NUMBER", service)
        .good();
    assert_eq!(settings.twilio.unwrap().phone_number, service);
}

#[test]
fn shortening_a_code_shortens_what_cannot_outlast_it() {
    let settings = Place::new()
        .production()
        .var("RINGBACK__OTP__TTL", "2s")
        .var("RINGBACK__SMS__LEASE", "1s")
        .good();
    assert_eq!(settings.otp.resend_cooldown, Duration::from_secs(2));
    assert_eq!(settings.sms.retry_for, Duration::from_secs(2));
    let shown = settings.show();
    let note = "resend_cooldown = \"60s\" # built in; in force: 2s, since it lasts no longer than otp.ttl";
    assert!(shown.contains(note), "{shown}");
    let twilio = settings.twilio.unwrap();
    assert_eq!(twilio.timeout, Duration::from_secs(1));
    assert_eq!(twilio.connect_timeout, Duration::from_secs(1));
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let same = Place::new()
        .var("RINGBACK__SERVER__BIND", "127.0.0.1:8001")
        .faults();
    assert_eq!(
        same,
        ["built in: server.ops_bind = \"127.0.0.1:8001\": must be another address than server.bind"]
    );
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
    // Whoever names a file himself means it, even by the default's name.
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
        .var("RINGBACK__SMS__BRAND", "A \"B\" \\ C");
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
        .good();
    assert_eq!(flat(&again.show()), flat(&shown));
    assert_eq!(again.sms.brand, "A \"B\" \\ C");
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
        check("[twilio]\naccount_sid = \"AC1\"\n"),
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
    let settings = Place::new().production().good();
    let shown = settings.show();
    for text in [&shown, &format!("{settings:?}"), &format!("{settings:#?}")] {
        assert!(!text.contains("hush") && !text.contains(SECRET), "{text}");
    }
    assert!(
        shown.contains("url = \"postgres://u:***@db/ringback\" # environment: DATABASE_URL"),
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
             [databse]\nurl = \"postgres://u:hush@h/d\"\n",
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
