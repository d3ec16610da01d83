//! How a webhook is signed: the scheme of Standard Webhooks 1.0.0
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), for which there are
//! libraries in most languages.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use crate::{secrets::hmac_sha256, wire::Call};

/// Bytes of a secret, as the specification bounds them.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// More secrets than a rotation has use for.
const MAX_SECRETS: usize = 4;

/// The secrets that a webhook's receiver may know it by. While they are rotated there are several, and each signs.
#[derive(Clone)]
pub struct WebhookKeys(Vec<Zeroizing<Vec<u8>>>);

impl WebhookKeys {
    /// Reads one to four secrets, separated by commas: base64 of 24 to 64 bytes, with or without `whsec_` before it.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = |part: &str| {
            let part = part.trim();
            let bytes = BASE64_STANDARD.decode(part.strip_prefix("whsec_").unwrap_or(part));
            let secret = Zeroizing::new(bytes.ok()?);
            BYTES.contains(&secret.len()).then_some(secret)
        };
        let secrets: Vec<_> = text.split(',').map(secret).collect::<Option<_>>()?;
        (secrets.len() <= MAX_SECRETS).then_some(Self(secrets))
    }

    /// The value of `webhook-signature`. `id` has no full stop in it, so that no two messages read the same.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let signature = |secret: &Zeroizing<Vec<u8>>| {
            let tag = hmac_sha256(secret, signed.as_bytes());
            format!("v1,{}", BASE64_STANDARD.encode(tag))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

/// A call with this body, of JSON, and its signature; `at` is when it is made. A call that is made again has the same `id`.
pub(crate) fn sign(call: Call, keys: &WebhookKeys, id: &str, at: DateTime<Utc>, body: String) -> Call {
    let timestamp = at.timestamp();
    call.header("content-type", "application/json")
        .header("webhook-signature", keys.sign(id, timestamp, &body))
        .header("webhook-timestamp", timestamp)
        .header("webhook-id", id)
        .body(body)
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_reference_libraries() {
        let signature = WebhookKeys::parse(SECRET).unwrap().sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn in_a_rotation_each_secret_signs() {
        let other = BASE64_STANDARD.encode([7; 24]);
        let both = WebhookKeys::parse(&format!("{other}, {SECRET}")).unwrap();
        let signature = both.sign("a", 1, "b");
        let each = |secret| WebhookKeys::parse(secret).unwrap().sign("a", 1, "b");
        assert_eq!(signature, format!("{} {}", each(&other), each(SECRET)));
        assert_eq!(format!("{both:?}"), "WebhookKeys(2)");
    }

    #[test]
    fn a_secret_has_24_to_64_bytes_of_base64() {
        let of = |bytes: usize| BASE64_STANDARD.encode(vec![1; bytes]);
        assert!(WebhookKeys::parse(&of(24)).is_some() && WebhookKeys::parse(&of(64)).is_some());
        for refused in [
            "",
            "hush",
            "whsec_",
            &of(23),
            &of(65),
            &format!("{},", of(24)),
            &format!("whsec_whsec_{}", of(24)),
            &[of(24), of(24), of(24), of(24), of(24)].join(","),
        ] {
            assert!(WebhookKeys::parse(refused).is_none(), "{refused}");
        }
    }
}
