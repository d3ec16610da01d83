//! What is done again and again beside the requests: metrics are folded, notices are sent, what is too old goes.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{base::Base, stores::Databases};
use crate::{
    accounts::{
        PasswordHasher, SessionUses, UnusedAccounts, purge_sessions, watch_hash_costs, write_session_uses,
    },
    events::write_refusals,
    flows::Notices,
    retention::Retention,
    telemetry::Metrics,
};

pub(super) fn start(
    base: &Base<'_>,
    databases: &Databases,
    notices: Arc<Notices>,
    metrics: &Metrics,
    uses: SessionUses,
    hasher: PasswordHasher,
) {
    let clock = || Arc::clone(&base.clock);
    actix::spawn(notices.send_forever());
    actix::spawn(metrics.clone().keep_up());
    actix::spawn(purge_sessions(Arc::clone(&databases.sessions), clock()));
    actix::spawn(write_session_uses(uses, Arc::clone(&databases.sessions)));
    actix::spawn(watch_hash_costs(hasher, Arc::clone(&databases.passwords)));
    let retention = |table, kept| Retention {
        table,
        kept,
        whole_months: base.settings.database.whole_months,
        clock: clock(),
        ahead: databases.months_ahead.clone(),
    };
    let of_ledger = retention("verifications", base.settings.ledger.retention);
    actix::spawn(of_ledger.keep_forever(Arc::clone(&databases.ledger) as _));
    let of_events = retention("events", base.settings.events.retention);
    actix::spawn(of_events.keep_forever(Arc::clone(&databases.events)));
    let unused = UnusedAccounts {
        store: Arc::clone(&databases.records),
        ttl: base.settings.accounts.unused_ttl,
        session_ttl: TimeDelta::from_std(base.settings.sessions.ttl).unwrap_or(TimeDelta::MAX),
        clock: clock(),
        entropy: Arc::clone(&base.entropy),
    };
    actix::spawn(unused.erase_forever());
    actix::spawn(write_refusals(
        base.refusals.clone(),
        Arc::clone(&databases.refusals),
    ));
}
