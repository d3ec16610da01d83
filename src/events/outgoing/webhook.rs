//! What an operator says of a webhook.

use std::fmt;

use url::Url;

use super::EventKinds;
use crate::webhook::WebhookKeys;

/// A receiver of events.
#[derive(Clone)]
pub struct EventWebhook {
    /// By which its position is kept: under another name it begins anew.
    pub name: String,
    pub url: Url,
    pub keys: WebhookKeys,
    pub kinds: EventKinds,
}

/// A URL may have a secret in its path.
impl fmt::Debug for EventWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EventWebhook({}, {})",
            self.name,
            self.url.origin().ascii_serialization()
        )
    }
}
