//! The clients of the providers, and a message for them.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use chrono::{TimeZone, Utc};
use ringback::{
    channel::MessageText,
    clock::ManualClock,
    phone::PhoneNumber,
    provider::{Outcome, Provider},
    sms::{SmsMessage, Twilio, TwilioOptions, Vonage, VonageOptions, Webhook, WebhookOptions},
    webhook::WebhookKeys,
};
use uuid::{Uuid, uuid};

pub const SID: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "the-token-of-the-account";
pub const API_KEY: &str = "abcd1234";
/// 24 bytes.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const REFERENCE: Uuid = uuid!("01890a5d-ac96-774b-bcce-b302099a8057");
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// The clock of the webhook.
pub const NOW: i64 = 1_792_569_600;

/// What `startup` does once for the process.
fn install_tls() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

pub fn twilio(base_url: String, sender: &str) -> Twilio {
    install_tls();
    Twilio::new(TwilioOptions {
        account_sid: SID.to_owned(),
        auth_token: Some(TOKEN.to_owned().into()),
        api_key: None,
        sender: sender.to_owned(),
        base_url,
        receipts_to: None,
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    })
    .unwrap()
}

pub fn vonage(base_url: String, sender: &str) -> Vonage {
    install_tls();
    Vonage::new(VonageOptions {
        api_key: API_KEY.to_owned(),
        api_secret: TOKEN.to_owned().into(),
        sender: sender.to_owned(),
        base_url,
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    })
    .unwrap()
}

pub fn webhook(url: String) -> Webhook {
    install_tls();
    let options = WebhookOptions {
        url,
        keys: WebhookKeys::parse(WEBHOOK_SECRET).unwrap(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    };
    let clock = ManualClock::new(Utc.timestamp_opt(NOW, 0).unwrap());
    Webhook::new(options, Arc::new(clock)).unwrap()
}

/// One of each, all of them calling this server.
pub fn all(url: &str) -> Vec<Box<dyn Provider<SmsMessage>>> {
    vec![
        Box::new(twilio(url.to_owned(), "+15005550006")),
        Box::new(vonage(url.to_owned(), "Ringback")),
        Box::new(webhook(format!("{url}/sms"))),
    ]
}

pub fn message(valid_for: Duration) -> SmsMessage {
    SmsMessage {
        reference: REFERENCE,
        to: PhoneNumber::from_stored("+14152000001".to_owned()),
        body: MessageText::new("Ringback code: 123456. Don't & share it=ever.".to_owned()),
        valid_for,
    }
}

pub fn accepted(id: &str) -> Outcome {
    Outcome::Accepted {
        provider_id: id.to_owned(),
    }
}

pub fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Retryable { .. } => "retryable",
        Outcome::Permanent { .. } => "permanent",
        Outcome::Misconfigured { .. } => "misconfigured",
    }
}
