//! Which adapter stands behind which trait: what was configured, or what a laptop can do without.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use super::{StartError, World, providers::Providers};
use crate::{
    accounts::{AccountStore, PostgresAccounts, SqliteAccounts},
    challenges::{ChallengeStore, MemoryChallenges, OtpRules, RedisChallenges, Statuses},
    clock::Clock,
    database::{MigrateError, PoolOptions},
    delivery::{ChannelProvider, Countries, Outbox, Route},
    entropy::Entropy,
    ledger::{LedgerStore, PostgresLedger, SqliteLedger},
    limits::{self, ClusterCounters, FileError, MemoryCounters, RedisCounters, RuleSet},
    redis::{RedisLink, RedisOptions},
    secrets::Keyring,
    settings::Settings,
    sms::{DevInbox, ProviderError},
};

/// The rules that the program carries: in force where no limits file is at hand.
const SHIPPED_LIMITS: &str = include_str!("../../config/limits.toml");
/// How long the start waits for a database that is away before it gives up.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Stores {
    pub(super) counters: Arc<dyn ClusterCounters>,
    pub(super) challenges: Arc<dyn ChallengeStore>,
    pub(super) statuses: Arc<dyn Statuses>,
    pub(super) outbox: Arc<dyn Outbox>,
}

/// Redis where there is one, this process's memory else.
pub(super) fn connect_stores(
    settings: &Settings,
    rules: &OtpRules,
    world: &World,
) -> Result<Stores, StartError> {
    let lease = settings.sms.lease;
    let Some(url) = &settings.redis.url else {
        let counters = Arc::new(MemoryCounters::new(
            Arc::clone(&world.clock),
            settings.limits.max_keys,
        ));
        let store = MemoryChallenges::new(
            Arc::clone(&counters),
            rules.clone(),
            lease,
            Arc::clone(&world.clock),
        );
        let store = Arc::new(store);
        return Ok(Stores {
            counters,
            challenges: Arc::clone(&store) as _,
            statuses: Arc::clone(&store) as _,
            outbox: store,
        });
    };
    let link = Arc::new(RedisLink::open(&RedisOptions {
        url: url.expose_secret().to_owned(),
        prefix: settings.redis.prefix.clone(),
        // Each worker's, and the actors' thread's.
        lanes: settings.server.workers + 1,
        timeout: settings.redis.timeout,
    })?);
    let offset = &world.redis_clock_offset;
    let store = Arc::new(RedisChallenges::new(
        Arc::clone(&link),
        rules.clone(),
        lease,
        Arc::clone(offset),
    ));
    Ok(Stores {
        counters: Arc::new(RedisCounters::with_offset(link, Arc::clone(offset))),
        challenges: Arc::clone(&store) as _,
        statuses: Arc::clone(&store) as _,
        outbox: store,
    })
}

/// The two that share the connections to one database.
pub(super) struct Databases {
    pub(super) accounts: Arc<dyn AccountStore>,
    pub(super) ledger: Arc<dyn LedgerStore>,
}

pub(super) fn connect_database(settings: &Settings) -> Result<Databases, StartError> {
    let options = PoolOptions {
        max_connections: settings.database.max_connections,
        timeout: settings.database.timeout,
    };
    let embedded = || {
        SecretString::from(format!(
            "sqlite://{}",
            settings.data.dir.join("ringback.db").display()
        ))
    };
    let url = settings.database.url.clone().unwrap_or_else(embedded);
    Ok(if url.expose_secret().starts_with("sqlite:") {
        let accounts = SqliteAccounts::connect(&url, options)?;
        let ledger = Arc::new(SqliteLedger::new(accounts.link()));
        let accounts = Arc::new(accounts);
        Databases { accounts, ledger }
    } else {
        let accounts = PostgresAccounts::connect(&url, options)?;
        let ledger = Arc::new(PostgresLedger::new(accounts.link()));
        let accounts = Arc::new(accounts);
        Databases { accounts, ledger }
    })
}

/// Migrates, and waits a while for a database that is only just starting.
pub(super) async fn migrate_patiently(accounts: &dyn AccountStore) -> Result<(), MigrateError> {
    let began = Instant::now();
    loop {
        match accounts.migrate().await {
            Err(MigrateError::Unavailable(error)) if began.elapsed() < MIGRATION_PATIENCE => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            outcome => return outcome,
        }
    }
}

/// The rules that the configuration names; those that the program carries, where it names none.
///
/// # Errors
/// Every fault of the file.
pub fn limit_rules(settings: &Settings) -> Result<RuleSet, FileError> {
    match &settings.limits.file {
        Some(file) => limits::file::load(file),
        None => limits::file::parse(SHIPPED_LIMITS, "the limits that the program carries"),
    }
}

/// The routes to the providers that are configured, or in development without any to the inbox.
pub(super) fn sms_routes(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<Route>, Option<DevInbox>), ProviderError> {
    let providers = Providers::new(settings, clock)?;
    let routes = settings.sms.providers.iter().filter_map(|entry| {
        let (provider, max_per_second) = providers.get(entry.provider)?;
        Some(Route {
            provider: ChannelProvider::Sms(provider),
            countries: entry.countries.clone(),
            max_per_second,
        })
    });
    let routes: Vec<_> = routes.collect();
    if !routes.is_empty() {
        return Ok((routes, None));
    }
    let inbox = DevInbox::new(settings.inbox.size, Arc::clone(clock));
    let route = Route {
        provider: ChannelProvider::Sms(Arc::new(inbox.clone())),
        countries: Countries::All,
        max_per_second: 0,
    };
    Ok((vec![route], Some(inbox)))
}

/// The configured secrets; in development, one that is made once and kept in the data folder.
pub(super) fn keyring(settings: &Settings, entropy: &dyn Entropy) -> Result<Keyring, StartError> {
    if let Some(keys) = &settings.secret.keys {
        return Ok(Keyring::parse(keys.expose_secret())?);
    }
    let path = settings.data.dir.join("secret");
    let failed = |source| StartError::File {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&settings.data.dir).map_err(failed)?;
    match write_new_secret(&path, &BASE64_STANDARD.encode(entropy.bytes::<32>())) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    Keyring::parse(text.trim()).map_err(|source| StartError::SecretFile {
        path: path.clone(),
        source,
    })
}

fn write_new_secret(path: &Path, secret: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")
}
