//! The way to a database: how many connections, how long a call may take, what is said when it fails.
//!
//! What is asked of a database is in the files `postgres.rs` and `sqlite.rs` of other rooms; here is how it is reached, and how
//! its tables come to be.

mod coalesce;
mod connection;
mod lane;
mod migrations;
mod months;
mod pool;
pub(crate) mod postgres;
mod schema;
pub(crate) mod sqlite;
mod way;

use std::{io, num::NonZero, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

pub use coalesce::{Bounds, Coalescer};
pub(crate) use connection::postgres::{Session, Together};
pub(crate) use lane::postgres::Own;
pub(crate) use months::postgres::MonthlyTable;
pub use postgres::{PostgresLink, PostgresOptions};
pub use schema::Schema;
pub use sqlite::SqliteLink;
pub use way::PreparedStatements;

use crate::{
    identity::{IdentityError, IdentityFile},
    unavailable::Unavailable,
};

/// Migrations of large tables take their time; nobody waits for them but whoever starts the service.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the migrations' connection may take to come to be, at most: no more than one call may take in all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A database as whoever runs the service sees it. What is kept in it is the business of other rooms' stores.
#[async_trait]
pub trait Database: Send + Sync {
    /// Whether it answers.
    async fn ping(&self) -> Result<(), Unavailable>;

    /// Brings the tables to this version's form. Any number of instances may call it at the same time.
    async fn migrate(&self) -> Result<(), MigrateError>;

    /// How far the tables are from this version's form. Changes nothing.
    async fn schema(&self) -> Result<Schema, Unavailable>;

    /// How many connections there are: for `/metrics`.
    fn pool_status(&self) -> PoolStatus;

    /// Gives all connections back. Every later call of every store answers [`Unavailable`].
    async fn close(&self);
}

/// The bounds of the way to a database.
#[derive(Debug, Clone, Copy)]
pub struct PoolOptions {
    /// Connections at most.
    pub max_connections: u32,
    /// How long one call may take in all: waiting for a connection, connecting, and the query.
    pub timeout: Duration,
}

/// How many connections there are.
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
    #[error("it can't be read, or holds no certificate ({0})")]
    CaFile(io::ErrorKind),
    #[error("it is set, but the sslmode of database.url says that the connection is not encrypted")]
    PlainWithCa,
    #[error("it {0}")]
    Identity(IdentityError),
}

impl DatabaseUrlError {
    /// The key of the configuration that is wrong.
    pub fn key(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite | Self::File(_) => "database.url",
            Self::CaFile(_) | Self::PlainWithCa => "database.ca_file",
            Self::Identity(error) => match error.file {
                IdentityFile::Certificate => "database.client_cert_file",
                IdentityFile::Key => "database.client_key_file",
            },
        }
    }
}

/// Why the tables could not be brought to this version's form.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// It answered, and waiting doesn't help.
    #[error(
        "its user may not make tables ({}). Run `ringback migrate` as their owner, and start the service with database.migrate = false",
        .0.cause
    )]
    NotAllowed(Unavailable),
    #[error("migration {version} failed: {cause}")]
    Failed { version: i64, cause: Unavailable },
    /// The file of a migration that has run is not what it was: this database belongs to another build.
    #[error("migration {0} was changed after it had run here")]
    Changed(i64),
    /// One that runs outside a transaction failed, and what it had done stayed.
    #[error(
        "migration {0} stopped halfway. Undo what it did, delete its row in _sqlx_migrations, and migrate again"
    )]
    Halfway(i64),
}

/// SQLSTATE: it is not for this user.
pub const NOT_ALLOWED: &str = "42501";

/// The code of the database's own (SQLSTATE, or SQLite's), where it answered that it won't.
pub fn code_of(unavailable: &Unavailable) -> Option<&str> {
    match unavailable.cause.downcast_ref() {
        Some(Fault::Refused { code, .. }) => Some(code),
        _ => None,
    }
}

/// The bounds of coalesced lookups: a quarter of the connections at most for each kind, so that reads leave some for
/// the writes, and no more lanes than there are threads to ask.
fn lookup_bounds(max_connections: u32) -> Bounds {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    Bounds {
        lanes: threads.min(max_connections as usize / 4).max(1),
        batch: 512,
        queue: 4_096,
    }
}

/// The time as both databases keep it.
pub(crate) fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

/// What went wrong with a call, in the words of the server or the system, without a value of a row or a parameter.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// The database's own code (SQLSTATE, or SQLite's result code) and words.
    #[error("refused: {code} {words}")]
    Refused { code: String, words: String },
    #[error("connection: {0}")]
    Io(String),
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Classes of errors whose messages quote values that were sent: wrong data, hurt constraints, raised by functions.
    const QUOTING: [&str; 5] = ["22", "23", "27", "44", "P0"];
    /// Nobody reads more.
    const MAX_CHARS: usize = 300;

    /// What PostgreSQL, or a pooler before it, says.
    fn refused(code: String, message: &str, constraint: Option<&str>) -> Self {
        let is_quoting = code.get(..2).is_none_or(|class| Self::QUOTING.contains(&class));
        let words = match (is_quoting, constraint) {
            (true, constraint) => constraint.unwrap_or_default(),
            (false, _) => message,
        };
        let words = words.chars().take(Self::MAX_CHARS).collect();
        Self::Refused { code, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_the_servers_words_unless_they_may_quote_a_value() {
        let said = |code: &str, message, constraint| {
            Fault::refused(code.to_owned(), message, constraint).to_string()
        };
        assert_eq!(
            said("08P01", "unsupported startup parameter: options", None),
            "refused: 08P01 unsupported startup parameter: options"
        );
        assert_eq!(
            said("25006", "cannot execute UPDATE in a read-only transaction", None),
            "refused: 25006 cannot execute UPDATE in a read-only transaction"
        );
        assert_eq!(said("22P02", "invalid input: \"jane\"", None), "refused: 22P02 ");
        assert_eq!(
            said("23505", "duplicate key (jane)", Some("users_email_key")),
            "refused: 23505 users_email_key"
        );
        assert_eq!(said("", "jane", None), "refused:  ");
    }
}
