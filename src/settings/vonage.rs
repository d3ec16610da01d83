//! The section `vonage`.

use std::time::Duration;

use super::{
    environment::Environment,
    plaintext::{Plaintext, plain_host},
    provider_section::{
        BASE_URL, MAX_PACE, ProviderSettings, Reading, base_url, identifier, secret, timeouts,
    },
    reader::{Reader, Refused},
};
use crate::sms::VonageOptions;

/// The account at Vonage that SMS are sent from.
pub(super) fn read(reader: &mut Reader, env: Environment, lease: Duration) -> Reading<VonageOptions> {
    const KEY: &str = "vonage.api_key";
    const SECRET: &str = "vonage.api_secret";
    const SENDER: &str = "vonage.sender";
    let api_key = reader.optional(KEY, "the API key, 64 letters and digits at most", identifier);
    let api_secret = reader.optional(
        SECRET,
        "the API secret, 256 characters without spaces at most",
        secret,
    );
    let sender = reader.optional(
        SENDER,
        "a number such as \"+14152000001\", or a name of 1 to 11 letters and digits",
        sender,
    );
    let base_url = reader.text("vonage.base_url", BASE_URL, base_url);
    let (connect_timeout, timeout) = timeouts(reader, "vonage.connect_timeout", "vonage.timeout", lease);
    let max_per_second = reader.integer("vonage.max_per_second", 0..=MAX_PACE);
    let rule = Plaintext {
        key: "vonage.base_url",
        switch: "vonage.allow_plaintext",
        tls: "https://",
    };
    rule.refuse(reader, env, plain_host(&base_url));
    let parts = [
        (KEY, "RINGBACK__VONAGE__API_KEY", api_key.is_some()),
        (SECRET, "RINGBACK__VONAGE__API_SECRET", api_secret.is_some()),
        (SENDER, "RINGBACK__VONAGE__SENDER", sender.is_some()),
    ];
    let settings = match (api_key, api_secret, sender) {
        (Some(api_key), Some(api_secret), Some(sender)) => Some(ProviderSettings {
            options: VonageOptions {
                api_key,
                api_secret,
                sender,
                base_url: base_url.into(),
                connect_timeout,
                timeout,
            },
            max_per_second,
        }),
        _ => None,
    };
    Reading::new(reader, "the Vonage account", parts, settings)
}

/// What phones show of a longer name is cut off, and of one with other characters is not known.
fn sender(text: &str) -> Result<String, Refused> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number =
        (3..=15).contains(&digits.len()) && digits.bytes().all(|character| character.is_ascii_digit());
    let is_name = text.len() <= 11 && text.bytes().all(|character| character.is_ascii_alphanumeric());
    if is_number || is_name {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}
