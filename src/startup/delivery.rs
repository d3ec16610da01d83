//! The way of a message: who carries it, what is told of it, the dispatcher.

use std::sync::Arc;

use super::{
    base::Base,
    error::StartError,
    limits::Limits,
    providers::Providers,
    stores::{Databases, Stores},
};
use crate::{
    clock::Clock,
    delivery::{Carrier, ChannelProvider, Countries, DeliveryQueue, DispatcherParts, ReceiptReaders, Route},
    flows::{FlowMessages, Notices, StatusReports, Supported},
    inbox::DevInbox,
    ledger::Ledger,
    mail::Smtp,
    settings::{Environment, ProviderName, Settings},
    sms::TwilioReceipts,
};

/// Notices have a tenth of the pace that codes have at a provider, beside them: codes are waited for.
const NOTICES_SLOWER: u32 = 10;

/// What the rest of the service needs of it.
pub(super) struct Delivery {
    pub(super) queue: DeliveryQueue,
    pub(super) ledger: Ledger,
    pub(super) receipts: ReceiptReaders,
    /// Present in development where a channel has no provider.
    pub(super) inbox: Option<DevInbox>,
    pub(super) notices: Arc<Notices>,
}

pub(super) fn start(
    base: &Base<'_>,
    stores: &Stores,
    databases: &Databases,
    limits: &Limits,
) -> Result<Delivery, StartError> {
    let (routes, inbox) = routes(base.settings, &base.clock)?;
    let ledger = Ledger::start(Arc::clone(&databases.ledger), base.settings.ledger);
    let receipts = receipt_readers(base.settings);
    let reports = StatusReports::start(
        Arc::clone(&stores.challenges.store),
        ledger.clone(),
        Arc::clone(&base.clock),
        limits.limiter.prices(),
        base.settings.dispatcher.queue,
    );
    let messages = FlowMessages {
        proofs: Arc::clone(&databases.proofs),
        challenges: stores.challenges.clone(),
        sms_texts: Arc::clone(&base.settings.texts.sms),
        mail_texts: Arc::clone(&base.settings.texts.mail),
    };
    let notices = Notices {
        store: Arc::clone(&databases.notices),
        carrier: Carrier::new(&routes, &base.settings.dispatcher, NOTICES_SLOWER),
        limiter: limits.limiter.clone(),
        keyring: Arc::clone(&base.keyring),
        supported: Supported {
            countries: Arc::new(base.settings.countries.clone()),
            phone_kinds: base.settings.phone_kinds,
            email: true,
        },
        sms_texts: Arc::clone(&base.settings.texts.sms_notices),
        mail_texts: Arc::clone(&base.settings.texts.mail_notices),
        contact: base.settings.contact.clone(),
        language: base.settings.texts.language.clone(),
        ledger: ledger.clone(),
        clock: Arc::clone(&base.clock),
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
        notices: Arc::new(notices),
    })
}

/// The routes to the providers that are configured; in development, a channel without one leads to the inbox.
fn routes(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<(Vec<Route>, Option<DevInbox>), StartError> {
    let providers = Providers::new(settings, clock)?;
    let everywhere = |provider, max_per_second| Route {
        provider,
        countries: Countries::All,
        max_per_second,
    };
    let routes = settings.routes.iter().filter_map(|entry| {
        let (provider, max_per_second) = providers.get(entry.provider)?;
        Some(Route {
            provider: ChannelProvider::Sms(provider),
            countries: entry.countries.clone(),
            max_per_second,
        })
    });
    let mut routes: Vec<_> = routes.collect();
    let carries_sms = !routes.is_empty();
    if let Some(mail) = &settings.mail {
        let smtp = Smtp::new(mail.options.clone(), Arc::clone(clock))?;
        routes.push(everywhere(
            ChannelProvider::Email(Arc::new(smtp)),
            mail.max_per_second,
        ));
    }
    if carries_sms && (settings.mail.is_some() || settings.env == Environment::Production) {
        return Ok((routes, None));
    }
    let inbox = DevInbox::new(settings.inbox.size, Arc::clone(clock));
    if !carries_sms {
        routes.push(everywhere(ChannelProvider::Sms(Arc::new(inbox.clone())), 0));
    }
    if settings.mail.is_none() {
        routes.push(everywhere(ChannelProvider::Email(Arc::new(inbox.clone())), 0));
    }
    Ok((routes, Some(inbox)))
}

/// Who reads the receipts of the providers that are asked for some.
fn receipt_readers(settings: &Settings) -> ReceiptReaders {
    let mut readers = ReceiptReaders::default();
    if let (Some(twilio), Some(url)) = (&settings.twilio, &settings.server.public_url)
        && let Some(token) = &twilio.options.auth_token
    {
        let reader = TwilioReceipts::new(url, token.clone());
        readers.add(ProviderName::Twilio.name(), Arc::new(reader));
    }
    readers
}
