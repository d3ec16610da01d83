//! The way to a database: how many connections, how long a call may take, what is said when it fails.
//!
//! What is asked of a database is in `accounts/postgres.rs` and `accounts/sqlite.rs`, and beside them in `ledger/`; here is
//! how it is reached.

mod coalesce;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::{io, time::Duration};

use thiserror::Error;

pub use coalesce::{Bounds, Coalescer};
pub use postgres::PostgresLink;
pub use sqlite::SqliteLink;

use crate::unavailable::Unavailable;

/// Migrations of large tables take their time; nobody waits for them but whoever starts the service.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);

/// The bounds of a store.
#[derive(Debug, Clone, Copy)]
pub struct PoolOptions {
    /// Connections at most.
    pub max_connections: u32,
    /// How long one call may take in all: waiting for a connection, connecting, and the query.
    pub timeout: Duration,
}

/// How many connections a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    pub size: usize,
    pub idle: usize,
}

/// Why a `DATABASE_URL` is none. The URL isn't repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    #[error("not a PostgreSQL URL: postgres://user:password@host:port/database")]
    Postgres,
    #[error("not an SQLite URL: sqlite://path/to/file.db")]
    Sqlite,
    #[error("its folder or file can't be made or written to ({0})")]
    File(io::ErrorKind),
}

/// Why the tables could not be brought to this version's form.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("migration {version} failed: {cause}")]
    Failed { version: i64, cause: Unavailable },
    /// The file of a migration that has run is not what it was: this database belongs to another build.
    #[error("migration {0} was changed after it had run here")]
    Changed(i64),
}

/// What went wrong with a call, without a word that could hold a value: no message, no detail.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// The database's own code (SQLSTATE, or SQLite's result code), and the constraint that was hurt.
    #[error("refused: {code} {constraint}")]
    Refused { code: String, constraint: String },
    #[error("connection: {0}")]
    Io(io::ErrorKind),
    #[error("{0}")]
    Other(&'static str),
}
