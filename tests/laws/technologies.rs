//! A technology is named in one place, and `startup` alone knows which adapter stands behind which trait.

use crate::{
    assert_none,
    code::{File, SOURCES, Target},
};

/// A crate, and where its name may stand: files of this name, folders that end in `/`, or whole paths.
const TECHNOLOGIES: [(&str, &[&str]); 29] = [
    ("sqlx", &["postgres.rs", "sqlite.rs"]),
    ("redis", &["redis.rs", "src/redis/", "src/challenges/redis/"]),
    ("deadpool", &["src/redis/", "src/database/pool/"]),
    ("deadpool_redis", &["src/redis/"]),
    (
        "reqwest",
        &[
            "src/wire.rs",
            "src/cli/ops_client.rs",
            "src/bin/twilio-sim/receipts.rs",
        ],
    ),
    ("actix_http", &["src/http/"]),
    ("actix_service", &["src/http/"]),
    ("lettre", &["src/mail/providers/smtp/"]),
    ("actix_web", &["src/http/", "src/bin/twilio-sim/http/"]),
    (
        "actix",
        &["actor.rs", "actor_tests.rs", "src/supervision/", "src/startup/"],
    ),
    ("minijinja", &["src/http/admin/console/page.rs"]),
    ("governor", &["src/limits/instance/buckets.rs"]),
    ("argon2", &["src/accounts/passwords/hash.rs"]),
    ("bcrypt", &["src/accounts/passwords/foreign.rs"]),
    ("pbkdf2", &["src/accounts/passwords/foreign.rs"]),
    ("scrypt", &["src/accounts/passwords/foreign.rs"]),
    (
        "rustix",
        &["src/accounts/passwords/threads.rs", "src/startup/open_files.rs"],
    ),
    ("jsonwebtoken", &["src/tokens/"]),
    ("aws_lc_rs", &["src/tokens/", "src/sealed.rs", "src/secrets.rs"]),
    ("sd_notify", &["src/startup/service_manager.rs"]),
    ("hkdf", &["src/secrets.rs"]),
    ("rand", &["src/entropy.rs"]),
    ("rlibphonenumber", &["src/phone/"]),
    (
        "icu_properties",
        &["src/unicode.rs", "src/accounts/users/name.rs"],
    ),
    ("idna", &["src/email/"]),
    (
        "rustls",
        &[
            "src/startup/",
            "src/authorities.rs",
            "src/identity.rs",
            "src/cause.rs",
        ],
    ),
    ("clap", &["src/cli/", "src/bin/twilio-sim/cli.rs"]),
    ("metrics_exporter_prometheus", &["src/telemetry/"]),
    ("utoipa", &["src/http/", "src/readiness.rs"]),
];

/// What stands behind a trait, and the rooms that may know it; `startup` may, always.
const ADAPTERS: &[(&str, &[&str])] = &[
    ("PostgresUsers", &["src/accounts/"]),
    ("SqliteUsers", &["src/accounts/"]),
    ("PostgresProofs", &["src/accounts/"]),
    ("SqliteProofs", &["src/accounts/"]),
    ("PostgresPasswords", &["src/accounts/"]),
    ("SqlitePasswords", &["src/accounts/"]),
    ("PostgresSessions", &["src/accounts/"]),
    ("SqliteSessions", &["src/accounts/"]),
    ("PostgresRecords", &["src/accounts/"]),
    ("SqliteRecords", &["src/accounts/"]),
    ("PostgresEvents", &["src/events/"]),
    ("SqliteEvents", &["src/events/"]),
    ("PostgresRefusals", &["src/events/"]),
    ("SqliteRefusals", &["src/events/"]),
    ("PostgresOutgoing", &["src/events/"]),
    ("SqliteOutgoing", &["src/events/"]),
    ("PostgresNotices", &["src/events/"]),
    ("SqliteNotices", &["src/events/"]),
    ("PostgresTransfer", &["src/accounts/"]),
    ("SqliteTransfer", &["src/accounts/"]),
    ("PostgresLedger", &["src/ledger/"]),
    ("SqliteLedger", &["src/ledger/"]),
    ("RedisChallenges", &["src/challenges/"]),
    ("MemoryChallenges", &["src/challenges/"]),
    ("RedisCounters", &["src/limits/"]),
    // The in-process challenges count their riders in it, in the same step.
    ("MemoryCounters", &["src/limits/", "src/challenges/memory/"]),
    ("Twilio::new", &["src/sms/"]),
    ("Vonage::new", &["src/sms/"]),
    ("Smtp::new", &["src/mail/"]),
    ("Webhook::new", &["src/sms/"]),
    (
        "RedisLink",
        &[
            "src/redis/",
            "redis.rs",
            "src/challenges/redis/",
            "src/settings/stores.rs",
        ],
    ),
];

/// Paths and words that may stand nowhere, or in few places: where they may, and why not elsewhere.
const FORBIDDEN: [(&str, &[&str], &str); 14] = [
    ("todo !", &[], "unfinished"),
    ("unimplemented !", &[], "unfinished"),
    ("dbg !", &[], "left over"),
    ("unsafe", &[], "nothing here needs it"),
    ("ctx . wait", &[], "holds a whole mailbox up"),
    (
        "context . wait",
        // Once, at its start: it has no counters to answer by before.
        &["src/limits/instance/actor.rs"],
        "holds a whole mailbox up",
    ),
    ("AtomicResponse", &[], "holds a whole mailbox up"),
    (
        "SyncArbiter",
        &[],
        "its queue has no bound, and a panic ends its thread",
    ),
    (
        "println !",
        &["src/bin/twilio-sim/cli.rs"],
        "it panics where nobody reads: src/output.rs doesn't",
    ),
    ("print !", &[], "likewise"),
    ("eprintln !", &["src/bin/twilio-sim/"], "likewise"),
    ("unbounded_channel", &[], "law 4: a bound on everything"),
    ("unbounded", &[], "law 4: a bound on everything"),
    ("danger_accept_invalid_certs", &[], "TLS without checks is none"),
];

const FORBIDDEN_PATHS: [(&str, &[&str], &str); 3] = [
    (
        "std::env::var",
        &["src/settings/"],
        "the configuration is read in one place",
    ),
    ("std::process::exit", &[], "the exit code is `main`'s"),
    ("std::thread::sleep", &[], "blocks a thread that serves others"),
];

/// Where a file names this crate, or something in it.
fn names_crate(file: &File, path: &str) -> Option<usize> {
    let path: Vec<&str> = path.split("::").collect();
    let named = file.uses(true).find(|used| match file.resolve(used) {
        Target::Other(named) => named.len() >= path.len() && named.iter().zip(&path).all(|(a, b)| a == b),
        Target::Ours(_) => false,
    });
    named.map(|used| used.line)
}

/// Where a file's code has these tokens, one after the other.
fn has_tokens(file: &File, tokens: &str) -> Option<usize> {
    let wanted: Vec<&str> = tokens.split(' ').collect();
    let code: Vec<_> = file.code().collect();
    let mut windows = code.windows(wanted.len());
    let found = windows.find(|window| {
        window
            .iter()
            .zip(&wanted)
            .all(|(token, wanted)| token.text == *wanted)
    });
    found.map(|window| window[0].line)
}

#[test]
fn a_technology_is_named_in_one_place() {
    let mut broken = Vec::new();
    for file in SOURCES.iter() {
        for (technology, places) in TECHNOLOGIES {
            if let Some(line) = names_crate(file, technology)
                && !file.is_in(places)
            {
                broken.push(format!("{technology} in {}:{line}", file.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_technology_has_its_place() {
    for (technology, places) in TECHNOLOGIES {
        for place in places {
            let mut there = SOURCES.iter().filter(|file| file.is_in(&[place]));
            assert!(
                there.any(|file| names_crate(file, technology).is_some()),
                "{technology} is not in {place} any more: take the place off the list"
            );
        }
    }
}

#[test]
fn startup_alone_knows_which_adapter_stands_behind_which_trait() {
    let mut broken = Vec::new();
    for (adapter, rooms) in ADAPTERS {
        let tokens = adapter.replace("::", " : : ");
        for file in SOURCES.iter() {
            if let Some(line) = has_tokens(file, &tokens)
                && !file.is_in(rooms)
                && !file.is_in(&["src/startup/"])
            {
                broken.push(format!("{adapter} in {}:{line}", file.path));
            }
        }
        assert!(
            SOURCES.iter().any(|file| has_tokens(file, &tokens).is_some()),
            "{adapter} is nowhere"
        );
    }
    assert_none(&broken);
}

#[test]
fn nothing_stands_where_it_must_not() {
    let mut broken = Vec::new();
    for file in SOURCES.iter() {
        for (tokens, places, why) in FORBIDDEN {
            if let Some(line) = has_tokens(file, tokens)
                && !file.is_in(places)
            {
                broken.push(format!("{tokens} in {}:{line}: {why}", file.path));
            }
        }
        for (path, places, why) in FORBIDDEN_PATHS {
            if let Some(line) = names_crate(file, path)
                && !file.is_in(places)
                && !file.is_test
            {
                broken.push(format!("{path} in {}:{line}: {why}", file.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn the_look_for_technologies_sees_what_it_should() {
    let named = |text: &str, name: &str| names_crate(&File::parse("src/x/store.rs", text), name).is_some();
    for text in [
        "use sqlx::query;",
        "fn f() { sqlx::query(\"\"); }",
        "fn f(x: &sqlx::Error) {}",
        "type E = ::sqlx::Error;",
        "use sqlx as database; fn f() { database::query(\"\"); }",
        "#[derive(sqlx::FromRow)] struct Row;",
        "fn f() { log!(a, sqlx::query(b)); }",
    ] {
        assert!(named(text, "sqlx"), "{text}");
    }
    assert!(named("use ::redis::Script; mod redis;", "redis"));
    for text in [
        "use crate::redis::RedisLink;",
        "mod redis; pub use redis::RedisCounters;",
        "use crate::redis; fn f() { redis::open(); }",
        "use crate::{redis::{RedisLink}};",
    ] {
        assert!(!named(text, "redis"), "{text}");
    }
    assert!(!named("use actix_web::web;", "actix"));
    assert!(!named(
        "/// Not `sqlx::query`.\nfn f() { \"sqlx::query\"; }",
        "sqlx"
    ));
    assert!(named(
        "use std::env; fn f() { env::var(\"x\"); }",
        "std::env::var"
    ));
    let has = |text: &str, tokens: &str| has_tokens(&File::parse("src/x/store.rs", text), tokens).is_some();
    assert!(has("fn f() { Arc::new(Twilio::new()); }", "Twilio : : new"));
    assert!(!has("struct MemoryCountersOf;", "MemoryCounters"));
    assert!(has("fn f() { ctx.wait(x); }", "ctx . wait"));
    assert!(!has("#[cfg(test)] mod tests { fn f() { todo!() } }", "todo !"));
    // What stands behind the tests is code.
    assert!(has("#[cfg(test)]\nmod tests {}\nfn f() {\n todo!() }", "todo !"));
}
