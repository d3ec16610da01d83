//! The sections about accounts and their sessions: `accounts`, `passwords`, `tokens`.

use std::{path::PathBuf, time::Duration};

use chrono::TimeDelta;

use super::{
    reader::{Reader, Refused},
    value::{MINUTE, SECOND},
};
use crate::{
    accounts::{
        AccountOptions, Argon2Cost, HasherOptions, MOST_LISTED, PasswordRuleOptions, RegisterCode,
        SessionOptions,
    },
    tokens::AccessOptions,
};

/// The issuer of tokens where no public URL says it. Not the address: instances on other ports of a machine would refuse
/// each other's.
const DEFAULT_ISSUER: &str = "ringback";

/// The last use of a session is known to the minute: a limit of few minutes would say little.
const LEAST_IDLE: Duration = Duration::from_secs(300);

/// How long an account keeps what it never proved, and how one is made.
pub(super) fn read_accounts(reader: &mut Reader) -> AccountOptions {
    let day = 24 * 60 * MINUTE;
    let claim_ttl = reader.duration("accounts.claim_ttl", 60 * MINUTE..=3650 * day);
    let unused_ttl = reader.duration("accounts.unused_ttl", Duration::ZERO..=3650 * day);
    if !unused_ttl.is_zero() && unused_ttl < day {
        reader.refuse(
            "accounts.unused_ttl",
            "must be \"1d\" or more, or \"0s\" for never",
        );
    }
    AccountOptions {
        unused_ttl: TimeDelta::from_std(unused_ttl).unwrap_or(TimeDelta::MAX),
        claim_ttl: TimeDelta::from_std(claim_ttl).unwrap_or(TimeDelta::MAX),
        register_code: reader.choice(
            "accounts.register_code",
            &[
                ("optional", RegisterCode::Optional),
                ("required", RegisterCode::Required),
            ],
        ),
    }
}

/// How costly a guess at a stolen password is.
pub(super) fn read_passwords(reader: &mut Reader) -> HasherOptions {
    let cost = Argon2Cost {
        memory_kib: reader.integer("passwords.memory_kib", 8..=Argon2Cost::MAX_MEMORY_KIB),
        passes: reader.integer("passwords.iterations", 1..=Argon2Cost::MAX_PASSES),
        lanes: reader.integer("passwords.parallelism", 1..=64),
    };
    // RFC 9106, section 3.1: at least 8 KiB for each lane.
    let least = 8 * cost.lanes;
    if cost.memory_kib < least {
        reader.refuse(
            "passwords.memory_kib",
            format!("must be {least} or more: 8 for each of passwords.parallelism"),
        );
    }
    HasherOptions {
        cost,
        threads: reader.cores("passwords.threads", 256),
        queue: reader.integer("passwords.queue", 1..=10_000),
    }
}

/// Which passwords may be set.
pub(super) fn read_password_rules(reader: &mut Reader) -> PasswordRuleOptions {
    PasswordRuleOptions {
        min_length: reader.integer("passwords.min_length", 8..=64),
        breach_file: reader.optional("passwords.breach_file", "the path of a file", |path| {
            Ok(PathBuf::from(path))
        }),
    }
}

/// What tokens say, and how long they and their session last.
pub(super) fn read_tokens(reader: &mut Reader, origin: Option<String>) -> (AccessOptions, SessionOptions) {
    let is_audience = |text: &str| {
        (1..=128).contains(&text.len()) && text.bytes().all(|character| character.is_ascii_graphic())
    };
    let day = 24 * 60 * MINUTE;
    let access = AccessOptions {
        issuer: origin.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
        audience: reader.text(
            "tokens.audience",
            "1 to 128 ASCII characters without spaces",
            |text| {
                if is_audience(text) {
                    Ok(text.to_owned())
                } else {
                    Err(Refused::default())
                }
            },
        ),
        ttl: reader.duration("tokens.access_ttl", SECOND..=day),
        cache: reader.integer("tokens.cache", 0..=10_000_000),
    };
    let ttl = reader.duration("tokens.refresh_ttl", SECOND..=365 * day);
    let grace = reader.duration("tokens.refresh_grace", Duration::ZERO..=5 * MINUTE);
    let grace = TimeDelta::from_std(grace).unwrap_or_default();
    let idle_ttl = reader.duration("tokens.idle_ttl", Duration::ZERO..=365 * day);
    if !idle_ttl.is_zero() && idle_ttl < LEAST_IDLE {
        reader.refuse(
            "tokens.idle_ttl",
            "must be \"5m\" or more, or \"0s\" for no limit",
        );
    }
    let sessions = SessionOptions {
        ttl,
        grace,
        idle_ttl: TimeDelta::from_std(idle_ttl).unwrap_or_default(),
        most: reader.integer("tokens.max_sessions", 1..=MOST_LISTED),
    };
    (access, sessions)
}
