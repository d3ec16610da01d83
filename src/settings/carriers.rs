//! Who carries messages: the sections of all providers, and what becomes of the list of those that carry SMS.

use std::time::Duration;

use super::{
    Environment,
    countries::Reach,
    delivery, mail,
    provider_section::Reading,
    providers::{ProviderName, RouteSettings},
    reader::Reader,
    twilio, vonage, webhook,
};
use crate::{
    delivery::DispatcherOptions,
    http::ServerOptions,
    mail::SmtpOptions,
    sms::{TwilioOptions, VonageOptions, WebhookOptions},
};

/// Who carries messages, where SMS go, and how hard a message is tried.
pub(super) struct Carriers {
    pub reach: Reach,
    /// What the configuration lists; empty stands for every provider that is configured.
    pub listed: Vec<RouteSettings>,
    pub dispatcher: DispatcherOptions,
    pub twilio: Reading<TwilioOptions>,
    pub vonage: Reading<VonageOptions>,
    pub webhook: Reading<WebhookOptions>,
    pub mail: Reading<SmtpOptions>,
    /// Where somebody may object to what a notice tells.
    pub contact: Option<String>,
}

impl Carriers {
    pub fn read(reader: &mut Reader, env: Environment, server: &ServerOptions, code_ttl: Duration) -> Self {
        let reach = Reach::read(reader);
        let listed = RouteSettings::read(reader);
        let dispatcher = delivery::read(reader, code_ttl);
        Self {
            twilio: twilio::read(reader, env, dispatcher.lease, server.origin()),
            vonage: vonage::read(reader, env, dispatcher.lease),
            webhook: webhook::read(reader, env, dispatcher.lease),
            mail: mail::read(reader, dispatcher.lease),
            contact: mail::read_contact(reader),
            reach,
            listed,
            dispatcher,
        }
    }

    /// The providers of SMS of whose account something is set.
    pub fn configured(&self) -> Vec<ProviderName> {
        let accounts = [
            (ProviderName::Twilio, !self.twilio.is_absent()),
            (ProviderName::Vonage, !self.vonage.is_absent()),
            (ProviderName::Webhook, !self.webhook.is_absent()),
        ];
        let configured = accounts.into_iter().filter(|(_, is_set)| *is_set);
        configured.map(|(name, _)| name).collect()
    }

    /// The routes in force. Every account has to be whole or absent. Says so where no e-mail goes out.
    pub fn routes_in_force(&self, reader: &mut Reader, env: Environment) -> Vec<RouteSettings> {
        self.twilio.demand_whole(reader);
        self.vonage.demand_whole(reader);
        self.webhook.demand_whole(reader);
        self.mail.demand_whole(reader);
        if self.mail.is_absent() {
            reader.note("mail.url", no_mail(env).to_owned());
        }
        RouteSettings::in_force(self.listed.clone(), &self.configured(), reader)
    }
}

/// What is in force where no mail server is set.
fn no_mail(env: Environment) -> &'static str {
    match env {
        Environment::Development => "in force: the development inbox",
        Environment::Production => {
            "no e-mail goes out: requests for one are answered 503 mail_not_configured"
        }
    }
}
