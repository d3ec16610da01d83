//! The database alone, for commands that send events once more.

use std::{process::ExitCode, sync::Arc};

use super::{base, error::StartError, run::refuse, stores, tables, world::World};
use crate::{clock::Clock, events::OutgoingStore, settings::Settings};

/// What a command works with that is about events that go out.
pub struct Outgoing {
    pub store: Arc<dyn OutgoingStore>,
    pub clock: Arc<dyn Clock>,
}

/// Runs a command on the database that is configured. It makes no database and migrates none.
pub fn with_outgoing(settings: &Settings, work: impl AsyncFnOnce(Outgoing) -> ExitCode) -> ExitCode {
    base::prepare_process();
    let done = actix::System::new().block_on(async {
        let databases = stores::connect_existing(settings)?;
        tables::look(databases.database.as_ref()).await?;
        let World { clock, .. } = World::default();
        let store = databases.outgoing;
        let code = work(Outgoing { store, clock }).await;
        databases.database.close().await;
        Ok::<_, StartError>(code)
    });
    done.unwrap_or_else(|error| refuse(&error))
}
