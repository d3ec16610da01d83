//! What Twilio tells of a message after it was taken: receipts, called status callbacks there
//! (<https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>).

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use url::Url;
use uuid::Uuid;

use super::twilio_signature;
use crate::provider::{DeliveryStatus, Forged, Price, ReceiptReader, ReceiptRequest, StatusUpdate};

/// Where Twilio is asked to send receipts.
pub fn callback(origin: &str, challenge_id: Uuid) -> String {
    format!("{origin}/api/sms/receipts/twilio/{challenge_id}/")
}

/// Takes Twilio's receipts.
pub struct TwilioReceipts {
    /// What the world calls this service, in each spelling that Twilio may have signed: it names the port or doesn't.
    origins: Vec<String>,
    auth_token: SecretString,
}

impl fmt::Debug for TwilioReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwilioReceipts({:?})", self.origins)
    }
}

impl TwilioReceipts {
    /// Receipts for a service that the world reaches at `public_url`, signed with the account's token.
    pub fn new(public_url: &Url, auth_token: SecretString) -> Self {
        let mut origins = vec![public_url.origin().ascii_serialization()];
        let bare = format!(
            "{}://{}",
            public_url.scheme(),
            public_url.host_str().unwrap_or_default()
        );
        let port = public_url.port_or_known_default();
        for origin in [port.map(|port| format!("{bare}:{port}")), Some(bare)]
            .into_iter()
            .flatten()
        {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        Self { origins, auth_token }
    }

    /// Checks and reads a receipt. The URL that was signed is put together from the public one: what the request itself says of its host is its
    /// sender's word.
    fn check(
        &self,
        path: &str,
        query: &str,
        form: &[(String, String)],
        signature: Option<&str>,
    ) -> Result<StatusUpdate, Forged> {
        let signature = signature.ok_or(Forged)?.as_bytes();
        let params: Vec<_> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (path, mark) = (
            path.trim_end_matches('/'),
            if query.is_empty() { "" } else { "?" },
        );
        let signed = self
            .origins
            .iter()
            .flat_map(|origin| ["/", ""].map(|slash| format!("{origin}{path}{slash}{mark}{query}")));
        let mut genuine = false;
        for url in signed {
            let expected = twilio_signature(self.auth_token.expose_secret(), &url, &params);
            genuine |= bool::from(expected.as_bytes().ct_eq(signature));
        }
        if genuine { Ok(update(&params)) } else { Err(Forged) }
    }
}

impl ReceiptReader for TwilioReceipts {
    fn read(&self, request: &ReceiptRequest<'_>) -> Result<StatusUpdate, Forged> {
        let signature = (request.header)("x-twilio-signature");
        self.check(request.path, request.query, request.form, signature)
    }
}

fn update(params: &[(&str, &str)]) -> StatusUpdate {
    let field = |wanted: &str| {
        params
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| *value)
    };
    let message_id = field("MessageSid").unwrap_or_default();
    let plausible = message_id.len() <= 64 && message_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    StatusUpdate {
        message_id: if plausible {
            message_id.to_owned()
        } else {
            String::new()
        },
        status: status(field("MessageStatus").or(field("SmsStatus")).unwrap_or_default()),
        error_code: field("ErrorCode")
            .and_then(|code| code.parse().ok())
            .filter(|&code| code != 0),
        price: price(field("Price"), field("PriceUnit")),
    }
}

/// By the table of the message resource (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>).
/// A status that isn't known is one on the way: what matters is how it ends.
fn status(name: &str) -> DeliveryStatus {
    match name {
        "delivered" | "read" => DeliveryStatus::Delivered,
        "undelivered" => DeliveryStatus::Undelivered,
        "failed" | "canceled" => DeliveryStatus::Failed,
        // accepted, scheduled, queued, sending, sent
        _ => DeliveryStatus::Sent,
    }
}

/// Twilio writes what it takes as a negative decimal, `-0.00750`.
fn price(amount: Option<&str>, currency: Option<&str>) -> Option<Price> {
    let amount = amount?.trim_start_matches('-');
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || fraction.len() > 12 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let micros = format!("{whole}{:0<6.6}", fraction);
    let currency = currency.unwrap_or("USD").to_ascii_uppercase();
    let plausible = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    Some(Price {
        micros: micros.parse().ok()?,
        currency: plausible.then_some(currency)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/api/sms/receipts/twilio/3f2b8c4d-1e6a-4f70-8b9c-0d1e2f3a4b5c";

    fn form() -> Vec<(String, String)> {
        [
            ("MessageSid", "SM1"),
            ("MessageStatus", "undelivered"),
            ("ErrorCode", "30003"),
            ("To", "+14152000001"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn signed_for(url: &str) -> String {
        let form = form();
        let params: Vec<_> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        twilio_signature("token", url, &params)
    }

    fn receipts(public_url: &str) -> TwilioReceipts {
        TwilioReceipts::new(&public_url.parse().unwrap(), "token".into())
    }

    #[test]
    fn a_receipt_is_signed_for_the_public_address() {
        for (public_url, called) in [
            ("https://id.example.com", "https://id.example.com"),
            ("https://id.example.com/", "https://id.example.com:443"),
            ("https://id.example.com:8443", "https://id.example.com:8443"),
            ("https://id.example.com:8443", "https://id.example.com"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ] {
            for (tail, query) in [("/", ""), ("", ""), ("/?a=b%20c", "a=b%20c")] {
                let signature = signed_for(&format!("{called}{PATH}{tail}"));
                let read = receipts(public_url)
                    .check(PATH, query, &form(), Some(&signature))
                    .unwrap();
                let expected = StatusUpdate {
                    message_id: "SM1".to_owned(),
                    status: DeliveryStatus::Undelivered,
                    error_code: Some(30003),
                    price: None,
                };
                assert_eq!(read, expected);
            }
        }
    }

    #[test]
    fn what_is_signed_otherwise_is_forged() {
        let receipts = receipts("https://id.example.com");
        let good = signed_for(&format!("https://id.example.com{PATH}/"));
        assert!(receipts.check(PATH, "", &form(), Some(&good)).is_ok());
        let forged = |path: &str, query: &str, form: &[_], signature: Option<&str>| {
            assert_eq!(receipts.check(path, query, form, signature), Err(Forged));
        };
        forged(PATH, "", &form(), None);
        forged(PATH, "", &form(), Some(""));
        forged(PATH, "", &form(), Some(&good[1..]));
        forged(PATH, "", &form()[1..], Some(&good));
        forged(PATH, "a=b", &form(), Some(&good));
        forged(&PATH.replace("3f2b", "3f2c"), "", &form(), Some(&good));
        for elsewhere in [
            "http://id.example.com",
            "https://id.example.org",
            "https://id.example.com:8443",
        ] {
            forged(
                PATH,
                "",
                &form(),
                Some(&signed_for(&format!("{elsewhere}{PATH}/"))),
            );
        }
    }

    #[test]
    fn every_status_of_twilio_has_a_meaning() {
        for (status, meaning) in [
            ("accepted", DeliveryStatus::Sent),
            ("scheduled", DeliveryStatus::Sent),
            ("queued", DeliveryStatus::Sent),
            ("sending", DeliveryStatus::Sent),
            ("sent", DeliveryStatus::Sent),
            ("delivered", DeliveryStatus::Delivered),
            ("read", DeliveryStatus::Delivered),
            ("undelivered", DeliveryStatus::Undelivered),
            ("failed", DeliveryStatus::Failed),
            ("canceled", DeliveryStatus::Failed),
            ("something new", DeliveryStatus::Sent),
        ] {
            assert_eq!(super::status(status), meaning, "{status}");
        }
    }

    #[test]
    fn a_price_is_read_exactly_or_not_at_all() {
        let micros = |amount| price(Some(amount), Some("usd")).map(|price| (price.micros, price.currency));
        let usd = |micros| Some((micros, "USD".to_owned()));
        assert_eq!(micros("-0.00750"), usd(7_500));
        assert_eq!(micros("1"), usd(1_000_000));
        assert_eq!(micros("0.12345678"), usd(123_456));
        for garbage in ["", "-", "1e3", "0.0.1", "٣", "99999999999"] {
            assert_eq!(micros(garbage), None, "{garbage}");
        }
        assert_eq!(price(None, Some("USD")), None);
        assert_eq!(price(Some("1"), Some("dollars")), None);
    }
}
