//! The limits file while the service runs: looked at four times a second, and active as soon as it has changed and is sound.

mod actor;
mod look;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::limiter::Limiter;
use crate::{
    clock::Clock,
    supervision::{AskError, Supervision},
};
use actor::Watcher;
pub use look::FileStatus;
use look::{Paths, Watch};

/// The handle of the `ConfigWatcher`.
#[derive(Clone)]
pub struct LimitsWatch {
    watcher: Watcher,
    status: Arc<Mutex<FileStatus>>,
}

impl LimitsWatch {
    /// Watches the file at `rules`, and that of the lists of networks, for `limiter`, which has the rules that
    /// [`load`](crate::limits::file::load) found there at start.
    pub fn start(
        supervision: &Supervision,
        rules: &Path,
        networks: Option<&Path>,
        limiter: Limiter,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let paths = Paths {
            rules: rules.to_owned(),
            networks: networks.map(Path::to_owned),
        };
        let watch = Watch::new(paths, limiter, clock);
        let status = Arc::clone(&watch.status);
        Self {
            watcher: Watcher::start(supervision, watch),
            status,
        }
    }

    /// Reads the file now (SIGHUP), and says how it stands.
    ///
    /// # Errors
    /// [`AskError`] when reloads pile up already.
    pub async fn reload(&self) -> Result<FileStatus, AskError> {
        self.watcher.reload().await?;
        Ok(self.status())
    }

    /// How the file stood when it was last looked at.
    pub fn status(&self) -> FileStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
