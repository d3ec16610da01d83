//! Vonage (once Nexmo), by its SMS API (<https://developer.vonage.com/en/api/sms>).
//!
//! Vonage has two APIs that send SMS. It recommends the Messages API for new integrations, since that has other channels
//! too, and goes on supporting this one. For a code this one is the better: it tells at once why an SMS is not taken, by a
//! short, published list of numbers, where the Messages API takes it first and tells by a webhook that has to be received;
//! and it is the one that Vonage names for more than 500 SMS a second
//! (<https://developer.vonage.com/en/messages/concepts/sms>).
//!
//! A message can't be looked up by its number at once, so that one whose answer was lost is sent again.

mod errors;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{
    provider::{Outcome, Provider},
    sms::{SmsMessage, septets},
    wire::{self, Answer, ProviderError, Wire},
};

const NAME: &str = "vonage";
/// The bounds of `ttl`, in milliseconds.
const TTL: std::ops::RangeInclusive<u128> = 20_000..=604_800_000;

/// How to reach an account at Vonage.
#[derive(Debug, Clone)]
pub struct VonageOptions {
    pub api_key: String,
    pub api_secret: SecretString,
    /// A number of the account in E.164, or a name where the recipient's country allows one.
    pub sender: String,
    /// Where the API is: `https://rest.nexmo.com` but in tests.
    pub base_url: String,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole call, connecting and reading included.
    pub timeout: Duration,
}

/// A client for one account and one sender.
pub struct Vonage {
    wire: Wire,
    url: Url,
    api_key: String,
    api_secret: SecretString,
    sender: String,
}

impl fmt::Debug for Vonage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vonage({})", self.url)
    }
}

impl Vonage {
    /// Sets the client up; nothing is sent yet.
    ///
    /// # Errors
    /// `ProviderError` if the base URL is none, or the client cannot be set up (no TLS roots on this machine).
    pub fn new(options: VonageOptions) -> Result<Self, ProviderError> {
        let mut url = wire::bare_url(&options.base_url).ok_or(ProviderError::Url(NAME))?;
        url.path_segments_mut()
            .map_err(|()| ProviderError::Url(NAME))?
            .pop_if_empty()
            .extend(["sms", "json"]);
        Ok(Self {
            wire: Wire::new(NAME, options.connect_timeout, options.timeout)?,
            url,
            api_key: options.api_key,
            api_secret: options.api_secret,
            sender: options.sender,
        })
    }

    async fn submit(&self, message: &SmsMessage) -> Result<Answer, Outcome> {
        let text = message.body.expose();
        let alphabet = if septets(text).is_some() {
            "text"
        } else {
            "unicode"
        };
        let ttl = message.valid_for.as_millis().clamp(*TTL.start(), *TTL.end());
        let form = [
            ("from", self.sender.trim_start_matches('+')),
            ("to", message.to.expose().trim_start_matches('+')),
            ("text", text),
            ("type", alphabet),
            ("ttl", &ttl.to_string()),
            ("client-ref", &message.reference.to_string()),
        ];
        let request = self
            .wire
            .post(self.url.clone())
            .basic_auth(&self.api_key, Some(self.api_secret.expose_secret()))
            .form(&form);
        wire::call(request).await
    }
}

#[async_trait]
impl Provider<SmsMessage> for Vonage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn server(&self) -> Option<String> {
        wire::server(&self.url)
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        match self.submit(message).await {
            Ok(answer) => read(&answer),
            Err(outcome) => outcome,
        }
    }
}

/// The outcome of an answer, which has a status for each part of the message, whatever its HTTP status. One part that
/// failed leaves the recipient without the message, so that the first failure is the message's.
fn read(answer: &Answer) -> Outcome {
    let parts = answer.document["messages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let failed = parts.iter().map(code).find(|code| *code != Some(0));
    match (parts, failed) {
        ([first, ..], None) if answer.is_success() => Outcome::Accepted {
            provider_id: wire::plausible_id(&first["message-id"]),
        },
        (_, failed) => errors::judge(answer.status, failed.flatten(), answer.retry_after),
    }
}

/// The status of a part: a number in a text.
fn code(part: &Value) -> Option<u32> {
    match &part["status"] {
        Value::String(text) => text.parse().ok(),
        status => status.as_u64()?.try_into().ok(),
    }
}
