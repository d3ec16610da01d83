//! The sections about what is kept, and where: `database`, `redis`, `ledger`, `events`, `data`, `secret`.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    environment::Environment,
    event_webhooks,
    plaintext::Plaintext,
    reader::{Reader, Refused},
    urls::{look_at, postgres_plaintext_host},
    value::SECOND,
};
use crate::{
    database::{PoolOptions, PostgresLink, PostgresOptions, PreparedStatements, SqliteLink},
    events::EventWebhook,
    ledger::LedgerOptions,
    redis::{ClientCertificate, RedisLink, RedisOptions, RedisSecurity},
    secrets::{Keyring, is_guessable},
};

/// Where users are kept.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`, `postgresql://…` or `sqlite://path`; none means SQLite in `ringback.db` of the data folder.
    pub url: Option<SecretString>,
    pub pool: PoolOptions,
    pub postgres: PostgresOptions,
    /// Whether migrations run at the start.
    pub migrate: bool,
    /// Whether what is kept for a time stays until its month is over as a whole.
    pub whole_months: bool,
}

impl DatabaseSettings {
    pub(super) fn read(reader: &mut Reader, env: Environment) -> Self {
        let settings = Self {
            url: reader.optional(
                "database.url",
                "postgres://user:password@host/database or sqlite://path",
                database_url,
            ),
            pool: PoolOptions {
                max_connections: reader.integer("database.max_connections", 4..=1000),
                timeout: reader.duration("database.timeout", SECOND / 20..=10 * SECOND),
            },
            postgres: read_postgres(reader),
            migrate: reader.flag("database.migrate"),
            whole_months: reader.flag("database.whole_months"),
        };
        let url = settings.url.as_ref().map(ExposeSecret::expose_secret);
        let postgres = url.filter(|url| url.starts_with("postgres"));
        let plain = postgres.and_then(postgres_plaintext_host);
        let rule = Plaintext {
            key: "database.url",
            switch: "database.allow_plaintext",
            tls: "?sslmode=verify-full, verify-ca or require",
        };
        rule.refuse(reader, env, plain);
        settings
    }
}

fn read_postgres(reader: &mut Reader) -> PostgresOptions {
    let prepared = [
        ("auto", PreparedStatements::Auto),
        ("on", PreparedStatements::On),
        ("off", PreparedStatements::Off),
    ];
    let mut file = |key| reader.optional(key, "the path of a file", |path| Ok(PathBuf::from(path)));
    let ca_file = file("database.ca_file");
    let client_cert_file = file("database.client_cert_file");
    let client_key_file = file("database.client_key_file");
    if client_cert_file.is_some() != client_key_file.is_some() {
        let missing = match client_key_file {
            Some(_) => "database.client_cert_file",
            None => "database.client_key_file",
        };
        reader.refuse(
            missing,
            "must be set: a client certificate and its key go together",
        );
    }
    PostgresOptions {
        prepared_statements: reader.choice("database.prepared_statements", &prepared),
        ca_file,
        client_cert_file,
        client_key_file,
    }
}

/// The longest time for which anything is kept.
const MOST_KEPT: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What is kept of each SMS and its code.
pub(super) fn read_ledger(reader: &mut Reader) -> LedgerOptions {
    LedgerOptions {
        retention: reader.duration("ledger.retention", Duration::ZERO..=MOST_KEPT),
        queue: reader.integer("ledger.queue", 1..=1_000_000),
    }
}

/// What is kept of what happened to accounts.
#[derive(Debug, Clone)]
pub struct EventSettings {
    pub retention: Duration,
    /// Rows of refusals that this instance writes for a minute, at most.
    pub refusals_per_minute: usize,
    /// Who is told of events, and for how long each is tried.
    pub webhooks: Vec<EventWebhook>,
    pub webhook_retry_for: Duration,
    /// For one call.
    pub webhook_timeout: Duration,
}

impl EventSettings {
    pub(super) fn read(reader: &mut Reader, env: Environment) -> Self {
        Self {
            retention: reader.duration("events.retention", Duration::ZERO..=MOST_KEPT),
            refusals_per_minute: reader.integer("events.refusals_per_minute", 0..=100_000),
            webhooks: event_webhooks::read(reader, env),
            webhook_retry_for: reader.duration("events.webhook_retry_for", 60 * SECOND..=MOST_KEPT),
            webhook_timeout: reader.duration("events.webhook_timeout", SECOND / 10..=30 * SECOND),
        }
    }
}

/// What a query may say, as `sqlx` reads it: it passes over what it doesn't know.
const POSTGRES_QUERY: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Asks those who will use it. Nothing is connected here, and no file made; what they say repeats nothing of the URL.
fn database_url(text: &str) -> Result<SecretString, Refused> {
    let (scheme, rest) = text.split_once("://").ok_or_else(Refused::default)?;
    match scheme {
        "postgres" | "postgresql" => {
            look_at(text, &POSTGRES_QUERY)?;
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

/// Where codes, cluster limits and the outbox are kept, by one connection for each of `lanes`; none means this process's
/// memory.
pub(super) fn read_redis(reader: &mut Reader, env: Environment, lanes: usize) -> Option<RedisOptions> {
    let is_prefix = |text: &str| {
        (1..=32).contains(&text.len())
            && text
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "_-:".contains(character))
    };
    let url = reader.optional(
        "redis.url",
        "redis://host:6379, rediss://host:6379 (TLS), several with commas between them (a Cluster), or \
         redis+sentinel://host:26379/master-name (rediss+sentinel:// with TLS)",
        redis_url,
    );
    // No braces: they are what spreads keys over a Cluster.
    let prefix = reader.text("redis.prefix", "1 to 32 of letters, digits, _, - and :", |text| {
        if is_prefix(text) {
            Ok(text.to_owned())
        } else {
            Err(Refused::default())
        }
    });
    let timeout = reader.duration("redis.timeout", SECOND / 20..=SECOND);
    let plain = url
        .as_deref()
        .and_then(|url| RedisLink::plaintext_hosts(url).ok());
    let rule = Plaintext {
        key: "redis.url",
        switch: "redis.allow_plaintext",
        tls: "rediss:// or rediss+sentinel://",
    };
    rule.refuse(reader, env, plain.unwrap_or_default());
    let security = read_redis_security(reader);
    Some(RedisOptions {
        url: url?,
        security,
        prefix,
        lanes,
        timeout,
    })
}

/// Whom Redis is trusted to be. Whether the files are there and hold what they should is seen at the start.
fn read_redis_security(reader: &mut Reader) -> RedisSecurity {
    const CERTIFICATE: &str = "redis.client_cert_file";
    const KEY: &str = "redis.client_key_file";
    let file = |reader: &mut Reader, key| {
        reader.optional(key, "the path of a file in PEM", |text| Ok(PathBuf::from(text)))
    };
    let ca_file = file(reader, "redis.ca_file");
    let client = match (file(reader, CERTIFICATE), file(reader, KEY)) {
        (Some(certificate_file), Some(key_file)) => Some(ClientCertificate {
            certificate_file,
            key_file,
        }),
        (None, None) => None,
        (certificate, _) => {
            let (missing, set) = if certificate.is_none() {
                (CERTIFICATE, KEY)
            } else {
                (KEY, CERTIFICATE)
            };
            reader.refuse(missing, format!("must be set where {set} is"));
            None
        }
    };
    RedisSecurity { ca_file, client }
}

/// Asks those who will use it. Nothing is connected here.
fn redis_url(text: &str) -> Result<String, Refused> {
    let is_sentinel = text.starts_with("redis+sentinel:") || text.starts_with("rediss+sentinel:");
    if !is_sentinel {
        for node in text.split(',') {
            look_at(node.trim(), &["protocol"])?;
        }
    }
    let options = RedisOptions {
        url: text.to_owned(),
        security: RedisSecurity::default(),
        prefix: String::new(),
        lanes: 1,
        timeout: SECOND,
    };
    // Its error repeats nothing of the URL.
    RedisLink::open(&options).map_err(Refused::because)?;
    Ok(options.url)
}

/// The folder for what the embedded parts keep, relative to where the service was started, unless absolute.
pub(super) fn read_data_dir(reader: &mut Reader) -> PathBuf {
    reader.text("data.dir", "the path of a folder", |text| match text {
        "" => Err(Refused::default()),
        path => Ok(PathBuf::from(path)),
    })
}

/// What every key is derived from.
pub(super) fn read_secret(reader: &mut Reader, env: Environment) -> Option<Keyring> {
    reader.optional(
        "secret.keys",
        "32 or more random bytes in base64 (`openssl rand -base64 32`), several with commas between them",
        |text| {
            let keyring = Keyring::parse(text).map_err(Refused::because)?;
            if env == Environment::Production && is_guessable(text) {
                return Err(Refused::because("not random: a pattern, or few different bytes"));
            }
            Ok(keyring)
        },
    )
}
