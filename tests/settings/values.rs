//! Each key, what it takes and what it refuses.

use std::collections::BTreeSet;

use crate::place::{DEFAULT, Place, SECRET, flat, variable};

/// For each key a value that is good, and some that are not.
const VALUES: &[(&str, &str, &[&str])] = &[
    (
        "server.bind",
        "[::]:0",
        &["", "8000", "localhost:8000", "127.0.0.1", "127.0.0.1:70000"],
    ),
    ("server.ops_bind", "0.0.0.0:9", &["", "127.0.0.1:8000"]),
    (
        "admin.bind",
        "[::1]:9",
        &["", "8002", "127.0.0.1:8000", "127.0.0.1:8001"],
    ),
    (
        "admin.public_url",
        "https://admin.example.com",
        &["admin.example.com", "http://admin.example.com", "https://x/admin"],
    ),
    ("admin.session_ttl", "1m", &["59s", "25h", "8"]),
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
    ("server.ipv6_prefix", "48", &["31", "129", "/64"]),
    (
        "server.ops_token",
        "0123456789abcdef",
        &["hush", "hush hush hush hush"],
    ),
    ("server.drain_delay", "5m", &["301s", "-1s"]),
    ("server.allow_plaintext", "true", &["yes"]),
    ("database.allow_plaintext", "true", &["yes"]),
    ("redis.allow_plaintext", "true", &["yes"]),
    ("twilio.allow_plaintext", "true", &["yes"]),
    ("vonage.allow_plaintext", "true", &["yes"]),
    ("webhook.allow_plaintext", "true", &["yes"]),
    ("inbox.allow_remote", "true", &["yes"]),
    ("server.shutdown_timeout", "1s", &["0s", "301s", "30"]),
    ("server.request_timeout", "5m", &["99ms", "6m"]),
    ("server.keep_alive", "75s", &["999ms", "61m", "75"]),
    ("server.write_timeout", "10m", &["999ms", "11m"]),
    ("server.docs", "false", &["no", "0"]),
    ("server.start_page", "false", &["no", "0"]),
    (
        "server.cors_origins",
        "capacitor://localhost",
        &[
            "capacitor://",
            "capacitor://localhost/",
            "capacitor:localhost",
            "Capacitor://localhost",
            "file://localhost",
            "https://*.example.com",
        ],
    ),
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
            "https://*.example.com",
            "https://*",
            "capacitor://*",
            "capacitor://",
            "capacitor://localhost/",
            "Capacitor://localhost",
            "ws://a.example",
            "file:///",
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
            "sqlite://:memory:",
            "sqlite://file.db?mode=memory",
            "sqlite://file.db?mode=typo",
            "sqlite://file.db?typo=1",
            "postgres://",
            "postgres://u:hush@h/db?sslmode=typo",
            "postgres://u:hush@h/db?port=typo",
            "postgres://u:hush@h:port/db",
            "postgres://u:hush@h/db?typo=1",
            "postgres://u:hush@h/db?sslmode=require&Typo=1",
            "postgres://u:hush@h/db#x",
            "postgres://u:1/hush@h/db",
            "postgres://u:1#hush@h/db",
            "postgres://u:1?hush@h/db",
            "hush",
        ],
    ),
    ("database.max_connections", "4", &["3", "1001"]),
    ("database.timeout", "50ms", &["49ms", "11s"]),
    ("database.migrate", "false", &["no", "0", "", "False"]),
    ("database.whole_months", "true", &["no", "0", "", "True"]),
    ("database.prepared_statements", "off", &["", "no", "true", "AUTO"]),
    ("database.ca_file", "/etc/ca.pem", &[]),
    (
        "redis.url",
        "rediss://:hush@a:1,rediss://:hush@b:2",
        &[
            "http://x",
            "redis://",
            "redis://:hush@h:port",
            "redis+sentinel://:hush@h:1",
            "redis+sentinel://h:1/main?typo=1",
            "rediss://h:1/#insecure",
            "rediss://a:1,rediss://b:2/#insecure",
            "redis://h:1/?typo=1",
            "redis://h:1/?protocol=resp9",
            "redis://:hu/sh@h:1",
            "redis://:hu#sh@h:1",
            "redis://:hu?sh@h:1",
            "hush",
        ],
    ),
    (
        "redis.prefix",
        "a:B_c-1",
        &["", "{a}", "a b", "é", "012345678901234567890123456789012"],
    ),
    ("redis.ca_file", "/etc/redis/ca.pem", &[]),
    ("redis.timeout", "1s", &["49ms", "1001ms"]),
    ("data.dir", "/var/lib/ringback", &[""]),
    ("secret.keys", SECRET, &["hush", "aHVzaA==", "hush,hush"]),
    ("ledger.retention", "0s", &["3651d", "90", "for ever"]),
    ("ledger.queue", "1000000", &["0", "1000001"]),
    ("events.retention", "0s", &["3651d", "90", "for ever"]),
    ("otp.ttl", "1h", &["999ms", "61m", "0s"]),
    ("otp.max_attempts", "10", &["0", "11", "256"]),
    ("otp.length", "10", &["5", "11"]),
    ("otp.resend_cooldown", "0s", &["61m", "-1s"]),
    ("otp.max_failures", "1000", &["0", "1001"]),
    ("otp.max_failures_in_day", "10000", &["0", "10001"]),
    ("otp.failure_window", "24h", &["0s", "25h"]),
    ("otp.require_challenge_id", "true", &["yes"]),
    ("phone.check", "possible", &["", "E164"]),
    ("phone.reproof_after", "1d", &["23h", "3651d", "180"]),
    (
        "phone.kinds_allow",
        "mobile,premium_rate",
        &["", "Mobile", "mobile,all"],
    ),
    (
        "test_numbers.until",
        "2027-01-31",
        &["2027-02-30", "2027-1-31", "tomorrow", "2027-01-31T00:00"],
    ),
    (
        "test_numbers.anyone_can_verify_in_production",
        "true",
        &["yes", ""],
    ),
    ("accounts.claim_ttl", "1h", &["59m", "3651d", "7"]),
    ("events.refusals_per_minute", "0", &["-1", "100001"]),
    ("events.webhook_retry_for", "1m", &["59s", "3651d", "7"]),
    ("events.webhook_timeout", "30s", &["99ms", "31s", "0s"]),
    ("accounts.unused_ttl", "1d", &["23h", "3651d", "7"]),
    ("accounts.register_code", "optional", &["", "yes", "Required"]),
    ("passwords.memory_kib", "8", &["7", "262145"]),
    ("passwords.iterations", "16", &["0", "17"]),
    ("passwords.parallelism", "64", &["0", "65"]),
    ("passwords.threads", "256", &["257"]),
    ("passwords.queue", "1", &["0", "10001"]),
    ("passwords.min_length", "64", &["7", "65"]),
    ("passwords.breach_file", "/var/lib/ringback/pwned.txt", &[]),
    ("tokens.audience", "https://api.example.com", &["", "a b", "ä"]),
    ("tokens.access_ttl", "24h", &["0s", "25h"]),
    ("tokens.refresh_ttl", "365d", &["0s", "366d"]),
    ("tokens.refresh_grace", "0s", &["301s"]),
    ("tokens.idle_ttl", "5m", &["299s", "366d", "1"]),
    ("tokens.max_sessions", "1", &["0", "1001", "-1"]),
    ("tokens.cache", "0", &["-1", "10000001"]),
    (
        "messages.brand",
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
    (
        "sms.providers",
        "",
        &[
            "twilo",
            "twilio:",
            "twilio:us",
            "twilio:US+!IN",
            "twilio:XX",
            "Twilio",
            "twilio,,",
        ],
    ),
    (
        "messages.language",
        "pt-BR",
        &["", "en_US", "tlh", "a-very-long-language"],
    ),
    (
        "sms.countries_allow",
        "US,CA, ZZ",
        &[
            "us",
            "USA",
            "XX",
            "*,US",
            "* ,*",
            "US,,CA",
            "US+CA",
            "United States",
        ],
    ),
    ("sms.countries_deny", "KP", &["kp", "US;CA"]),
    (
        "messages.folder",
        "config/messages",
        &["", "nowhere", "Cargo.toml"],
    ),
    (
        "sms.webotp_domain",
        "id.xn--bcher-kva.example",
        &[
            "https://example.com",
            "example.com:8443",
            "Example.com",
            "example.com.",
            "bücher.example",
            "a b",
            "-a.example",
            ".",
        ],
    ),
    (
        "sms.android_hash",
        "FA+9qCX9VSu",
        &["FA+9qCX9VS", "FA+9qCX9VSu=", "FA+9qCX9VS "],
    ),
    ("delivery.queue", "1", &["0", "1000001"]),
    ("delivery.in_flight", "1", &["0", "10001"]),
    ("delivery.lease", "1s", &["0s", "11m"]),
    ("delivery.max_tries", "20", &["0", "21"]),
    ("delivery.retry_for", "1h", &["0s", "61m"]),
    ("delivery.probe_after", "10m", &["99ms", "11m"]),
    ("delivery.probe_every", "1h", &["99ms", "61m"]),
    (
        "twilio.base_url",
        "http://127.0.0.1:1/prefix",
        &["", "api.twilio.com", "https://u:hush@x", "https://x/?q"],
    ),
    ("twilio.connect_timeout", "30s", &["49ms", "31s"]),
    ("twilio.timeout", "1m", &["49ms", "61s"]),
    ("twilio.max_per_second", "10000", &["-1", "10001", "1.5"]),
    (
        "vonage.base_url",
        "http://127.0.0.1:1/prefix",
        &["", "rest.nexmo.com", "https://u:hush@x", "https://x/?q"],
    ),
    ("vonage.connect_timeout", "30s", &["49ms", "31s"]),
    ("vonage.timeout", "1m", &["49ms", "61s"]),
    ("vonage.max_per_second", "10000", &["-1", "10001", "1.5"]),
    ("webhook.connect_timeout", "30s", &["49ms", "31s"]),
    ("webhook.timeout", "1m", &["49ms", "61s"]),
    ("webhook.max_per_second", "10000", &["-1", "10001", "1.5"]),
    (
        "mail.ca",
        "tests/support/mail/ca.pem",
        &["nowhere.pem", "Cargo.toml", "src"],
    ),
    (
        "mail.contact",
        "https://example.com/help",
        &["http://example.com", "help", "a b@example.com"],
    ),
    ("mail.connect_timeout", "30s", &["49ms", "31s"]),
    ("mail.timeout", "1m", &["49ms", "61s"]),
    ("mail.max_per_second", "10000", &["-1", "10001", "1.5"]),
    ("limits.file", "Cargo.toml", &["", "nowhere.toml", "src"]),
    ("limits.prices", "Cargo.toml", &["", "nowhere.toml", "src"]),
    ("limits.networks", "Cargo.toml", &["nowhere.toml", "src"]),
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
    // These need others beside them: their tests are elsewhere.
    let together = [
        "database.client_cert_file",
        "database.client_key_file",
        "redis.client_cert_file",
        "redis.client_key_file",
        "test_numbers.codes",
        "twilio.account_sid",
        "twilio.auth_token",
        "twilio.api_key",
        "twilio.api_secret",
        "twilio.phone_number",
        "vonage.api_key",
        "vonage.api_secret",
        "vonage.sender",
        "events.webhook",
        "webhook.url",
        "webhook.secret",
        "mail.url",
        "mail.from",
    ];
    let tested: BTreeSet<_> = VALUES
        .iter()
        .map(|(key, ..)| *key)
        .chain(together)
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
                .every_provider()
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
