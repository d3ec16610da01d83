//! The providers of SMS that have an account.

use std::sync::Arc;

use crate::{
    clock::Clock,
    provider::Provider,
    settings::{ProviderName, Settings, TwilioSettings, VonageSettings, WebhookSettings},
    sms::{
        ProviderError, SmsMessage, Twilio, TwilioOptions, TwilioReceipts, Vonage, VonageOptions, Webhook,
        WebhookOptions,
    },
};

/// A provider and its pace.
pub(super) type Paced = (Arc<dyn Provider<SmsMessage>>, u32);

/// One client for each.
pub(super) struct Providers {
    twilio: Option<Paced>,
    vonage: Option<Paced>,
    webhook: Option<Paced>,
}

impl Providers {
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self, ProviderError> {
        let twilio = |account| twilio(account, origin(settings));
        let webhook = |settings| webhook(settings, Arc::clone(clock));
        Ok(Self {
            twilio: settings.twilio.as_ref().map(twilio).transpose()?,
            vonage: settings.vonage.as_ref().map(vonage).transpose()?,
            webhook: settings.webhook.as_ref().map(webhook).transpose()?,
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

/// Where the world reaches the service, without a slash at the end.
pub(super) fn origin(settings: &Settings) -> Option<String> {
    let url = settings.server.public_url.as_ref()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Who reads Twilio's receipts, where they are asked for.
pub(super) fn twilio_receipts(settings: &Settings) -> Option<TwilioReceipts> {
    let (twilio, url) = (settings.twilio.as_ref()?, settings.server.public_url.as_ref()?);
    Some(TwilioReceipts::new(url, twilio.auth_token.clone()))
}

fn twilio(settings: &TwilioSettings, receipts_to: Option<String>) -> Result<Paced, ProviderError> {
    let twilio = Twilio::new(TwilioOptions {
        account_sid: settings.account_sid.clone(),
        auth_token: settings.auth_token.clone(),
        sender: settings.phone_number.clone(),
        base_url: settings.base_url.to_string(),
        receipts_to,
        connect_timeout: settings.connect_timeout,
        timeout: settings.timeout,
    })?;
    Ok((Arc::new(twilio), settings.max_per_second))
}

fn vonage(settings: &VonageSettings) -> Result<Paced, ProviderError> {
    let vonage = Vonage::new(VonageOptions {
        api_key: settings.api_key.clone(),
        api_secret: settings.api_secret.clone(),
        sender: settings.sender.clone(),
        base_url: settings.base_url.to_string(),
        connect_timeout: settings.connect_timeout,
        timeout: settings.timeout,
    })?;
    Ok((Arc::new(vonage), settings.max_per_second))
}

fn webhook(settings: &WebhookSettings, clock: Arc<dyn Clock>) -> Result<Paced, ProviderError> {
    let options = WebhookOptions {
        url: settings.url.to_string(),
        keys: settings.keys.clone(),
        connect_timeout: settings.connect_timeout,
        timeout: settings.timeout,
    };
    Ok((Arc::new(Webhook::new(options, clock)?), settings.max_per_second))
}
