//! The way of a message: who carries it, what is told of it, the dispatcher.

use std::sync::Arc;

use super::{
    base::Base,
    error::StartError,
    providers::Providers,
    stores::{Databases, Stores},
};
use crate::{
    clock::Clock,
    delivery::{ChannelProvider, Countries, DeliveryQueue, DispatcherParts, Route},
    flows::{FlowMessages, StatusReports},
    ledger::Ledger,
    settings::Settings,
    sms::{DevInbox, ProviderError, TwilioReceipts},
};

/// What the rest of the service needs of it.
pub(super) struct Delivery {
    pub(super) queue: DeliveryQueue,
    pub(super) ledger: Ledger,
    /// Present where receipts are asked for.
    pub(super) receipts: Option<TwilioReceipts>,
    /// Present in development without a provider.
    pub(super) inbox: Option<DevInbox>,
}

pub(super) fn start(base: &Base<'_>, stores: &Stores, databases: &Databases) -> Result<Delivery, StartError> {
    let (routes, inbox) = routes(base.settings, &base.clock)?;
    let ledger = Ledger::start(Arc::clone(&databases.ledger), base.settings.ledger);
    let receipts = twilio_receipts(base.settings);
    let reports = StatusReports::start(
        Arc::clone(&stores.challenges.store),
        ledger.clone(),
        Arc::clone(&base.clock),
        base.settings.dispatcher.queue,
    );
    let messages = FlowMessages {
        proofs: Arc::clone(&databases.proofs),
        challenges: stores.challenges.clone(),
        texts: Arc::clone(&base.settings.texts),
    };
    let queue = DeliveryQueue::start(
        &base.supervision,
        base.settings.dispatcher.clone(),
        DispatcherParts {
            routes,
            outbox: Arc::clone(&stores.outbox),
            messages: Arc::new(messages),
            reports: Arc::new(reports),
            clock: Arc::clone(&base.clock),
            entropy: Arc::clone(&base.entropy),
        },
    );
    Ok(Delivery {
        queue,
        ledger,
        receipts,
        inbox,
    })
}

/// The routes to the providers that are configured, or in development without any to the inbox.
fn routes(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<Route>, Option<DevInbox>), ProviderError> {
    let providers = Providers::new(settings, clock)?;
    let routes = settings.routes.iter().filter_map(|entry| {
        let (provider, max_per_second) = providers.get(entry.provider)?;
        Some(Route {
            provider: ChannelProvider::Sms(provider),
            countries: entry.countries.clone(),
            max_per_second,
        })
    });
    let routes: Vec<_> = routes.collect();
    if !routes.is_empty() {
        return Ok((routes, None));
    }
    let inbox = DevInbox::new(settings.inbox.size, Arc::clone(clock));
    let route = Route {
        provider: ChannelProvider::Sms(Arc::new(inbox.clone())),
        countries: Countries::All,
        max_per_second: 0,
    };
    Ok((vec![route], Some(inbox)))
}

/// Who reads Twilio's receipts, where they are asked for.
fn twilio_receipts(settings: &Settings) -> Option<TwilioReceipts> {
    let (twilio, url) = (settings.twilio.as_ref()?, settings.server.public_url.as_ref()?);
    Some(TwilioReceipts::new(url, twilio.options.auth_token.clone()?))
}
