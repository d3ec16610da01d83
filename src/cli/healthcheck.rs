//! `ringback healthcheck`: for whoever runs the service and has no other way to ask it, such as a container.

use std::process::ExitCode;

use super::{
    ops_client::OpsClient,
    reach::{blocking, ops_url},
};
use crate::{output, settings::Settings};

/// Asks this machine's `/readyz`: 0 where it is ready, else 1 with a line that says why.
pub fn run(settings: &Settings) -> ExitCode {
    let url = ops_url(settings.server.bind);
    match blocking(async { OpsClient::new(&url, None)?.readiness().await }) {
        Ok(()) => {
            output::say("ready");
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::complain(error);
            ExitCode::FAILURE
        }
    }
}
