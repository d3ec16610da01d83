//! The way to PostgreSQL.

use std::{
    fmt,
    io::{self, ErrorKind},
    ops::{Deref, DerefMut},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection, PgConnection, Postgres,
    migrate::{MigrateError as SqlxMigrateError, Migrator},
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions},
};
use thiserror::Error;
use tokio::time::timeout;

use super::{
    Bounds, Database, DatabaseUrlError, Fault, MIGRATION_TIMEOUT, MigrateError, PoolOptions, PoolStatus,
    lookup_bounds,
};
use crate::unavailable::{Part, Unavailable};

/// A lane's connection that was used so lately is taken to be alive; another is asked first, as those of the pool always
/// are: what they serve can afford it.
const FRESH: Duration = Duration::from_millis(100);
/// Kinds of lookups that travel together on connections of their own: sessions, claims, verifications.
const OWN_LOOKUPS: usize = 3;
/// How long a connection may take to be given back: sqlx drains it and asks it whether it lives, without a bound.
const GIVE_BACK: Duration = Duration::from_secs(1);

/// A statement that is run for what it changes.
pub(crate) type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// The pool, and the bound on everything that is asked of it. Cheap to clone.
#[derive(Clone)]
pub struct PostgresLink {
    pool: PgPool,
    /// With the pool's `statement_timeout`.
    bounded: PgConnectOptions,
    /// Connections that lanes have of their own.
    own: Arc<AtomicUsize>,
    lookups: Bounds,
    trust: Arc<Trust>,
    /// Without the pool's `statement_timeout`: a migration may take long.
    connect: PgConnectOptions,
    timeout: Duration,
}

impl PostgresLink {
    /// Whether a URL is one to connect to. Nothing is connected.
    ///
    /// # Errors
    /// [`DatabaseUrlError::Postgres`].
    pub fn check(url: &str) -> Result<(), DatabaseUrlError> {
        read(url).map(drop)
    }

    /// Prepares the way; connects at the first call, so the database may be down at the start. Some connections are the
    /// own of lanes of lookups, the others the pool's. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn open(url: &SecretString, options: PoolOptions) -> Result<Self, DatabaseUrlError> {
        let connect = read(url.expose_secret())?.application_name("ringback");
        // What nobody waits for any more ends in the server too.
        let bounded = connect
            .clone()
            .options([("statement_timeout", options.timeout.as_millis().to_string())]);
        let lookups = lookup_bounds(options.max_connections);
        let own = u32::try_from(OWN_LOOKUPS * lookups.lanes).unwrap_or(u32::MAX);
        let trust = Arc::new(Trust {
            doubted: Mutex::default(),
            patience: options.timeout / 4,
        });
        let pools = Arc::clone(&trust);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections.saturating_sub(own).max(1))
            .acquire_timeout(options.timeout)
            .test_before_acquire(false)
            .before_acquire(move |connection, about| {
                let trust = Arc::clone(&pools);
                Box::pin(async move {
                    trust.check(connection, about.idle_for, Duration::ZERO).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(bounded.clone());
        Ok(Self {
            pool,
            bounded,
            own: Arc::default(),
            lookups,
            trust,
            connect,
            timeout: options.timeout,
        })
    }

    /// A connection for one call.
    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        // Its error is of one that it tried to make: those that have ended it replaces by itself.
        let connection = self.pool.acquire().await.map_err(not_connected)?;
        Ok(Lent(Some(connection)))
    }

    /// Runs one call within the time-out.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Unavailable> {
        match timeout(self.timeout, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                if broke_a_connection(&error) {
                    self.trust.doubt();
                }
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
        let done = self.bounded(async { query.execute(&mut *self.lend().await?).await });
        Ok(done.await?.rows_affected())
    }

    /// The bounds of each kind of lookup.
    pub(crate) fn lookups(&self) -> Bounds {
        self.lookups
    }
}

#[async_trait]
impl Database for PostgresLink {
    async fn ping(&self) -> Result<(), Unavailable> {
        self.execute(sqlx::query("SELECT 1")).await.map(drop)
    }

    /// Runs what has not run yet, on a connection of its own and with its own bound. PostgreSQL's advisory lock lets one
    /// instance at a time do it.
    async fn migrate(&self) -> Result<(), MigrateError> {
        let mut migrations: Migrator = sqlx::migrate!("migrations/postgres");
        // A newer version may have migrated already; expand and contract lets this one run on beside it.
        migrations.set_ignore_missing(true);
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.timeout)
            .connect_lazy_with(self.connect.clone());
        let outcome = match timeout(MIGRATION_TIMEOUT, migrations.run(&pool)).await {
            Ok(outcome) => outcome.map_err(|error| refused(&error)),
            Err(_) => Err(Unavailable::timed_out(Part::Database).into()),
        };
        drop(timeout(GIVE_BACK, pool.close()).await);
        outcome
    }

    fn pool_status(&self) -> PoolStatus {
        PoolStatus {
            size: self.pool.size() as usize + self.own.load(Ordering::Relaxed),
            idle: self.pool.num_idle(),
        }
    }

    /// Waits for connections on loan, within the time-out.
    async fn close(&self) {
        drop(timeout(self.timeout, self.pool.close()).await);
    }
}

fn read(url: &str) -> Result<PgConnectOptions, DatabaseUrlError> {
    let names_scheme = |scheme: &&str| url.starts_with(*scheme);
    if !["postgres://", "postgresql://"].iter().any(names_scheme) {
        return Err(DatabaseUrlError::Postgres); // sqlx would take any scheme
    }
    PgConnectOptions::from_str(url).map_err(|_| DatabaseUrlError::Postgres)
}

/// The options of a connection hold its password.
impl fmt::Debug for PostgresLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresLink({} connections)", self.pool.size())
    }
}

/// A connection on loan, given back within a bound whatever happens to its borrower.
///
/// sqlx gives a connection back by asking it whether it lives, for as long as it takes. One whose server vanished
/// without a word would keep its place in the pool for a quarter of an hour; here it loses it after [`GIVE_BACK`].
pub struct Lent(Option<PoolConnection<Postgres>>);

/// Which connections are taken to be alive. What broke one has broken those that lay idle meanwhile, more likely than
/// not: they are not asked one after the other, each for as long as it takes to give it up.
struct Trust {
    /// When one was last found to be broken.
    doubted: Mutex<Option<Instant>>,
    /// How long one is asked: of the time that its borrower has, some is left to make another.
    patience: Duration,
}

impl Trust {
    /// `fresh`: one that was used so lately is taken to be alive without being asked.
    async fn check(
        &self,
        connection: &mut PgConnection,
        idle_for: Duration,
        fresh: Duration,
    ) -> Result<(), sqlx::Error> {
        let used = Instant::now().checked_sub(idle_for);
        if *self.doubted() > used {
            return Err(sqlx::Error::Io(ErrorKind::ConnectionAborted.into()));
        }
        if idle_for < fresh {
            return Ok(());
        }
        let answer = timeout(self.patience, connection.ping()).await;
        let answer = answer.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into())));
        answer.inspect_err(|_| self.doubt())
    }

    fn doubt(&self) {
        *self.doubted() = Some(Instant::now());
    }

    fn doubted(&self) -> MutexGuard<'_, Option<Instant>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of a lane of lookups' own. One from the pool would have been made by another thread, more likely than
/// not, whose event loop hears what the server says and has to wake this one; and the pool asks each that comes back
/// whether it lives, which is another round trip.
#[derive(Default)]
pub(crate) struct Own(Option<Alive>);

struct Alive {
    connection: PgConnection,
    used: Instant,
    open: Arc<AtomicUsize>,
}

impl Own {
    /// The connection, made now if there is none, or if what there was has ended while nobody asked.
    pub(crate) async fn connection(&mut self, link: &PostgresLink) -> Result<&mut PgConnection, sqlx::Error> {
        // What is rare is on the heap: its future is far larger than a query's, and would make each lookup's as large.
        if let Some(mut alive) = self.0.take()
            && Box::pin(
                link.trust
                    .check(&mut alive.connection, alive.used.elapsed(), FRESH),
            )
            .await
            .is_ok()
        {
            alive.used = Instant::now();
            return Ok(&mut self.0.insert(alive).connection);
        }
        let connection = Box::pin(PgConnection::connect_with(&link.bounded))
            .await
            .map_err(not_connected)?;
        link.own.fetch_add(1, Ordering::Relaxed);
        let alive = Alive {
            connection,
            used: Instant::now(),
            open: Arc::clone(&link.own),
        };
        Ok(&mut self.0.insert(alive).connection)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("taken in drop alone"),
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("taken in drop alone"),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                // Hidden in sqlx's documentation, public since 0.4: it is what its own drop does.
                let _ = timeout(GIVE_BACK, connection.return_to_pool()).await;
            })),
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Why a connection did not come to be. It says nothing of those that stand: where the server, or a pooler before it, takes
/// no more of them, to give those up would ask for more still.
#[derive(Debug, Error)]
#[error(transparent)]
struct NotConnected(io::Error);

fn not_connected(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Io(error) => io::Error::new(error.kind(), NotConnected(error)).into(),
        other => other,
    }
}

/// Whether the connection that met it has ended, and not one that never was.
fn broke_a_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => !error.get_ref().is_some_and(|cause| cause.is::<NotConnected>()),
        _ => false,
    }
}

/// What went wrong, without a word that could hold a value.
fn unavailable(error: &sqlx::Error) -> Unavailable {
    let fault = match error {
        sqlx::Error::Database(error) => Fault::Refused {
            code: error.code().unwrap_or_default().into_owned(),
            constraint: error.constraint().unwrap_or_default().to_owned(),
        },
        sqlx::Error::Io(error) => Fault::Io(error.kind()),
        sqlx::Error::PoolTimedOut => Fault::Other("no connection in time"),
        sqlx::Error::PoolClosed => Fault::Other("closed"),
        sqlx::Error::Tls(_) => Fault::Other("TLS failed"),
        _ => Fault::Other("an answer that was not expected"),
    };
    Unavailable::new(Part::Database, fault)
}

fn refused(error: &SqlxMigrateError) -> MigrateError {
    match error {
        SqlxMigrateError::Execute(error) => unavailable(error).into(),
        SqlxMigrateError::ExecuteMigration(error, version) => MigrateError::Failed {
            version: *version,
            cause: unavailable(error),
        },
        SqlxMigrateError::VersionMismatch(version) => MigrateError::Changed(*version),
        _ => Unavailable::new(
            Part::Database,
            Fault::Other("the list of migrations can't be read"),
        )
        .into(),
    }
}
