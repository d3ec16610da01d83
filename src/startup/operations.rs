//! What operators do on the command line, on the database alone.

use std::process::ExitCode;

use super::{administration, base, error::StartError, run::refuse, stores, world::World};
use crate::{admin::Administration, settings::Settings};

/// Runs a command on the database that is configured, its tables brought to this version's form before.
pub fn with_administration(
    settings: &Settings,
    work: impl AsyncFnOnce(Administration) -> ExitCode,
) -> ExitCode {
    base::prepare_process();
    let done = actix::System::new().block_on(async {
        let databases = stores::connect_database(settings)?;
        stores::bring_up_to_date(settings, databases.database.as_ref()).await?;
        let World { clock, entropy, .. } = World::default();
        let code = work(administration::of(
            &databases,
            settings.sessions,
            (clock, entropy),
        ))
        .await;
        databases.database.close().await;
        Ok::<_, StartError>(code)
    });
    done.unwrap_or_else(|error| refuse(&error))
}
