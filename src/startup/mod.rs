//! Settings in, running service out: the one place that knows which adapter stands behind which trait.

mod adapters;
mod providers;
mod run;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::net::TcpSocket;

use crate::{
    accounts::{AccountStore, Accounts, Argon2Cost, Argon2Pool, CostError, PasswordHasher, purge_sessions},
    challenges::{Courses, OtpRules},
    clock::{Clock, SystemClock},
    database::{DatabaseUrlError, MigrateError},
    delivery::{DeliveryQueue, DispatcherOptions, DispatcherParts},
    entropy::{Entropy, SystemEntropy},
    flows::{Otp, Recipients, StatusReports, TestNumbers},
    http::{Api, Listening, serve_api, serve_ops},
    ledger::{Ledger, purge_ledger},
    limits::{FileError, Limiter, LimiterOptions, LimitsWatch},
    phone::{PhoneCheck, PhoneNumber},
    readiness::Readiness,
    redis::RedisUrlError,
    secrets::SecretError,
    settings::{Environment, Settings},
    sms::{ProviderError, Texts},
    supervision::Supervision,
    telemetry::Metrics,
    tokens::{AccessTokens, RefreshTokens},
};

pub use adapters::limit_rules;
use adapters::{Databases, Stores};
pub use run::{check, check_limits_file, is_limits_file, migrate, serve};

/// Who issues tokens where no public URL says it. Not the address: instances on other ports of a machine would refuse
/// each other's.
const DEFAULT_ISSUER: &str = "ringback";
/// Connections that may wait to be accepted; the system may allow less (`net.core.somaxconn`). The standard library's 128
/// are full when 500 clients come at one moment, and who finds no room tries again after a second.
const BACKLOG: u32 = 4096;
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
    #[error("secret.keys: {0}")]
    Secret(#[from] SecretError),
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
    queue: DeliveryQueue,
    watch: Option<LimitsWatch>,
    accounts: Arc<dyn AccountStore>,
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
        futures_util::future::join_all(self.servers.iter().map(Listening::stop)).await;
        let left = self
            .shutdown_timeout
            .saturating_sub(began.elapsed())
            .max(Duration::from_secs(1));
        let handed_back = self.queue.drain(left).await;
        self.ledger.flush(LEDGER_FLUSH).await;
        self.accounts.close().await;
        tracing::info!(sms.handed_back = handed_back, "stopped");
    }
}

/// Starts everything. Needs an actix system on this thread.
///
/// # Errors
/// [`StartError`]; nothing keeps running then.
pub async fn start(settings: &Settings, world: World) -> Result<Running, StartError> {
    // The one provider for every TLS connection; a second start in one process finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let metrics = Metrics::init();
    // libphonenumber's metadata is unpacked at the first number: now, rather than in somebody's request.
    let _ = PhoneNumber::parse("+14152000001", PhoneCheck::Valid);
    let World { clock, entropy, .. } = &world;
    let listener = listen("server.bind", settings.server.bind)?;
    let ops_listener = match listen("server.ops_bind", settings.server.ops_bind) {
        Ok(listener) => Some(listener),
        Err(error) if settings.env == Environment::Development => {
            tracing::warn!(%error, "no metrics: another instance may have the port");
            None
        }
        Err(error) => return Err(error),
    };
    let address = listener.local_addr()?;
    let ops_address = ops_listener.as_ref().map(TcpListener::local_addr).transpose()?;

    let supervision = Supervision::default();
    let keyring = Arc::new(adapters::keyring(settings, entropy.as_ref())?);
    let Databases {
        accounts,
        ledger: ledger_store,
    } = adapters::connect_database(settings)?;
    if settings.database.migrate {
        adapters::migrate_patiently(accounts.as_ref()).await?;
    }
    let rules = otp_rules(settings);
    let texts = &settings.texts.texts;
    warn_of_long_texts(texts);
    warn_of_test_numbers(&settings.test_numbers, clock.now());
    let Stores {
        counters,
        challenges,
        statuses,
        outbox,
    } = adapters::connect_stores(settings, &rules, &world)?;
    let limiter = Limiter::start(
        &supervision,
        LimiterOptions {
            max_keys: settings.limits.max_keys,
            instances: settings.limits.instances,
        },
        adapters::limit_rules(settings)?,
        counters,
        Arc::clone(clock),
    );
    let watch = settings
        .limits
        .file
        .as_deref()
        .map(|file| LimitsWatch::start(&supervision, file, limiter.clone(), Arc::clone(clock)));

    let (routes, inbox) = adapters::sms_routes(settings, clock)?;
    let recipients = Recipients {
        accounts: Arc::clone(&accounts),
        keyring: Arc::clone(&keyring),
        code_length: rules.length,
        texts: Arc::clone(texts),
    };
    let receipts = providers::twilio_receipts(settings);
    let courses = Arc::new(Courses::new(receipts.is_some().then_some("twilio")));
    let ledger = match settings.ledger.retention.is_zero() {
        true => Ledger::off(),
        false => Ledger::start(Arc::clone(&ledger_store), settings.ledger.queue),
    };
    let reports = StatusReports::start(
        Arc::clone(&statuses),
        Arc::clone(&courses),
        ledger.clone(),
        Arc::clone(clock),
        settings.sms.queue,
    );
    let queue = DeliveryQueue::start(
        &supervision,
        DispatcherOptions {
            queue: settings.sms.queue,
            in_flight: settings.sms.in_flight,
            lease: settings.sms.lease,
            max_tries: settings.sms.max_tries,
            retry_for: settings.sms.retry_for,
            probe_after: settings.sms.probe_after,
            probe_every: settings.sms.probe_every,
            ttl: rules.ttl,
        },
        DispatcherParts {
            routes,
            outbox,
            messages: Arc::new(recipients),
            reports: Arc::new(reports),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        },
    );

    let cost = Argon2Cost {
        memory_kib: settings.passwords.memory_kib,
        passes: settings.passwords.iterations,
        lanes: settings.passwords.parallelism,
    };
    let pool = Argon2Pool::new(cost, settings.passwords.threads, Arc::clone(entropy))?;
    let hasher = PasswordHasher::start(
        &supervision,
        pool,
        settings.passwords.threads,
        settings.passwords.queue,
    )?;
    let issuer = providers::origin(settings).unwrap_or_else(|| DEFAULT_ISSUER.to_owned());
    let access = AccessTokens::new(
        &keyring,
        issuer,
        settings.tokens.audience.clone(),
        settings.tokens.access_ttl,
        settings.tokens.cache as u64,
    );
    let draining = Arc::new(AtomicBool::new(false));
    let api = Arc::new(Api {
        accounts: Accounts {
            store: Arc::clone(&accounts),
            hasher,
            access: Arc::new(access),
            refresh: RefreshTokens::new(Arc::clone(&keyring)),
            keyring: Arc::clone(&keyring),
            limiter: limiter.clone(),
            session_ttl: settings.tokens.refresh_ttl,
            grace: TimeDelta::from_std(settings.tokens.refresh_grace).unwrap_or_default(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        },
        otp: Arc::new(Otp {
            rules,
            countries: Arc::new(settings.countries.clone()),
            test_numbers: Arc::new(settings.test_numbers.clone()),
            challenges: Arc::clone(&challenges),
            statuses,
            courses,
            ledger: ledger.clone(),
            accounts: Arc::clone(&accounts),
            keyring,
            limiter,
            queue: queue.clone(),
            lease: settings.sms.lease,
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        }),
        readiness: Readiness {
            accounts: Arc::clone(&accounts),
            challenges,
            queue: queue.clone(),
            watcher: watch.clone(),
            supervision,
            draining: Arc::clone(&draining),
            last: Arc::default(),
        },
        receipts,
        inbox,
        metrics,
        texts: Arc::clone(texts),
        phone_check: settings.phone.check,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        ipv6_prefix: settings.server.ipv6_prefix,
        cors_origins: settings.server.cors_origins.clone(),
        body_timeout: settings.server.request_timeout,
    });

    actix::spawn(api.metrics.clone().keep_up());
    actix::spawn(purge_sessions(Arc::clone(&accounts), Arc::clone(clock)));
    actix::spawn(purge_ledger(
        ledger_store,
        settings.ledger.retention,
        Arc::clone(clock),
    ));
    let mut servers = vec![serve_api(&settings.server, listener, Arc::clone(&api))?];
    if let Some(listener) = ops_listener {
        servers.push(serve_ops(listener, api)?);
    }
    let shutdown_timeout = settings.server.shutdown_timeout;
    Ok(Running {
        address,
        ops_address,
        shutdown_timeout,
        servers,
        queue,
        watch,
        accounts,
        ledger,
        draining,
    })
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?; // as the standard library does
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listening().map_err(|source| StartError::Bind { key, address, source })
}

/// Says that there are phones that anyone can verify, or that there were.
fn warn_of_test_numbers(numbers: &TestNumbers, now: DateTime<Utc>) {
    let count = numbers.count();
    if count == 0 {
        return;
    }
    match numbers.is_in_force(now) {
        true => tracing::warn!(test_numbers.count = count, "anyone can verify the test numbers"),
        false => tracing::warn!(
            test_numbers.count = count,
            "the test numbers are over: test_numbers.until is past"
        ),
    }
}

/// Says which SMS cost more than one.
fn warn_of_long_texts(texts: &Texts) {
    for (language, segments) in texts.long() {
        tracing::warn!(
            sms.language = language.as_str(),
            sms.segments = segments,
            "each SMS in this language is paid for more than once"
        );
    }
}

fn otp_rules(settings: &Settings) -> OtpRules {
    let otp = &settings.otp;
    OtpRules {
        ttl: otp.ttl,
        max_attempts: otp.max_attempts,
        length: otp.length,
        resend_cooldown: otp.resend_cooldown,
        max_failures: otp.max_failures,
        failure_window: otp.failure_window,
        require_challenge_id: otp.require_challenge_id,
    }
}
