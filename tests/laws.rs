//! The laws of the house (`docs/architecture.md`), as far as a look at the source can hold them.

use std::{fs, path::Path};

/// Longer files are two files.
const MAX_LINES: usize = 400;

/// A technology, and where its name may stand: files of this name, folders that end in `/`, or whole paths.
const TECHNOLOGIES: [(&str, &[&str]); 19] = [
    ("sqlx", &["postgres.rs", "sqlite.rs"]),
    ("redis", &["redis.rs", "src/redis/", "src/challenges/redis/"]),
    ("deadpool_redis", &["src/redis/"]),
    (
        "reqwest",
        &[
            "src/sms/providers/wire.rs",
            "src/cli/ops_client.rs",
            "src/bin/twilio-sim/receipts.rs",
        ],
    ),
    ("actix_web", &["src/http/", "src/bin/twilio-sim/http/"]),
    ("actix", &["actor.rs", "src/supervision/", "src/startup/"]),
    ("governor", &["src/limits/buckets.rs"]),
    ("argon2", &["src/accounts/passwords/hash.rs"]),
    ("rustix", &["src/accounts/passwords/threads.rs"]),
    ("jsonwebtoken", &["src/tokens/"]),
    ("aws_lc_rs", &["src/tokens/"]),
    ("hmac", &["src/secrets.rs"]),
    ("hkdf", &["src/secrets.rs"]),
    ("rand", &["src/entropy.rs"]),
    ("rlibphonenumber", &["src/phone/"]),
    ("rustls", &["src/startup/"]),
    ("clap", &["src/cli/", "src/bin/twilio-sim/cli.rs"]),
    ("metrics_exporter_prometheus", &["src/telemetry/"]),
    ("utoipa", &["src/http/", "src/readiness.rs"]),
];

/// What stands behind a trait, and the rooms that may know it; `startup` may, always.
const ADAPTERS: [(&str, &[&str]); 18] = [
    ("PostgresUsers", &["src/accounts/"]),
    ("SqliteUsers", &["src/accounts/"]),
    ("PostgresProofs", &["src/accounts/"]),
    ("SqliteProofs", &["src/accounts/"]),
    ("PostgresPasswords", &["src/accounts/"]),
    ("SqlitePasswords", &["src/accounts/"]),
    ("PostgresSessions", &["src/accounts/"]),
    ("SqliteSessions", &["src/accounts/"]),
    ("PostgresLedger", &["src/ledger/"]),
    ("SqliteLedger", &["src/ledger/"]),
    ("RedisChallenges", &["src/challenges/"]),
    ("MemoryChallenges", &["src/challenges/"]),
    ("RedisCounters", &["src/limits/"]),
    // The in-process challenges count their riders in it, in the same step.
    ("MemoryCounters", &["src/limits/", "src/challenges/memory/"]),
    ("Twilio::new", &["src/sms/"]),
    ("Vonage::new", &["src/sms/"]),
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

/// What may stand nowhere, or in few places: the text, where it may, and why not elsewhere.
const FORBIDDEN: [(&str, &[&str], &str); 14] = [
    ("todo!(", &[], "unfinished"),
    ("unimplemented!(", &[], "unfinished"),
    ("dbg!(", &[], "left over"),
    ("unsafe ", &[], "nothing here needs it"),
    ("unbounded", &[], "law 4: a bound on everything"),
    ("ctx.wait(", &[], "holds a whole mailbox up"),
    ("context.wait(", &[], "holds a whole mailbox up"),
    ("AtomicResponse", &[], "holds a whole mailbox up"),
    (
        "SyncArbiter",
        &[],
        "its queue has no bound, and a panic ends its thread",
    ),
    (
        "std::env::var",
        &["src/settings/"],
        "the configuration is read in one place",
    ),
    (
        "println!(",
        &["src/cli/", "src/startup/", "src/bin/twilio-sim/cli.rs"],
        "what is not for the command line is logged",
    ),
    ("std::process::exit", &[], "the exit code is `main`'s"),
    ("std::thread::sleep", &[], "blocks a thread that serves others"),
    ("danger_accept_invalid", &[], "TLS without checks is none"),
];

struct Source {
    /// From the folder of `Cargo.toml`.
    path: String,
    text: String,
}

impl Source {
    /// Lines of code with their numbers, without comments; and without tests, where `whole` is false.
    fn code(&self, whole: bool) -> impl Iterator<Item = (usize, &str)> {
        let tests = self
            .text
            .find("\n#[cfg(test)]\nmod tests {")
            .unwrap_or(self.text.len());
        let text = if whole {
            &self.text[..]
        } else {
            &self.text[..tests]
        };
        let code = text
            .lines()
            .map(|line| match line.trim_start().starts_with("//") {
                true => "",
                false => line.split(" // ").next().unwrap_or_default(),
            });
        code.enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_in(&self, places: &[&str]) -> bool {
        let name = Path::new(&self.path).file_name().unwrap().to_str().unwrap();
        places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => self.path.starts_with(place),
            None if place.contains('/') => self.path == *place,
            None => name == *place,
        })
    }
}

/// All files with one of these endings under a folder.
fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![root.join(folder)]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if endings
                .iter()
                .any(|ending| path.to_string_lossy().ends_with(ending))
            {
                found.push(Source {
                    path: relative(&path, root),
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// Whether a line names a crate: as the beginning of a path. `crate::redis::` is our own room.
fn names_crate(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = &line[..at];
        let begins = |sign: char| !sign.is_alphanumeric() && sign != '_';
        match before.strip_suffix("::") {
            // From the root of all crates, not from a room of ours.
            Some(rest) => !rest.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_'),
            // The room has the name of the crate: without the root it is the room.
            None if name == "redis" => false,
            None => before.chars().last().is_none_or(begins),
        }
    })
}

/// Whether a line has this name as a word.
fn names(line: &str, name: &str) -> bool {
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_technology_is_named_in_one_place() {
    let mut broken = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (technology, places) in TECHNOLOGIES {
            if source.is_in(places) {
                continue;
            }
            let lines = source
                .code(true)
                .filter(|(_, line)| names_crate(line, technology));
            broken.extend(
                lines.map(|(number, line)| format!("{technology} in {}:{number}: {line}", source.path)),
            );
        }
    }
    assert_none(&broken);
}

#[test]
fn the_look_for_technologies_sees_what_it_should() {
    for line in [
        "use sqlx::query;",
        "    sqlx::query(",
        "x: &sqlx::Error",
        "let e = ::sqlx::Error;",
    ] {
        assert!(names_crate(line, "sqlx"), "{line}");
    }
    for line in ["use ::redis::Script;", "    ::redis::cmd("] {
        assert!(names_crate(line, "redis"), "{line}");
    }
    for line in [
        "use crate::redis::RedisLink;",
        "pub use redis::RedisCounters;",
        "    redis::{RedisLink},",
    ] {
        assert!(!names_crate(line, "redis"), "{line}");
    }
    assert!(!names_crate("use actix_web::web;", "actix"));
    assert!(names("    Arc::new(Twilio::new(", "Twilio::new"));
    assert!(!names("MemoryCountersOf", "MemoryCounters"));
    // And that the places are not empty: a crate that is not used any more has no place.
    let all = sources("src", &[".rs"]);
    for (technology, places) in TECHNOLOGIES {
        let used = all.iter().filter(|source| source.is_in(places));
        let mut lines = used.flat_map(|source| source.code(true));
        assert!(
            lines.any(|(_, line)| names_crate(line, technology)),
            "{technology} is nowhere"
        );
    }
}

#[test]
fn startup_alone_knows_which_adapter_stands_behind_which_trait() {
    let mut broken = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (adapter, rooms) in ADAPTERS {
            if source.is_in(rooms) || source.is_in(&["src/startup/"]) {
                continue;
            }
            let lines = source.code(false).filter(|(_, line)| names(line, adapter));
            broken
                .extend(lines.map(|(number, line)| format!("{adapter} in {}:{number}: {line}", source.path)));
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_stands_where_it_must_not() {
    let mut broken = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (text, places, why) in FORBIDDEN {
            if source.is_in(places) {
                continue;
            }
            let lines = source.code(false).filter(|(_, line)| line.contains(text));
            broken.extend(lines.map(|(number, _)| format!("{text} in {}:{number}: {why}", source.path)));
        }
    }
    assert_none(&broken);
}

#[test]
fn no_file_is_longer_than_it_is_readable() {
    let mut broken = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder, &[".rs", ".lua"]) {
            let lines = source.text.lines().count();
            if lines > MAX_LINES {
                broken.push(format!("{}: {lines} lines, {MAX_LINES} at most", source.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut broken = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder, &[".rs", ".lua"]) {
            let says = ["//! ", "-- "]
                .iter()
                .any(|opening| source.text.starts_with(opening));
            // `main.rs` of the binary is one line, and unit tests stand for the file that they test.
            let needs_none = source.path == "src/main.rs" || source.path.ends_with("tests.rs");
            if !says && !needs_none {
                broken.push(format!("{} begins without a word on what it is for", source.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_names_a_machine_it_was_made_on() {
    let mut broken = Vec::new();
    let kinds = [".rs", ".lua", ".sql", ".toml", ".md", ".html", ".sh", ".js"];
    for folder in ["src", "config", "migrations", "docs"] {
        for source in sources(folder, &kinds) {
            for folder in ["/root/", "/home/", "/work/", "/Users/"] {
                if source.text.contains(folder) {
                    broken.push(format!("{folder} in {}", source.path));
                }
            }
        }
    }
    assert_none(&broken);
}

/// A script that touches a key which is not in `KEYS`, or that asks what other keys there are, fails on a Cluster.
#[test]
fn scripts_touch_the_keys_that_they_are_given_and_no_other() {
    let mut broken = Vec::new();
    for source in sources("src", &[".lua"]) {
        for (number, line) in source.text.lines().enumerate() {
            let asks_around = ["'KEYS'", "'SCAN'", "'EVAL'", "'RANDOMKEY'", "'FLUSH", "'SELECT'"];
            let builds_a_key = line.contains("redis.call(")
                && line.split("redis.call(").skip(1).any(|call| {
                    let key = call.split(',').nth(1).unwrap_or_default().trim();
                    key.starts_with(['\'', '"']) || key.contains("..")
                });
            if builds_a_key || asks_around.iter().any(|asked| line.contains(asked)) {
                broken.push(format!("{}:{}: {line}", source.path, number + 1));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_migration_has_its_sister_in_the_other_database() {
    let names = |database: &str| -> Vec<String> {
        let files = sources(&format!("migrations/{database}"), &[".sql"]);
        let name = |source: Source| source.path.rsplit('/').next().unwrap_or_default().to_owned();
        files.into_iter().map(name).collect()
    };
    assert_eq!(names("postgres"), names("sqlite"));
}
