//! The way to PostgreSQL.

use std::{
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection, PgConnection, Postgres, SqlStr,
    migrate::MigrateError as SqlxMigrateError,
    postgres::{PgArguments, PgConnectOptions, PgSslMode},
};
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use super::{
    Bounds, CONNECT_TIMEOUT, Database, DatabaseUrlError, MIGRATION_TIMEOUT, MigrateError, PoolOptions,
    PoolStatus, PreparedStatements, Schema,
    connection::postgres::{Trust, fault, not_connected},
    lookup_bounds,
    pool::postgres::{GIVE_BACK, Lent, Maker, Pool},
    schema::postgres::{APPLIED, migrations, refused, schema},
    way::postgres::{Way, migrate_in_one_transaction},
};
use crate::{
    authorities, identity, outage,
    unavailable::{Part, Unavailable},
};

/// Kinds of lookups that travel together on connections of their own: sessions, claims, verifications.
const OWN_LOOKUPS: usize = 3;
/// A write that succeeded so lately isn't tried again for readiness, which anybody may ask for.
const BEAT: Duration = Duration::from_millis(500);
/// How long the server may take to see that a connection is gone.
const GONE: Duration = Duration::from_millis(50);
/// The part of a call's time that is kept to say why there was no connection for it.
const SAY_SHARE: u32 = 5;

/// A statement that is run for what it changes.
pub(crate) type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// What only PostgreSQL needs.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    pub prepared_statements: PreparedStatements,
    /// Certificates (PEM) that may sign the server's, beside those that the system trusts. Read at the start.
    pub ca_file: Option<PathBuf>,
    /// The certificate (PEM) that this service shows, and its key. Read at each connection.
    pub client_cert_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
}

/// The pool, and the bound on everything that is asked of it. Cheap to clone.
#[derive(Clone)]
pub struct PostgresLink {
    pool: Pool,
    connect: PgConnectOptions,
    prepared: PreparedStatements,
    /// What stands before the server: found out at the first call.
    way: Arc<OnceCell<Way>>,
    /// Connections that lanes have of their own.
    pub(super) own: Arc<AtomicUsize>,
    lookups: Bounds,
    pub(super) trust: Arc<Trust>,
    timeout: Duration,
    /// When a write for readiness last succeeded.
    beat: Arc<Mutex<Option<Instant>>>,
    /// Whether the last lane that wanted a connection of its own got none.
    starves: Arc<AtomicBool>,
}

impl PostgresLink {
    /// Whether a URL is one to connect to. Nothing is connected.
    ///
    /// # Errors
    /// [`DatabaseUrlError::Postgres`].
    pub fn check(url: &str) -> Result<(), DatabaseUrlError> {
        read(url).map(drop)
    }

    /// The same with its certificates, whose files are read.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn check_with(url: &str, postgres: &PostgresOptions) -> Result<(), DatabaseUrlError> {
        with_tls(read(url)?, url, postgres).map(drop)
    }

    /// Prepares the way; connects at the first call, so the database may be down at the start. Some connections are the
    /// own of lanes of lookups, the others the pool's. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn open(
        url: &SecretString,
        options: PoolOptions,
        postgres: &PostgresOptions,
    ) -> Result<Self, DatabaseUrlError> {
        let connect = with_tls(read(url.expose_secret())?, url.expose_secret(), postgres)?;
        let lookups = lookup_bounds(options.max_connections);
        let own = u32::try_from(OWN_LOOKUPS * lookups.lanes).unwrap_or(u32::MAX);
        let trust = Arc::new(Trust::new(options.timeout / 4));
        let way = Arc::new(OnceCell::new());
        let maker = Maker::new(
            connect.clone(),
            Arc::clone(&way),
            Arc::clone(&trust),
            options.timeout,
        );
        let places = options.max_connections.saturating_sub(own).max(1) as usize;
        let pool = Pool::new(maker, places, options.timeout - options.timeout / SAY_SHARE)
            .map_err(|_| DatabaseUrlError::Postgres)?;
        Ok(Self {
            pool,
            connect,
            prepared: postgres.prepared_statements,
            way,
            own: Arc::default(),
            lookups,
            trust,
            timeout: options.timeout,
            beat: Arc::default(),
            starves: Arc::default(),
        })
    }

    /// A connection for one call.
    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let begin = self.way().await?.begin.clone();
        self.pool.lend(begin).await
    }

    /// A connection that isn't the pool's, for lookups alone, and what begins each statement on it.
    pub(super) async fn connect(&self) -> Result<(PgConnection, Option<SqlStr>), sqlx::Error> {
        // A plan for each number of keys costs as much as the lookup, and one that was made while a table was small reads all of it.
        const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";
        let way = self.way().await?;
        let made = self.make_own().await;
        self.starves.store(made.is_err(), Ordering::Relaxed);
        let mut connection = made.map_err(not_connected)?;
        if !way.shares_sessions {
            sqlx::raw_sql(PLAN_ONCE).execute(&mut connection).await?;
        }
        Ok((connection, way.begin.clone()))
    }

    /// Where the server has no room for another, connections of the pool that rest are given up for it: else a kind of lookup would have none
    /// for as long as they rest.
    async fn make_own(&self) -> Result<PgConnection, sqlx::Error> {
        loop {
            match self.pool.maker().make().await {
                Err(error) if is_full(&error) && self.pool.give_up_one().await => sleep(GONE).await,
                made => return made,
            }
        }
    }

    async fn way(&self) -> Result<&Way, sqlx::Error> {
        if let Some(way) = self.way.get() {
            return Ok(way);
        }
        // What is rare is on the heap: its future is far larger than a query's.
        let find = || Box::pin(Way::find(&self.connect, self.prepared, self.timeout));
        self.way.get_or_try_init(find).await.map_err(not_connected)
    }

    /// Runs one call within the time-out.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Unavailable> {
        match timeout(self.timeout, work).await {
            Ok(Ok(done)) => {
                outage::answered(Part::Database);
                Ok(done)
            }
            Ok(Err(error)) => {
                self.trust.learn(&error);
                Err(unavailable(&error))
            }
            Err(_) => Err(Unavailable::timed_out(Part::Database)),
        }
    }

    /// The same for a lookup that waits its turn to travel with others.
    pub(crate) async fn in_time<T>(
        &self,
        lookup: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        let late = |_| Unavailable::timed_out(Part::Database);
        timeout(self.timeout, lookup).await.map_err(late)?
    }

    /// Runs one statement. Returns how many rows it changed.
    pub(crate) async fn execute(&self, query: Query) -> Result<u64, Unavailable> {
        let done = self.bounded(async { query.execute(self.lend().await?.session()).await });
        Ok(done.await?.rows_affected())
    }

    /// Runs one statement that writes of users whom somebody may be erasing.
    pub(crate) async fn execute_beside_erasures(&self, query: Query) -> Result<(), Unavailable> {
        self.bounded(async {
            let mut lent = self.lend().await?;
            let mut together = lent.begin().await?;
            together.beside_writers().await?;
            query.execute(together.session()).await?;
            together.commit().await
        })
        .await
    }

    /// The bounds of each kind of lookup.
    pub(crate) fn lookups(&self) -> Bounds {
        self.lookups
    }
}

#[async_trait]
impl Database for PostgresLink {
    async fn ping(&self) -> Result<(), Unavailable> {
        // The pool may have what it needs while lookups get nothing.
        if self.starves.load(Ordering::Relaxed) {
            self.bounded(async { Box::pin(self.connect()).await.map(drop) })
                .await?;
        }
        let last = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < BEAT) {
            return self.execute(sqlx::query("SELECT 1")).await.map(drop);
        }
        // A server that became read-only, or whose disk is full, answers whoever reads.
        self.execute(sqlx::query("UPDATE heartbeat SET beats = beats + 1"))
            .await?;
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Runs what has not run yet, on a connection of its own and with its own bound. An advisory lock of PostgreSQL lets one
    /// instance at a time do it.
    async fn migrate(&self) -> Result<(), MigrateError> {
        let mut migrations = migrations();
        let migrating = async {
            // A server that hangs takes connections, and says nothing on them. What runs on one may take its time.
            let connecting = async {
                Ok((
                    self.way().await?,
                    PgConnection::connect_with(&self.connect).await?,
                ))
            };
            let connecting = timeout(self.timeout.min(CONNECT_TIMEOUT), connecting).await;
            let (way, mut connection) = connecting.unwrap_or_else(|_| Err(no_answer()))?;
            if way.shares_sessions {
                migrate_in_one_transaction(way, &mut migrations, &mut connection).await?;
            } else {
                migrations.run_direct(None, &mut connection, false).await?;
            }
            drop(timeout(GIVE_BACK, connection.close()).await);
            Ok(())
        };
        match timeout(MIGRATION_TIMEOUT, migrating).await {
            Ok(outcome) => outcome.map_err(|error: SqlxMigrateError| refused(&error, unavailable)),
            Err(_) => Err(Unavailable::timed_out(Part::Database).into()),
        }
    }

    async fn schema(&self) -> Result<Schema, Unavailable> {
        let look = async {
            let mut lent = self.lend().await?;
            let applied = sqlx::query_scalar(APPLIED).fetch_all(lent.session()).await;
            schema(applied)
        };
        self.bounded(look).await
    }

    fn pool_status(&self) -> PoolStatus {
        let places = self.pool.status();
        PoolStatus {
            size: places.size + self.own.load(Ordering::Relaxed),
            idle: places.available,
        }
    }

    /// Waits for connections on loan, within the time-out.
    async fn close(&self) {
        drop(timeout(self.timeout, self.pool.close()).await);
    }
}

/// Whether the server, or our role there, may have no more connections.
fn is_full(error: &sqlx::Error) -> bool {
    // `too_many_connections`: https://www.postgresql.org/docs/current/errcodes-appendix.html
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("53300"))
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}

fn read(url: &str) -> Result<PgConnectOptions, DatabaseUrlError> {
    let names_scheme = |scheme: &&str| url.starts_with(*scheme);
    if !["postgres://", "postgresql://"].iter().any(names_scheme) {
        return Err(DatabaseUrlError::Postgres); // sqlx would take any scheme
    }
    let connect = PgConnectOptions::from_str(url).map_err(|_| DatabaseUrlError::Postgres)?;
    // PgBouncer refuses parameters that it doesn't know: none is sent that every pooler does not take.
    Ok(connect.extra_float_digits(None).application_name("ringback"))
}

/// Sets what is trusted and shown where the connection is encrypted. What the URL says itself stays.
fn with_tls(
    connect: PgConnectOptions,
    url: &str,
    options: &PostgresOptions,
) -> Result<PgConnectOptions, DatabaseUrlError> {
    let mode = connect.get_ssl_mode();
    let mut connect = match &options.ca_file {
        None if url.contains("sslrootcert=") || url.contains("ssl-root-cert=") || url.contains("ssl-ca=") => {
            connect
        }
        None if matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) => {
            connect.ssl_root_cert_from_pem(authorities::of_the_system())
        }
        None => connect,
        Some(file) => {
            let trusted =
                authorities::with_file(file).map_err(|error| DatabaseUrlError::CaFile(error.kind()))?;
            let mode = match mode {
                PgSslMode::Disable | PgSslMode::Allow => return Err(DatabaseUrlError::PlainWithCa),
                // Whoever names a CA wants the server checked; `require` is as for libpq.
                PgSslMode::Prefer => PgSslMode::VerifyFull,
                PgSslMode::Require => PgSslMode::VerifyCa,
                checked => checked,
            };
            connect.ssl_root_cert_from_pem(trusted).ssl_mode(mode)
        }
    };
    if let (Some(certificate), Some(key)) = (&options.client_cert_file, &options.client_key_file) {
        // They are read anew at each connection; here it is seen that they are good.
        identity::read(certificate, key).map_err(DatabaseUrlError::Identity)?;
        connect = connect.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(connect)
}

/// The options of a connection hold its password.
impl fmt::Debug for PostgresLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresLink({} connections)", self.pool.status().size)
    }
}

/// What went wrong, without a word that could hold a value.
fn unavailable(error: &sqlx::Error) -> Unavailable {
    Unavailable::new(Part::Database, fault(error))
}
