//! Settings in, running service out: the one place that knows which adapter stands behind which trait.
//!
//! [`start`] reads like the map in `lib.rs`; each of its steps is a file here.

mod accounts;
mod base;
mod delivery;
mod flows;
mod housekeeping;
mod http;
mod limits;
mod listeners;
mod providers;
mod run;
mod stores;
mod warnings;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::{
    accounts::CostError,
    clock::{Clock, SystemClock},
    database::{Database, DatabaseUrlError, MigrateError},
    delivery::DeliveryQueue,
    entropy::{Entropy, SystemEntropy},
    http::Listening,
    ledger::Ledger,
    limits::{FileError, Limiter, LimitsWatch},
    redis::RedisUrlError,
    secrets::SecretError,
    settings::Settings,
    sms::ProviderError,
    telemetry::Metrics,
};

pub use limits::limit_rules;
pub use run::{check, check_limits_file, is_limits_file, migrate, serve};

use base::Base;
use listeners::Listeners;

/// How long the end of the service waits for the ledger to be written.
const LEDGER_FLUSH: Duration = Duration::from_secs(3);

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{key} = {address}: {source}")]
    Bind {
        key: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    SecretFile { path: PathBuf, source: SecretError },
    #[error("database.url: {0}")]
    DatabaseUrl(#[from] DatabaseUrlError),
    #[error("redis.url: {0}")]
    RedisUrl(#[from] RedisUrlError),
    #[error("passwords: {0}")]
    PasswordCost(#[from] CostError),
    #[error("SMS provider {0}")]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Limits(#[from] FileError),
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a test puts in the place of the world.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Milliseconds by which Redis's clock is moved.
    pub redis_clock_offset: Arc<AtomicI64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            redis_clock_offset: Arc::default(),
        }
    }
}

/// A running service.
pub struct Running {
    /// Where the API is.
    pub address: SocketAddr,
    /// Where `/metrics` is; none where its port was taken, in development.
    pub ops_address: Option<SocketAddr>,
    shutdown_timeout: Duration,
    servers: Vec<Listening>,
    limiter: Limiter,
    queue: DeliveryQueue,
    watch: Option<LimitsWatch>,
    database: Arc<dyn Database>,
    ledger: Ledger,
    draining: Arc<AtomicBool>,
}

impl Running {
    /// Reads again what can be read again: the limits file.
    pub async fn reload(&self) {
        if let Some(watch) = &self.watch {
            let _ = watch.reload().await;
        }
    }

    /// Ends in order: no new connection, what is in flight finished, unfinished SMS back to the outbox.
    pub async fn stop(self) {
        let began = Instant::now();
        self.draining.store(true, Ordering::Relaxed);
        // What is in flight may yet ask for limits that another worker counted, which may end before.
        self.limiter.gather_here().await;
        futures_util::future::join_all(self.servers.iter().map(Listening::stop)).await;
        let left = self
            .shutdown_timeout
            .saturating_sub(began.elapsed())
            .max(Duration::from_secs(1));
        let handed_back = self.queue.drain(left).await;
        self.ledger.flush(LEDGER_FLUSH).await;
        self.database.close().await;
        tracing::info!(sms.handed_back = handed_back, "stopped");
    }
}

/// Starts everything. Needs an actix system on this thread.
///
/// # Errors
/// [`StartError`]; nothing keeps running then.
pub async fn start(settings: &Settings, world: World) -> Result<Running, StartError> {
    base::prepare_process();
    let metrics = Metrics::init();
    let listeners = Listeners::bind(settings)?;
    let base = Base::new(settings, world)?;
    warnings::tell(settings, base.clock.now());

    let databases = stores::connect_database(settings)?;
    if settings.database.migrate {
        stores::migrate(databases.database.as_ref()).await?;
    }
    let stores = stores::connect(&base)?;
    let limits = limits::start(&base, &stores)?;
    let delivery = delivery::start(&base, &stores, &databases)?;
    let accounts = accounts::start(&base, &databases, &limits)?;
    let flows = flows::start(&base, &stores, &databases, &limits, &delivery);

    let draining = Arc::new(AtomicBool::new(false));
    let readiness = http::readiness(
        &base,
        &stores,
        &databases,
        &limits,
        &delivery,
        Arc::clone(&draining),
    );
    let (queue, ledger) = (delivery.queue.clone(), delivery.ledger.clone());
    let api = http::api(&base, metrics.clone(), readiness, accounts, flows, delivery);
    housekeeping::start(&base, &databases, &metrics);
    let servers = http::serve(&base, listeners, api)?;
    Ok(Running {
        address: servers.address,
        ops_address: servers.ops_address,
        shutdown_timeout: settings.server.shutdown_timeout,
        servers: servers.running,
        limiter: limits.limiter,
        queue,
        watch: limits.watch,
        database: databases.database,
        ledger,
        draining,
    })
}
