//! The section `webhook`.

use std::time::Duration;

use super::{
    environment::Environment,
    plaintext::{Plaintext, plain_host},
    provider_section::{BASE_URL, MAX_PACE, ProviderSettings, Reading, base_url, timeouts},
    reader::{Reader, Refused},
};
use crate::{sms::WebhookOptions, webhook::WebhookKeys};

/// The operator's own gateway, which SMS are handed to.
pub(super) fn read(reader: &mut Reader, env: Environment, lease: Duration) -> Reading<WebhookOptions> {
    const URL: &str = "webhook.url";
    const SECRET: &str = "webhook.secret";
    let url = reader.optional(URL, BASE_URL, base_url);
    let keys = reader.optional(
        SECRET,
        "24 to 64 random bytes in base64, with or without whsec_ before it, up to four with commas between them",
        |text| WebhookKeys::parse(text).ok_or_else(Refused::default),
    );
    let (connect_timeout, timeout) = timeouts(reader, "webhook.connect_timeout", "webhook.timeout", lease);
    let max_per_second = reader.integer("webhook.max_per_second", 0..=MAX_PACE);
    let rule = Plaintext {
        key: URL,
        switch: "webhook.allow_plaintext",
        tls: "https://",
    };
    rule.refuse(reader, env, url.as_ref().and_then(plain_host));
    let parts = [
        (URL, "RINGBACK__WEBHOOK__URL", url.is_some()),
        (SECRET, "RINGBACK__WEBHOOK__SECRET", keys.is_some()),
    ];
    let settings = match (url, keys) {
        (Some(url), Some(keys)) => Some(ProviderSettings {
            options: WebhookOptions {
                url: url.into(),
                keys,
                connect_timeout,
                timeout,
            },
            max_per_second,
        }),
        _ => None,
    };
    Reading::new(reader, "the webhook", parts, settings)
}
