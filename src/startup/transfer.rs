//! The database alone, for commands that move many users.

use std::{process::ExitCode, sync::Arc, time::Duration};

use super::{base, error::StartError, run::refuse, stores, tables, world::World};
use crate::{accounts::TransferStore, clock::Clock, entropy::Entropy, settings::Settings};

/// A batch of users is more than one call of the service is given time for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What such a command works with.
pub struct Transfer {
    pub store: Arc<dyn TransferStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What a command does with the database before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Makes it where there is none, and brings its tables to this version's form (`database.migrate`).
    Migrate,
    /// Looks whether it is there and has this version's form.
    Look,
}

/// Runs a command on the database that is configured.
pub fn with_transfer(
    settings: &Settings,
    before: Before,
    work: impl AsyncFnOnce(Transfer) -> ExitCode,
) -> ExitCode {
    base::prepare_process();
    let mut settings = settings.clone();
    settings.database.pool.timeout = settings.database.pool.timeout.max(TIMEOUT);
    let done = actix::System::new().block_on(async {
        let databases = match before {
            Before::Migrate => {
                stores::say_which(&settings);
                stores::connect_database(&settings)?
            }
            Before::Look => stores::connect_existing(&settings)?,
        };
        if before == Before::Migrate && settings.database.migrate {
            tables::migrate(databases.database.as_ref()).await?;
        }
        tables::look(databases.database.as_ref()).await?;
        let World { clock, entropy, .. } = World::default();
        let code = work(Transfer {
            store: databases.transfer,
            clock,
            entropy,
        })
        .await;
        databases.database.close().await;
        Ok::<_, StartError>(code)
    });
    done.unwrap_or_else(|error| refuse(&error))
}
