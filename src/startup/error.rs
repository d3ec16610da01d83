//! Why the service did not start.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use thiserror::Error;

use crate::{
    accounts::{BreachFileError, CostError},
    database::{DatabaseUrlError, MigrateError},
    limits::{FileError, PricesError},
    mail::SmtpError,
    redis::RedisUrlError,
    secrets::SecretError,
    unavailable::Unavailable,
    wire::ProviderError,
};

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
    #[error("{key}: {0}", key = .0.key())]
    DatabaseUrl(#[from] DatabaseUrlError),
    #[error("{key}: {0}", key = .0.key)]
    RedisUrl(#[from] RedisUrlError),
    #[error("passwords: {0}")]
    PasswordCost(#[from] CostError),
    #[error(transparent)]
    BreachFile(#[from] BreachFileError),
    #[error("SMS provider {0}")]
    Provider(#[from] ProviderError),
    #[error("mail: {0}")]
    Smtp(#[from] SmtpError),
    /// What is wrong in the files that the configuration names, a line or several for each of them.
    #[error("{}", lines(.0))]
    Files(Vec<StartError>),
    #[error(transparent)]
    Limits(#[from] FileError),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(
        "{needed} open files are needed to start with {workers} workers, and {allowed} are allowed: raise the hard limit \
         (ulimit -Hn, LimitNOFILE=), or lower server.workers"
    )]
    OpenFiles {
        allowed: u64,
        needed: u64,
        workers: usize,
    },
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] MigrateError),
    #[error(
        "the database is older than this version, which needs these migrations: {}. Run `ringback migrate`, or set \
         database.migrate = true",
        numbers(.0)
    )]
    OldTables(Vec<i64>),
    #[error(
        "the database is older than this version of the program, which needs these migrations: {}. Run `ringback migrate`, \
         or take the program of the version that serves",
        numbers(.0)
    )]
    TablesBehind(Vec<i64>),
    #[error("the database has no tables yet: run `ringback migrate`, or start the service once")]
    NoTables,
    #[error(
        "there is no such database: {}. Set DATABASE_URL as it is for the service, or start the service once",
        .0.display()
    )]
    NoDatabase(PathBuf),
    #[error("the {} does not answer: {}", .0.part, .0.cause)]
    NoAnswer(Unavailable),
    #[error("a partition for a month could not be made: {0}")]
    Months(Unavailable),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl StartError {
    /// 78 where the configuration is at fault, 1 where the surroundings are.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Bind { .. }
            | Self::File { .. }
            | Self::OpenFiles { .. }
            | Self::Migrate(_)
            | Self::OldTables(_)
            | Self::TablesBehind(_)
            | Self::NoTables
            | Self::NoDatabase(_)
            | Self::NoAnswer(_)
            | Self::Months(_)
            | Self::Io(_) => ExitCode::FAILURE,
            _ => ExitCode::from(78),
        }
    }
}

fn lines(errors: &[StartError]) -> String {
    let lines: Vec<_> = errors.iter().map(StartError::to_string).collect();
    lines.join("\n")
}

/// The numbers of migrations, as their files begin.
pub(super) fn numbers(migrations: &[i64]) -> String {
    let numbers: Vec<_> = migrations.iter().map(i64::to_string).collect();
    numbers.join(", ")
}
