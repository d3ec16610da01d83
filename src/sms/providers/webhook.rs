//! A gateway of the operator's own, called by a signed webhook.
//!
//! Each SMS is one POST of JSON, signed as `src/webhook.rs` says. Its id is the challenge's, in `webhook-id` and in the
//! body, the same for each try of one SMS: the receiver drops what it has had before, since an SMS whose answer was lost
//! comes again. What its answers mean is the table of HTTP statuses in `remedy.rs`:
//!
//! | answer | meaning |
//! |---|---|
//! | 2xx | taken; a JSON body may name it: `{"id": "…"}` |
//! | 408, 409, 425, 429, 5xx, no answer | not taken, or unknown: tried again, not before `Retry-After` |
//! | 401 to 405, 407, 410, 301, 308 | nothing goes out until an operator changes something |
//! | other 3xx | tried again, never followed |
//! | any other 4xx, such as 400 and 422 | this SMS is given up |

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use super::remedy::{self, kind_of_status};
use crate::{
    clock::Clock,
    provider::{FailureKind, FailureReason, Outcome, Provider},
    sms::SmsMessage,
    webhook::{WebhookKeys, sign},
    wire::{self, Answer, ProviderError, Wire},
};

const NAME: &str = "webhook";

/// How to reach a gateway.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The whole address, http or https, without login, query and fragment.
    pub url: String,
    pub keys: WebhookKeys,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole call, connecting and reading included.
    pub timeout: Duration,
}

/// A client for one gateway.
pub struct Webhook {
    wire: Wire,
    url: Url,
    keys: WebhookKeys,
    clock: Arc<dyn Clock>,
}

/// What the gateway gets.
#[derive(Serialize)]
struct Payload<'a> {
    id: Uuid,
    /// The number in E.164.
    to: &'a str,
    body: &'a str,
    /// Seconds for which the SMS is of use.
    valid_for: u64,
    /// When this try was made.
    at: DateTime<Utc>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.url.origin().ascii_serialization())
    }
}

impl Webhook {
    /// Sets the client up; nothing is sent yet.
    ///
    /// # Errors
    /// `ProviderError` if the URL is none, or the client cannot be set up (no TLS roots on this machine).
    pub fn new(options: WebhookOptions, clock: Arc<dyn Clock>) -> Result<Self, ProviderError> {
        Ok(Self {
            wire: Wire::new(NAME, options.connect_timeout, options.timeout)?,
            url: wire::bare_url(&options.url).ok_or(ProviderError::Url(NAME))?,
            keys: options.keys,
            clock,
        })
    }

    async fn deliver(&self, message: &SmsMessage) -> Result<Answer, Outcome> {
        let at = self.clock.now();
        let payload = Payload {
            id: message.reference,
            to: message.to.expose(),
            body: message.body.expose(),
            valid_for: message.valid_for.as_secs().max(1),
            at,
        };
        let body = serde_json::to_string(&payload).map_err(|_| Outcome::Misconfigured {
            reason: FailureReason::of(FailureKind::Request),
        })?;
        let (call, id) = (self.wire.post(self.url.clone()), message.reference.to_string());
        wire::call(sign(call, &self.keys, &id, at, body)).await
    }
}

#[async_trait]
impl Provider<SmsMessage> for Webhook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn server(&self) -> Option<String> {
        wire::server(&self.url)
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        match self.deliver(message).await {
            Ok(answer) => read(&answer),
            Err(outcome) => outcome,
        }
    }
}

/// The outcome of an answer: its status decides.
fn read(answer: &Answer) -> Outcome {
    if answer.is_success() {
        return Outcome::Accepted {
            provider_id: wire::plausible_id(&answer.document["id"]),
        };
    }
    let kind = kind_of_status(answer.status);
    remedy::judge(&[], answer.status, None, kind, answer.retry_after)
}
