//! The section `twilio`.

use std::time::Duration;

use super::{
    provider_section::{
        BASE_URL, MAX_PACE, ProviderSettings, Reading, base_url, identifier, secret, timeouts,
    },
    reader::{Reader, Refused},
};
use crate::{
    phone::{PhoneCheck, PhoneNumber},
    sms::TwilioOptions,
};

/// The account at Twilio that SMS are sent from; `origin` is where its receipts come to.
pub(super) fn read(reader: &mut Reader, lease: Duration, origin: Option<String>) -> Reading<TwilioOptions> {
    const SID: &str = "twilio.account_sid";
    const TOKEN: &str = "twilio.auth_token";
    const NUMBER: &str = "twilio.phone_number";
    let account_sid = reader.optional(SID, "the Account SID, 64 letters and digits at most", identifier);
    let auth_token = reader.optional(TOKEN, "the Auth Token, 256 signs without spaces at most", secret);
    let phone_number = reader.optional(
        NUMBER,
        "the sender's number such as \"+14152000001\", or a Messaging Service SID (MG…)",
        |text| match text.strip_prefix("MG") {
            Some(_) => identifier(text),
            None => PhoneNumber::parse(text, PhoneCheck::E164)
                .map(|phone| phone.expose().to_owned())
                .map_err(|_| Refused::default()),
        },
    );
    let base_url = reader.text("twilio.base_url", BASE_URL, base_url);
    let (connect_timeout, timeout) = timeouts(reader, "twilio.connect_timeout", "twilio.timeout", lease);
    let max_per_second = reader.integer("twilio.max_per_second", 0..=MAX_PACE);
    let parts = [
        (SID, "TWILIO_ACCOUNT_SID", account_sid.is_some()),
        (TOKEN, "TWILIO_AUTH_TOKEN", auth_token.is_some()),
        (NUMBER, "TWILIO_PHONE_NUMBER", phone_number.is_some()),
    ];
    let settings = match (account_sid, auth_token, phone_number) {
        (Some(account_sid), Some(auth_token), Some(phone_number)) => Some(ProviderSettings {
            options: TwilioOptions {
                account_sid,
                auth_token,
                sender: phone_number,
                base_url: base_url.into(),
                receipts_to: origin,
                connect_timeout,
                timeout,
            },
            max_per_second,
        }),
        _ => None,
    };
    Reading::new(reader, "the Twilio account", parts, settings)
}
