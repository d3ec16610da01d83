//! The providers of SMS that have an account: one client for each.

use std::sync::Arc;

use crate::{
    clock::Clock,
    provider::Provider,
    settings::{ProviderName, ProviderSettings, Settings},
    sms::{SmsMessage, Twilio, Vonage, Webhook},
    wire::ProviderError,
};

/// A provider and its pace.
pub(super) type Paced = (Arc<dyn Provider<SmsMessage>>, u32);

pub(super) struct Providers {
    twilio: Option<Paced>,
    vonage: Option<Paced>,
    webhook: Option<Paced>,
}

impl Providers {
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self, ProviderError> {
        Ok(Self {
            twilio: paced(settings.twilio.as_ref(), |options| Twilio::new(options.clone()))?,
            vonage: paced(settings.vonage.as_ref(), |options| Vonage::new(options.clone()))?,
            webhook: paced(settings.webhook.as_ref(), |options| {
                Webhook::new(options.clone(), Arc::clone(clock))
            })?,
        })
    }

    pub(super) fn get(&self, name: ProviderName) -> Option<Paced> {
        match name {
            ProviderName::Twilio => self.twilio.clone(),
            ProviderName::Vonage => self.vonage.clone(),
            ProviderName::Webhook => self.webhook.clone(),
        }
    }
}

fn paced<T, P: Provider<SmsMessage> + 'static>(
    settings: Option<&ProviderSettings<T>>,
    client: impl FnOnce(&T) -> Result<P, ProviderError>,
) -> Result<Option<Paced>, ProviderError> {
    let Some(ProviderSettings {
        options,
        max_per_second,
    }) = settings
    else {
        return Ok(None);
    };
    Ok(Some((Arc::new(client(options)?), *max_per_second)))
}
