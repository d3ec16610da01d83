//! The way to SQLite: one file, one writer, readers beside it (WAL).

use std::{
    fmt::{self, Debug},
    fs::{DirBuilder, OpenOptions},
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use tokio::time::{sleep, timeout};

use super::{
    Bounds, Database, DatabaseUrlError, Fault, MIGRATION_TIMEOUT, MigrateError, PoolOptions, PoolStatus,
    Schema, lookup_bounds,
    schema::sqlite::{migrations, refused, schema},
};
use crate::{
    outage,
    unavailable::{Part, Unavailable},
};

/// SQLite lets one connection write at a time, so a second writer would only wait in a worse queue.
const WRITERS: u32 = 1;
/// Two processes that migrate one file at once: the one that comes second fails, and finds the work done when it tries
/// again.
const MIGRATION_ATTEMPTS: usize = 5;
const MIGRATION_PAUSE: Duration = Duration::from_millis(50);
/// How often, and after which pause, the log is tried to be emptied that somebody reads.
const EMPTY_TRIES: u32 = 720;
const EMPTY_PAUSE: Duration = Duration::from_secs(5);

/// A statement that is run for what it changes.
pub type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// The two pools, and the bound on everything that is asked of them. Cheap to clone.
#[derive(Clone)]
pub struct SqliteLink {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    /// For what no reader and no writer is to wait for.
    apart: SqliteConnectOptions,
    is_emptying: Arc<AtomicBool>,
    lookups: Bounds,
    timeout: Duration,
}

impl SqliteLink {
    /// Whether a URL is one to open, as far as can be said without a look at its file.
    ///
    /// # Errors
    /// [`DatabaseUrlError::Sqlite`].
    pub fn check(url: &str) -> Result<(), DatabaseUrlError> {
        read(url).map(drop)
    }

    /// The file of a URL.
    ///
    /// # Errors
    /// [`DatabaseUrlError::Sqlite`].
    pub fn file(url: &SecretString) -> Result<PathBuf, DatabaseUrlError> {
        Ok(read(url.expose_secret())?.get_filename().to_owned())
    }

    /// Makes the folder and the file if there is none (mode 0700 and 0600). Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn open(url: &SecretString, options: PoolOptions) -> Result<Self, DatabaseUrlError> {
        let connect = read(url.expose_secret())?;
        make_private(connect.get_filename()).map_err(|error| DatabaseUrlError::File(error.kind()))?;
        let connect = connect
            .journal_mode(SqliteJournalMode::Wal)
            // A session that was revoked stays so when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is written over with zeros.
            .pragma("secure_delete", "ON")
            .busy_timeout(options.timeout);
        let pool = |size: u32| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(options.timeout)
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(is_between_transactions(connection)))
                .connect_lazy_with(connect.clone())
        };
        Ok(Self {
            apart: connect
                .clone()
                .create_if_missing(false)
                .busy_timeout(Duration::ZERO),
            is_emptying: Arc::default(),
            writer: pool(WRITERS),
            readers: pool(options.max_connections.saturating_sub(WRITERS).max(1)),
            lookups: lookup_bounds(options.max_connections),
            timeout: options.timeout,
        })
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
            Ok(Err(error)) => Err(unavailable(&error)),
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

    /// Runs one statement that writes. Returns how many rows it changed.
    pub(crate) async fn execute(&self, query: Query) -> Result<u64, Unavailable> {
        let done = query.execute(&self.writer);
        self.bounded(done).await.map(|done| done.rows_affected())
    }

    /// Writes the log back into the file and empties it, so that nothing that was deleted stands there any more. Where somebody
    /// reads meanwhile, it is tried again until it is done, for an hour at most; nobody waits for it.
    pub(crate) async fn empty_log(&self) {
        if self.empties_log().await || self.is_emptying.swap(true, Ordering::Relaxed) {
            return;
        }
        let link = self.clone();
        tokio::spawn(async move {
            for _ in 0..EMPTY_TRIES {
                sleep(EMPTY_PAUSE).await;
                if link.empties_log().await {
                    break;
                }
            }
            link.is_emptying.store(false, Ordering::Relaxed);
        });
    }

    async fn empties_log(&self) -> bool {
        let emptied = async {
            let mut connection = self.apart.connect().await?;
            let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            Ok(busy == 0)
        };
        self.bounded(emptied).await.unwrap_or(false)
    }

    /// The bounds of each kind of lookup.
    pub(crate) fn lookups(&self) -> Bounds {
        self.lookups
    }
}

#[async_trait]
impl Database for SqliteLink {
    async fn ping(&self) -> Result<(), Unavailable> {
        // A file that became read-only, or whose disk is full, answers whoever reads.
        let beat = sqlx::query("UPDATE heartbeat SET beats = beats + 1");
        self.execute(beat).await.map(drop)
    }

    /// Runs what has not run yet.
    async fn migrate(&self) -> Result<(), MigrateError> {
        let migrations = migrations();
        let attempts = async {
            let mut outcome = migrations.run(&self.writer).await;
            for _ in 1..MIGRATION_ATTEMPTS {
                if outcome.is_ok() {
                    break;
                }
                sleep(MIGRATION_PAUSE).await;
                outcome = migrations.run(&self.writer).await;
            }
            outcome.map_err(|error| refused(&error, unavailable))
        };
        match timeout(MIGRATION_TIMEOUT, attempts).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Unavailable::timed_out(Part::Database).into()),
        }
    }

    async fn schema(&self) -> Result<Schema, Unavailable> {
        self.bounded(schema(&self.readers)).await
    }

    fn pool_status(&self) -> PoolStatus {
        PoolStatus {
            size: (self.writer.size() + self.readers.size()) as usize,
            idle: self.writer.num_idle() + self.readers.num_idle(),
        }
    }

    /// Waits for connections on loan, within the time-out. The last one writes the WAL back into the file.
    async fn close(&self) {
        let close = async {
            self.readers.close().await;
            self.writer.close().await;
        };
        drop(timeout(self.timeout, close).await);
    }
}

/// Whether the last transaction of a connection has ended. One of a full disk may not have: SQLite has ended it by itself, and
/// refuses the end that it is told. Such a connection is closed, and another takes its place.
async fn is_between_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // An end that is under way is over once this is answered.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

fn read(url: &str) -> Result<SqliteConnectOptions, DatabaseUrlError> {
    let connect = SqliteConnectOptions::from_str(url).map_err(|_| DatabaseUrlError::Sqlite)?;
    let has_path = url.starts_with("sqlite:") && !connect.get_filename().as_os_str().is_empty();
    // Each connection to a database in memory would see one of its own, and a restart none.
    if !has_path || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(DatabaseUrlError::Sqlite);
    }
    Ok(connect)
}

impl Debug for SqliteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteLink({:?})", self.pool_status())
    }
}

/// SQLite has no arrays to bind: a JSON array that it unfolds.
pub fn json(values: impl Iterator<Item = String>) -> String {
    serde_json::Value::from_iter(values).to_string()
}

/// Times are stored as microseconds; what this service wrote lies within chrono's range.
pub(crate) fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// SQLite gives its `-wal` and `-shm` files the mode of the database.
fn make_private(file: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    let mut options = OpenOptions::new();
    folder.recursive(true);
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        options.mode(0o600);
    }
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.create(parent)?;
    }
    options.open(file).map(drop)
}

/// What went wrong, without a word that could hold a value.
fn unavailable(error: &sqlx::Error) -> Unavailable {
    let fault = match error {
        // SQLite's words name tables and columns, never a value.
        sqlx::Error::Database(error) => Fault::Refused {
            code: error.code().unwrap_or_default().into_owned(),
            words: error.message().to_owned(),
        },
        sqlx::Error::Io(error) => Fault::Io(error.to_string()),
        sqlx::Error::PoolTimedOut => Fault::Other("no connection in time".to_owned()),
        sqlx::Error::PoolClosed => Fault::Other("closed".to_owned()),
        _ => Fault::Other("an answer that was not expected".to_owned()),
    };
    Unavailable::new(Part::Database, fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Entropy, SystemEntropy};

    #[tokio::test]
    async fn after_a_full_disk_it_writes_again() {
        let name = (&SystemEntropy as &dyn Entropy).uuid().simple().to_string();
        let file = std::env::temp_dir().join(format!("ringback-full-{name}.db"));
        let url = SecretString::from(format!("sqlite://{}", file.display()));
        let options = PoolOptions {
            max_connections: 2,
            timeout: Duration::from_secs(5),
        };
        let link = SqliteLink::open(&url, options).unwrap();
        let run = async |sql: &'static str| sqlx::query(sql).execute(&link.writer).await;
        run("CREATE TABLE t (x BLOB)").await.unwrap();
        run("PRAGMA max_page_count = 4").await.unwrap();
        let write = async || {
            let mut transaction = link.writer.begin_with("BEGIN IMMEDIATE").await?;
            let row = sqlx::query("INSERT INTO t VALUES (randomblob(100000))");
            row.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        write().await.expect_err("the disk is full");
        // What was full is one connection: another takes its place.
        write().await.unwrap();
        link.close().await;
        std::fs::remove_file(&file).unwrap();
    }
}
