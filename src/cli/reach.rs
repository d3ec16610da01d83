//! Where the running service is, and how it is waited for.

use std::net::{IpAddr, SocketAddr};

use super::ops_client::OpsError;

/// Who listens everywhere is reached here.
pub fn ops_url(mut bind: SocketAddr) -> String {
    if bind.ip().is_unspecified() {
        bind.set_ip(match bind {
            SocketAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            SocketAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]),
        });
    }
    format!("http://{bind}")
}

/// Runs what asks the service to its end.
///
/// # Errors
/// As for the work.
pub fn blocking<T>(work: impl Future<Output = Result<T, OpsError>>) -> Result<T, OpsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| OpsError::Failed(error.to_string()))?
        .block_on(work)
}
