//! The sections about what is kept, and where: `database`, `redis`, `ledger`, `data`, `secret`.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{
    SECOND,
    reader::{Reader, Refused},
};
use crate::{
    database::{PostgresLink, SqliteLink},
    redis::{RedisLink, RedisOptions},
    secrets::Keyring,
};

/// Where users are kept.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`, `postgresql://…` or `sqlite://path`; none means SQLite in `ringback.db` of [`DataSettings::dir`].
    pub url: Option<SecretString>,
    /// Connections at most.
    pub max_connections: u32,
    /// How long one request may wait for a connection, and how long for an answer.
    pub timeout: Duration,
    /// Whether migrations run at the start.
    pub migrate: bool,
}

impl DatabaseSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            url: reader.optional(
                "database.url",
                "postgres://user:password@host/database or sqlite://path",
                database_url,
            ),
            max_connections: reader.integer("database.max_connections", 4..=1000),
            timeout: reader.duration("database.timeout", SECOND / 20..=10 * SECOND),
            migrate: reader.flag("database.migrate"),
        }
    }
}

/// What is kept of each SMS and its code.
#[derive(Debug, Clone)]
pub struct LedgerSettings {
    /// For how long; zero keeps nothing.
    pub retention: Duration,
    /// Events that wait to be written.
    pub queue: usize,
}

impl LedgerSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            retention: reader.duration("ledger.retention", Duration::ZERO..=3650 * DAY),
            queue: reader.integer("ledger.queue", 1..=1_000_000),
        }
    }
}

/// Asks those who will use it. Nothing is connected here, and no file made; what they say repeats nothing of the URL.
fn database_url(text: &str) -> Result<SecretString, Refused> {
    let (scheme, rest) = text.split_once("://").ok_or_else(Refused::default)?;
    match scheme {
        "postgres" | "postgresql" => {
            let url = Url::parse(text).map_err(Refused::because)?;
            // A socket's folder may stand in the query: `?host=/run/postgresql`.
            let names_host = url.has_host() || url.query_pairs().any(|(name, _)| name == "host");
            if !names_host {
                return Err(Refused::because("no host"));
            }
            PostgresLink::check(text).map_err(Refused::because)?;
        }
        "sqlite" if !rest.is_empty() && !rest.starts_with('?') => {
            SqliteLink::check(text).map_err(Refused::because)?;
        }
        _ => return Err(Refused::default()),
    }
    Ok(text.into())
}

/// Where OTPs, cluster limits and the outbox are kept.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// One server, a Cluster's list, or Sentinel; none means this process's memory.
    pub url: Option<SecretString>,
    /// Begins every key.
    pub prefix: String,
    /// How long one request may take.
    pub timeout: Duration,
}

impl RedisSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let is_prefix = |text: &str| {
            (1..=32).contains(&text.len())
                && text
                    .chars()
                    .all(|sign| sign.is_ascii_alphanumeric() || "_-:".contains(sign))
        };
        Self {
            url: reader.optional(
                "redis.url",
                "redis://host:6379, rediss://host:6379 (TLS), several with commas between them (a Cluster), or \
                 redis+sentinel://host:26379/master-name",
                redis_url,
            ),
            // No braces: they are what spreads keys over a Cluster.
            prefix: reader.text("redis.prefix", "1 to 32 of letters, digits, _, - and :", |text| {
                if is_prefix(text) { Ok(text.to_owned()) } else { Err(Refused::default()) }
            }),
            timeout: reader.duration("redis.timeout", SECOND / 20..=SECOND),
        }
    }
}

/// Asks those who will use it. Nothing is connected here.
fn redis_url(text: &str) -> Result<SecretString, Refused> {
    let options = RedisOptions {
        url: text.to_owned(),
        prefix: String::new(),
        lanes: 1,
        timeout: SECOND,
    };
    // Its error repeats nothing of the URL.
    RedisLink::open(&options).map_err(Refused::because)?;
    Ok(text.into())
}

/// The folder for what the embedded parts keep.
#[derive(Debug, Clone)]
pub struct DataSettings {
    /// Relative to where the service was started, unless absolute.
    pub dir: PathBuf,
}

impl DataSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            dir: reader.text("data.dir", "the path of a folder", |text| match text {
                "" => Err(Refused::default()),
                path => Ok(PathBuf::from(path)),
            }),
        }
    }
}

/// What every key is derived from.
#[derive(Debug, Clone)]
pub struct SecretSettings {
    /// What [`Keyring::parse`] takes, and was seen to take.
    pub keys: Option<SecretString>,
}

impl SecretSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            keys: reader.optional(
                "secret.keys",
                "32 or more random bytes in base64 (`openssl rand -base64 32`), several with commas between them",
                |text| {
                    Keyring::parse(text).map_err(Refused::because)?;
                    Ok(text.into())
                },
            ),
        }
    }
}
