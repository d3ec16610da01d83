//! Settings in, running service out: the one place that knows which adapter stands behind which trait.
//!
//! [`start`] reads like the map in `lib.rs`; each of its steps is a file here.

mod accounts;
mod administration;
mod base;
mod delivery;
mod error;
mod events;
mod files;
mod flows;
mod housekeeping;
mod http;
mod limits;
mod listeners;
mod open_files;
mod operations;
mod outgoing;
mod providers;
mod run;
mod service_manager;
mod stores;
mod tables;
mod transfer;
mod warnings;
mod world;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    accounts::{SessionStore, SessionUses, read_hash_costs},
    database::Database,
    delivery::DeliveryQueue,
    events::{RefusalStore, RefusalTally, flush_refusals},
    http::Listening,
    ledger::Ledger,
    settings::Settings,
    telemetry::Metrics,
};

pub use error::StartError;
pub use files::{limit_rules, limit_rules_of};
pub use operations::with_administration;
pub use outgoing::{Outgoing, with_outgoing};
pub use run::{check, check_limits_file, is_limits_file, migrate, serve};
pub use transfer::{Before, Transfer, with_transfer};
pub use world::World;

use base::Base;
use files::Files;
use limits::Limits;
use listeners::Listeners;

/// How long the end of the service waits for the last rows: of the ledger, of uses of sessions, of refusals. They are written
/// side by side.
const LAST_ROWS: Duration = Duration::from_secs(5);

/// A running service.
pub struct Running {
    /// Where the API is.
    pub address: SocketAddr,
    /// Where `/metrics` is; none where its port was taken, in development.
    pub ops_address: Option<SocketAddr>,
    /// Where administrators come in; likewise.
    pub admin_address: Option<SocketAddr>,
    drain_delay: Duration,
    shutdown_timeout: Duration,
    servers: Vec<Listening>,
    limits: Limits,
    queue: DeliveryQueue,
    database: Arc<dyn Database>,
    ledger: Ledger,
    /// When sessions were last used, and where that is written.
    sessions: (SessionUses, Arc<dyn SessionStore>),
    /// What was refused, and where that is written.
    refusals: (RefusalTally, Arc<dyn RefusalStore>),
    draining: Arc<AtomicBool>,
}

impl Running {
    /// Reads again what can be read again: the limits file.
    pub async fn reload(&self) {
        self.limits.reload().await;
    }

    /// Ends in order: not ready any more, after `server.drain_delay` no new connection, what is in flight finished, unfinished SMS back to the outbox.
    pub async fn stop(self) {
        self.draining.store(true, Ordering::Relaxed);
        if !self.drain_delay.is_zero() {
            tracing::info!("not ready any more");
            tokio::time::sleep(self.drain_delay).await;
        }
        let began = Instant::now();
        // What is in flight may yet ask for limits that another worker counted, which may end before.
        self.limits.limiter.gather_here().await;
        futures_util::future::join_all(self.servers.iter().map(Listening::stop)).await;
        let left = self
            .shutdown_timeout
            .saturating_sub(began.elapsed())
            .max(Duration::from_secs(1));
        let handed_back = self.queue.drain(left).await;
        let (uses, sessions) = &self.sessions;
        let (tally, refusals) = &self.refusals;
        tokio::join!(
            self.ledger.flush(LAST_ROWS),
            uses.flush(sessions.as_ref(), LAST_ROWS),
            flush_refusals(tally, refusals.as_ref(), LAST_ROWS),
        );
        self.database.close().await;
        tracing::info!(sms.handed_back = handed_back, "stopped");
    }
}

/// Starts everything. Needs an actix system on this thread.
///
/// # Errors
/// [`StartError`]; nothing keeps running then.
pub async fn start(settings: &Settings, world: World) -> Result<Running, StartError> {
    base::prepare_process();
    open_files::raise_limit(settings)?;
    let metrics = Metrics::init();
    let listeners = Listeners::bind(settings)?;
    let base = Base::new(settings, world)?;
    let files = Files::read(settings)?;

    let databases = stores::connect_database(settings)?;
    tables::bring_up_to_date(settings, databases.database.as_ref()).await?;
    // Before the first row, which needs not be moved then.
    for (table, kept) in stores::make_months(&databases, base.clock.as_ref()).await {
        databases.months_ahead.note(table, kept);
    }
    let stores = stores::connect(&base)?;
    let limits = limits::start(&base, &stores, files.rules, files.prices);
    let delivery = delivery::start(&base, &stores, &databases, &limits)?;
    for provider in delivery.queue.status().providers {
        metrics.begin_provider(provider.name, provider.channel);
    }
    let accounts = accounts::start(&base, &databases, &limits, files.password_rules)?;
    let hasher = accounts.sign_in.hasher.clone();
    read_hash_costs(&hasher, databases.passwords.as_ref()).await;
    let flows = flows::start(&base, &accounts, &stores, &databases, &limits, &delivery);

    let draining = Arc::new(AtomicBool::new(false));
    let readiness = http::readiness(
        &base,
        &stores,
        &databases,
        &limits,
        &delivery,
        Arc::clone(&draining),
    );
    let (queue, ledger) = (delivery.queue.clone(), delivery.ledger.clone());
    let (uses, notices) = (accounts.sessions.uses.clone(), Arc::clone(&delivery.notices));
    let api = http::api(&base, metrics.clone(), readiness, accounts, flows, delivery);
    housekeeping::start(&base, &databases, notices, &metrics, uses.clone(), hasher);
    events::start(&base, &databases)?;
    let servers = http::serve(&base, listeners, api)?;
    Ok(Running {
        address: servers.address,
        ops_address: servers.ops_address,
        admin_address: servers.admin_address,
        drain_delay: settings.server.drain_delay,
        shutdown_timeout: settings.server.shutdown_timeout,
        servers: servers.running,
        limits,
        queue,
        database: databases.database,
        ledger,
        sessions: (uses, databases.sessions),
        refusals: (base.refusals, databases.refusals),
        draining,
    })
}
