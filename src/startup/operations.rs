//! What operators do on the command line, on the database alone.

use std::process::ExitCode;

use super::{administration, base, error::StartError, run::refuse, stores, tables, world::World};
use crate::{admin::Administration, settings::Settings};

/// Runs a command on the database that is configured. It makes no database and migrates none: there have to be tables of
/// this version's form.
pub fn with_administration(
    settings: &Settings,
    work: impl AsyncFnOnce(Administration) -> ExitCode,
) -> ExitCode {
    base::prepare_process();
    let done = actix::System::new().block_on(async {
        let databases = stores::connect_existing(settings)?;
        tables::look(databases.database.as_ref()).await?;
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
