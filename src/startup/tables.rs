//! The tables before anything works with them: brought to this version's form, or looked at. Both wait a while for a
//! database that does not answer, and no longer.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{error::StartError, warnings};
use crate::{
    database::{Database, MigrateError, NOT_ALLOWED, Schema, code_of},
    outage,
    settings::Settings,
    unavailable::{Part, Unavailable},
};

/// How long is waited for a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the log says that the database is waited for.
const SAID_EVERY: Duration = Duration::from_secs(5);
/// SQLSTATE: the password is wrong, there is no such user, no such database. No waiting helps.
const NOT_LET_IN: [&str; 2] = ["28", "3D"];

/// Brings the tables to this version's form, where `database.migrate` says so. Tables that are older than this version
/// are refused; newer ones are not, since a version must run beside the next one, and after a rollback.
pub(super) async fn bring_up_to_date(settings: &Settings, database: &dyn Database) -> Result<(), StartError> {
    if settings.database.migrate {
        migrate(database).await?;
    }
    let schema = match telling(schema_in_time(database, PATIENCE)).await {
        Ok(schema) => schema,
        // Down, or not for this user to read: what needs the tables is answered 503 as long as that lasts.
        Err(error) => {
            outage::note(&error);
            return Ok(());
        }
    };
    if !schema.missing.is_empty() {
        return Err(StartError::OldTables(schema.missing));
    }
    if let Some(warning) = warnings::of_newer_tables(&schema) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Looks whether the tables are there and have this version's form, for a command that changes none of them.
pub(super) async fn look(database: &dyn Database) -> Result<(), StartError> {
    let began = Instant::now();
    let schema = loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        match schema_in_time(database, left).await {
            Ok(schema) => break schema,
            Err(error) => match code_of(&error) {
                // The command itself says what it may not read.
                Some(NOT_ALLOWED) => return Ok(()),
                Some(code) if NOT_LET_IN.iter().any(|class| code.starts_with(class)) => {
                    return Err(StartError::NoAnswer(error));
                }
                _ if began.elapsed() + PAUSE < PATIENCE => sleep(PAUSE).await,
                _ => return Err(StartError::NoAnswer(error)),
            },
        }
    };
    if schema.missing.is_empty() {
        Ok(())
    } else if schema.is_new {
        Err(StartError::NoTables)
    } else {
        Err(StartError::TablesBehind(schema.missing))
    }
}

/// Migrates, and waits a while for a database that is only just starting.
pub(super) async fn migrate(database: &dyn Database) -> Result<(), MigrateError> {
    let began = Instant::now();
    let tries = async {
        loop {
            match database.migrate().await {
                Err(MigrateError::Unavailable(error)) if began.elapsed() < PATIENCE => {
                    outage::note(&error);
                    tracing::debug!(%error, "waiting for the database");
                    sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    };
    telling(tries).await
}

async fn schema_in_time(database: &dyn Database, limit: Duration) -> Result<Schema, Unavailable> {
    let late = |_| Err(Unavailable::timed_out(Part::Database));
    timeout(limit, database.schema()).await.unwrap_or_else(late)
}

/// Has the log say that the database is waited for, as long as it is.
async fn telling<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let tell = async {
        loop {
            sleep(SAID_EVERY).await;
            tracing::warn!(
                waited_s = began.elapsed().as_secs(),
                "waiting for the database: it does not answer, or migrations run"
            );
        }
    };
    tokio::select! {
        done = work => done,
        () = tell => unreachable!("it has no end"),
    }
}
