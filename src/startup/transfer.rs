//! The database alone, for commands that move many users.

use std::{process::ExitCode, sync::Arc, time::Duration};

use super::{base, error::StartError, run::refuse, stores, world::World};
use crate::{accounts::TransferStore, clock::Clock, entropy::Entropy, settings::Settings};

/// A batch of users is more than one call of the service is given time for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What such a command works with.
pub struct Transfer {
    pub store: Arc<dyn TransferStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// Runs a command on the database that is configured, its tables brought to this version's form before.
pub fn with_transfer(settings: &Settings, work: impl AsyncFnOnce(Transfer) -> ExitCode) -> ExitCode {
    base::prepare_process();
    let mut settings = settings.clone();
    settings.database.pool.timeout = settings.database.pool.timeout.max(TIMEOUT);
    let done = actix::System::new().block_on(async {
        let databases = stores::connect_database(&settings)?;
        stores::bring_up_to_date(&settings, databases.database.as_ref()).await?;
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
