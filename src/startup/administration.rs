//! What administrators do.

use std::sync::Arc;

use super::{base::Base, stores::Databases};
use crate::{
    accounts::SessionOptions,
    admin::{Administration, KeptHours},
    clock::Clock,
    entropy::Entropy,
};

pub(super) fn administration(base: &Base<'_>, databases: &Databases) -> Administration {
    let world = (Arc::clone(&base.clock), Arc::clone(&base.entropy));
    of(databases, base.settings.sessions, world)
}

pub(super) fn of(
    databases: &Databases,
    session_options: SessionOptions,
    (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
) -> Administration {
    Administration {
        administrators: Arc::clone(&databases.administrators),
        directory: Arc::clone(&databases.directory),
        users: Arc::clone(&databases.users),
        sessions: Arc::clone(&databases.sessions),
        session_options,
        records: Arc::clone(&databases.records),
        events: Arc::clone(&databases.event_log),
        kept_hours: KeptHours::default(),
        ledger: Arc::clone(&databases.ledger_reader),
        clock,
        entropy,
    }
}
