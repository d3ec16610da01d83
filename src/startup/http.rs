//! The servers, and all that they call.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicBool},
};

use super::{
    accounts::Accounts,
    base::Base,
    delivery::Delivery,
    limits::Limits,
    listeners::Listeners,
    stores::{Databases, Stores},
};
use crate::{
    flows::Flows,
    http::{Api, Listening, serve_admin, serve_api, serve_ops},
    readiness::Readiness,
    settings::Environment,
    telemetry::Metrics,
};

/// What serves, and where.
pub(super) struct Servers {
    pub(super) address: SocketAddr,
    pub(super) ops_address: Option<SocketAddr>,
    pub(super) admin_address: Option<SocketAddr>,
    pub(super) running: Vec<Listening>,
}

pub(super) fn serve(base: &Base<'_>, listeners: Listeners, api: Api) -> io::Result<Servers> {
    let api = Arc::new(api);
    let address = listeners.api.local_addr()?;
    let ops_address = listeners.ops.as_ref().map(TcpListener::local_addr).transpose()?;
    let admin_address = listeners
        .admin
        .as_ref()
        .map(TcpListener::local_addr)
        .transpose()?;
    let mut running = vec![serve_api(&base.settings.server, listeners.api, Arc::clone(&api))?];
    if let Some(listener) = listeners.ops {
        running.push(serve_ops(&base.settings.server, listener, Arc::clone(&api))?);
    }
    if let Some(listener) = listeners.admin {
        running.push(serve_admin(&base.settings.server, listener, api)?);
    }
    Ok(Servers {
        address,
        ops_address,
        admin_address,
        running,
    })
}

/// What handlers call.
pub(super) fn api(
    base: &Base<'_>,
    metrics: Metrics,
    readiness: Readiness,
    accounts: Accounts,
    flows: Flows,
    delivery: Delivery,
) -> Api {
    Api {
        sign_in: accounts.sign_in,
        sessions: accounts.sessions,
        own_password: accounts.own_password,
        profiles: accounts.profiles,
        leave: accounts.leave,
        admin: accounts.admin,
        password_rules: accounts.password_rules,
        flows,
        readiness,
        receipts: delivery.receipts,
        inbox: delivery.inbox,
        inbox_allows_remote: base.settings.inbox.allow_remote,
        refusals: base.refusals.clone(),
        metrics,
        sms_texts: Arc::clone(&base.settings.texts.sms),
        mail_texts: Arc::clone(&base.settings.texts.mail),
        phone_check: base.settings.phone_check,
        server: base.settings.server.clone(),
        admin_options: base.settings.admin.clone(),
    }
}

/// What `/readyz` asks.
pub(super) fn readiness(
    base: &Base<'_>,
    stores: &Stores,
    databases: &Databases,
    limits: &Limits,
    delivery: &Delivery,
    draining: Arc<AtomicBool>,
) -> Readiness {
    Readiness {
        database: Arc::clone(&databases.database),
        months_ahead: databases.months_ahead.clone(),
        challenges: Arc::clone(&stores.challenges.store),
        queue: delivery.queue.clone(),
        watcher: Arc::clone(&limits.watch),
        limiter: Some(limits.limiter.clone()),
        wants_rules: base.settings.env == Environment::Production,
        supervision: base.supervision.clone(),
        draining,
        last: Arc::default(),
    }
}
