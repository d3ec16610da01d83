//! Settings in, running service out: the one place that knows which adapter stands behind which trait.

use std::{
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware::NormalizePath, web};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    accounts::{
        AccountStore, Accounts, Argon2Cost, Argon2Pool, CostError, DatabaseUrlError, MigrateError,
        PasswordHasher, PoolOptions, PostgresAccounts, SqliteAccounts,
    },
    clock::{Clock, SystemClock},
    entropy::{Entropy, SystemEntropy},
    http::{self, Api},
    limits::{
        self, ClusterCounters, FileError, Limiter, LimiterOptions, LimitsWatch, MemoryCounters,
        RedisCounters, RuleSet,
    },
    otp::{ChallengeStore, MemoryChallenges, Otp, OtpRules, Recipients, RedisChallenges},
    readiness::Readiness,
    redis::{RedisLink, RedisOptions, RedisUrlError},
    secrets::{Keyring, SecretError},
    settings::{Environment, Settings, TwilioSettings},
    sms::{
        Brand, BrandError, DevInbox, DispatcherOptions, Outbox, SmsProvider, SmsQueue, Twilio, TwilioError,
        TwilioOptions,
    },
    supervision::Supervision,
    telemetry::Metrics,
    tokens::{AccessTokens, RefreshTokens},
};

/// The rules that the program carries: in force where no limits file is at hand.
const SHIPPED_LIMITS: &str = include_str!("../config/limits.toml");
/// How long the start waits for a database that is away before it gives up.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(15);

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
    #[error("sms.brand: {0}")]
    Brand(#[from] BrandError),
    #[error("twilio: {0}")]
    Twilio(#[from] TwilioError),
    #[error(transparent)]
    Limits(#[from] FileError),
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl StartError {
    /// 78 where the configuration is at fault, 1 where the surroundings are.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Bind { .. } | Self::File { .. } | Self::Migrate(_) | Self::Io(_) => ExitCode::FAILURE,
            _ => ExitCode::from(78),
        }
    }
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
    servers: Vec<ServerHandle>,
    queue: SmsQueue,
    watch: Option<LimitsWatch>,
    accounts: Arc<dyn AccountStore>,
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
        futures_util::future::join_all(self.servers.iter().map(|server| server.stop(true))).await;
        let left = self
            .shutdown_timeout
            .saturating_sub(began.elapsed())
            .max(Duration::from_secs(1));
        let handed_back = self.queue.drain(left).await;
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
    let keyring = Arc::new(keyring(settings, entropy.as_ref())?);
    let accounts = connect_accounts(settings)?;
    if settings.database.migrate {
        migrate_patiently(accounts.as_ref()).await?;
    }
    let rules = otp_rules(settings);
    let Stores {
        counters,
        challenges,
        outbox,
    } = connect_stores(settings, &rules, &world)?;
    let limiter = Limiter::start(
        &supervision,
        LimiterOptions {
            shards: settings.limits.shards,
            queue: settings.limits.queue,
            max_keys: settings.limits.max_keys,
        },
        limit_rules(settings)?,
        counters,
        Arc::clone(clock),
    )
    .await;
    let watch = settings
        .limits
        .file
        .as_deref()
        .map(|file| LimitsWatch::start(&supervision, file, limiter.clone(), Arc::clone(clock)));

    let inbox = settings
        .twilio
        .is_none()
        .then(|| DevInbox::new(settings.inbox.size, Arc::clone(clock)));
    let provider: Arc<dyn SmsProvider> = match (&settings.twilio, &inbox) {
        (Some(twilio), _) => Arc::new(Twilio::new(twilio_options(twilio))?),
        (None, Some(inbox)) => Arc::new(inbox.clone()),
        (None, None) => unreachable!("without a provider there is an inbox"),
    };
    let recipients = Recipients {
        accounts: Arc::clone(&accounts),
        keyring: Arc::clone(&keyring),
        code_length: rules.length,
    };
    let queue = SmsQueue::start(
        &supervision,
        DispatcherOptions {
            queue: settings.sms.queue,
            in_flight: settings.sms.in_flight,
            lease: settings.sms.lease,
            max_tries: settings.sms.max_tries,
            retry_for: settings.sms.retry_for,
            brand: Brand::parse(&settings.sms.brand)?,
            ttl: rules.ttl,
        },
        provider,
        outbox,
        Arc::new(recipients),
        Arc::clone(clock),
        Arc::clone(entropy),
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
    );
    let issuer = match &settings.server.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{address}"),
    };
    let access = AccessTokens::new(
        &keyring,
        issuer,
        settings.tokens.audience.clone(),
        settings.tokens.access_ttl,
        settings.tokens.cache as u64,
    );
    let draining = Arc::new(AtomicBool::new(false));
    let api = web::Data::new(Api {
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
        otp: Otp {
            rules,
            challenges: Arc::clone(&challenges),
            accounts: Arc::clone(&accounts),
            keyring,
            limiter,
            queue: queue.clone(),
            lease: settings.sms.lease,
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        },
        readiness: Readiness {
            accounts: Arc::clone(&accounts),
            challenges,
            queue: queue.clone(),
            watcher: watch.clone(),
            supervision,
            draining: Arc::clone(&draining),
        },
        inbox,
        metrics,
        phone_check: settings.phone.check,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        body_timeout: settings.server.request_timeout,
    });

    let mut servers = vec![serve_api(settings, listener, api.clone())?];
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
        draining,
    })
}

/// Serves until SIGTERM or SIGINT; SIGHUP reloads.
pub fn serve(settings: Settings) -> ExitCode {
    actix::System::new().block_on(async move {
        let running = match start(&settings, World::default()).await {
            Ok(running) => running,
            Err(error) => return refuse(&error),
        };
        announce(&settings, &running);
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
        );
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            eprintln!("signals can't be listened to");
            return ExitCode::FAILURE;
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => running.reload().await,
            }
        }
        running.stop().await;
        ExitCode::SUCCESS
    })
}

/// Brings the tables to this version's form, and ends.
pub fn migrate(settings: &Settings) -> ExitCode {
    let done = actix::System::new().block_on(async {
        let accounts = connect_accounts(settings)?;
        migrate_patiently(accounts.as_ref()).await?;
        accounts.close().await;
        Ok::<_, StartError>(())
    });
    match done {
        Ok(()) => {
            println!("The database is up to date.");
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Whether a file looks like the limits file, rather than a layer of the configuration.
pub fn is_limits_file(path: &Path) -> bool {
    limits::file::read(path)
        .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("[[rule]]")))
}

/// `config check --file` for a limits file.
pub fn check_limits_file(path: &Path) -> ExitCode {
    match limits::file::load(path) {
        Ok(rules) => {
            println!("The limits are sound: {} rules.", rules.rules().len());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error.into()),
    }
}

fn refuse(error: &StartError) -> ExitCode {
    match error {
        StartError::Limits(error) => error.fault_lines().iter().for_each(|line| eprintln!("{line}")),
        error => eprintln!("{error}"),
    }
    error.exit_code()
}

/// Says where everything is: for people in development, as a log line in production.
fn announce(settings: &Settings, running: &Running) {
    let Running {
        address, ops_address, ..
    } = running;
    if settings.env == Environment::Production {
        tracing::info!(server.bind = %address, version = env!("CARGO_PKG_VERSION"), "serving");
        return;
    }
    let mut lines = format!(
        "Ringback {} (development)\n  API      http://{address}/api/users/\n  Docs     http://{address}/docs/\n",
        env!("CARGO_PKG_VERSION")
    );
    if settings.twilio.is_none() {
        lines += &format!("  Inbox    http://{address}/dev/inbox/\n");
    }
    if let Some(ops) = ops_address {
        lines += &format!("  Metrics  http://{ops}/metrics\n");
    }
    if settings.database.url.is_none() {
        lines += &format!(
            "  Users in SQLite ({}).\n",
            settings.data.dir.join("ringback.db").display()
        );
    }
    if settings.redis.url.is_none() {
        lines += "  Codes, outbox and cluster limits in this process alone: a restart forgets them. Set REDIS_URL to keep them.\n";
    }
    let _ = io::stdout().write_all(lines.as_bytes());
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Bind { key, address, source })
}

fn serve_api(settings: &Settings, listener: TcpListener, api: web::Data<Api>) -> io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .wrap(NormalizePath::trim())
            .wrap(actix_web::middleware::from_fn(http::observe))
            .configure(http::routes)
            .default_service(web::to(http::not_found))
    })
    .workers(settings.server.workers)
    .max_connections(settings.server.max_connections)
    .client_request_timeout(settings.server.request_timeout)
    .shutdown_timeout(settings.server.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    actix::spawn(server);
    Ok(handle)
}

fn serve_ops(listener: TcpListener, api: web::Data<Api>) -> io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .wrap(NormalizePath::trim())
            .configure(http::ops_routes)
            .default_service(web::to(http::not_found))
    })
    .workers(1)
    .max_connections(64)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    actix::spawn(server);
    Ok(handle)
}

struct Stores {
    counters: Arc<dyn ClusterCounters>,
    challenges: Arc<dyn ChallengeStore>,
    outbox: Arc<dyn Outbox>,
}

/// Redis where there is one, this process's memory else.
fn connect_stores(settings: &Settings, rules: &OtpRules, world: &World) -> Result<Stores, StartError> {
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
        outbox: store,
    })
}

fn connect_accounts(settings: &Settings) -> Result<Arc<dyn AccountStore>, StartError> {
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
        Arc::new(SqliteAccounts::connect(&url, options)?)
    } else {
        Arc::new(PostgresAccounts::connect(&url, options)?)
    })
}

/// Migrates, and waits a while for a database that is only just starting.
async fn migrate_patiently(accounts: &dyn AccountStore) -> Result<(), MigrateError> {
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

fn limit_rules(settings: &Settings) -> Result<RuleSet, FileError> {
    match &settings.limits.file {
        Some(file) => limits::file::load(file),
        None => limits::file::parse(SHIPPED_LIMITS, "the limits that the program carries"),
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

fn twilio_options(twilio: &TwilioSettings) -> TwilioOptions {
    TwilioOptions {
        account_sid: twilio.account_sid.clone(),
        auth_token: twilio.auth_token.clone(),
        sender: twilio.phone_number.clone(),
        base_url: twilio.base_url.to_string(),
        connect_timeout: twilio.connect_timeout,
        timeout: twilio.timeout,
    }
}

/// The configured secrets; in development, one that is made once and kept in the data folder.
fn keyring(settings: &Settings, entropy: &dyn Entropy) -> Result<Keyring, StartError> {
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
