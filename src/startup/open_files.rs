//! How many files the process may hold open: sockets are files too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::StartError;
use crate::settings::Settings;

/// What the process needs by itself: standard streams, the actors' thread, the ops server, SQLite, the log.
const BASE: u64 = 64;
/// What each worker has for its event loop and its signals, and its lane to Redis.
const WORKER: u64 = 8;

/// Raises the soft limit to the hard one: the soft one is for programs that can't count far. What is left then has to be
/// enough to start with; workers that find no file for their event loop panic.
///
/// # Errors
/// [`StartError::OpenFiles`].
pub(super) fn raise_limit(settings: &Settings) -> Result<(), StartError> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit on open files stays as it is");
        }
    }
    // None is no limit.
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let workers = settings.server.workers;
    let needed = needed(workers, settings.database.pool.max_connections);
    if allowed < needed {
        return Err(StartError::OpenFiles {
            allowed,
            needed,
            workers,
        });
    }
    Ok(())
}

fn needed(workers: usize, database_connections: u32) -> u64 {
    BASE + WORKER * workers as u64 + u64::from(database_connections)
}
