//! What the commands of `ringback limits` have in common: which service they ask, and what they say when it fails.

use std::process::ExitCode;

use secrecy::SecretString;
use serde_json::Value;

use super::{
    exit::refuse,
    ops_client::{OpsClient, OpsError},
    reach::{blocking, ops_url},
};
use crate::{output, settings::Settings};

/// A usage error: what was typed means nothing.
const USAGE: u8 = 2;

/// Where the running service is.
#[derive(Debug, clap::Args)]
pub struct Ops {
    /// The service's ops address, such as http://127.0.0.1:8001; by default that of the configuration.
    #[arg(long = "ops", value_name = "URL")]
    pub(super) url: Option<String>,
}

pub(super) fn ask<T: serde::de::DeserializeOwned>(
    ops: &Ops,
    path: &str,
    body: &Value,
    show: impl FnOnce(T),
) -> ExitCode {
    let url = match address(ops) {
        Ok(url) => url,
        Err(code) => return code,
    };
    let asked = blocking(async { OpsClient::new(&url, ops_token())?.post::<T>(path, body).await });
    match asked {
        Ok(answer) => {
            show(answer);
            ExitCode::SUCCESS
        }
        Err(error) => complain(&error),
    }
}

pub(super) fn complain(error: &OpsError) -> ExitCode {
    output::complain(error);
    match error {
        OpsError::Wrong(_) => ExitCode::from(USAGE),
        OpsError::Unreachable(_) | OpsError::Failed(_) => ExitCode::FAILURE,
    }
}

/// What the configuration has, whatever else is wrong with it.
pub(super) fn ops_token() -> Option<SecretString> {
    Settings::load_from_process().ok()?.server.ops_token
}

pub(super) fn address(ops: &Ops) -> Result<String, ExitCode> {
    if let Some(url) = &ops.url {
        return Ok(url.clone());
    }
    let settings = Settings::load_from_process().map_err(|faults| refuse(&faults))?;
    Ok(ops_url(settings.server.ops_bind))
}
