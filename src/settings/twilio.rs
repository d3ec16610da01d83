//! The section `twilio`.

use std::time::Duration;

use super::{
    environment::Environment,
    plaintext::{Plaintext, plain_host},
    provider_section::{
        BASE_URL, MAX_PACE, ProviderSettings, Reading, base_url, identifier, secret, timeouts,
    },
    reader::{Reader, Refused},
};
use crate::{
    phone::{PhoneCheck, PhoneNumber},
    sms::{TwilioKey, TwilioOptions, is_twilio_sender},
};

/// The account at Twilio that SMS are sent from; `origin` is where its receipts come to.
pub(super) fn read(
    reader: &mut Reader,
    env: Environment,
    lease: Duration,
    origin: Option<String>,
) -> Reading<TwilioOptions> {
    const SID: &str = "twilio.account_sid";
    const TOKEN: &str = "twilio.auth_token";
    const NUMBER: &str = "twilio.phone_number";
    let account_sid = reader.optional(
        SID,
        "the Account SID (AC…), 64 letters and digits at most",
        account_sid,
    );
    if account_sid.as_deref().is_some_and(|sid| !is_twilios(sid)) {
        reader.note(
            SID,
            "Twilio's own are AC and 32 hexadecimal digits: it will refuse this one".to_owned(),
        );
    }
    let auth_token = reader.optional(
        TOKEN,
        "the Auth Token, 256 characters without spaces at most",
        secret,
    );
    let key = api_key(reader);
    let phone_number = reader.optional(
        NUMBER,
        "the sender's number such as \"+14152000001\", a short code such as \"12345\", a name of 1 to 11 letters, digits \
         and spaces, or a Messaging Service SID (MG and 32 hexadecimal digits)",
        sender,
    );
    let base_url = reader.text("twilio.base_url", BASE_URL, base_url);
    let (connect_timeout, timeout) = timeouts(reader, "twilio.connect_timeout", "twilio.timeout", lease);
    let max_per_second = reader.integer("twilio.max_per_second", 0..=MAX_PACE);
    let rule = Plaintext {
        key: "twilio.base_url",
        switch: "twilio.allow_plaintext",
        tls: "https://",
    };
    rule.refuse(reader, env, plain_host(&base_url));
    let parts = [
        (SID, "TWILIO_ACCOUNT_SID", account_sid.is_some()),
        (TOKEN, "TWILIO_AUTH_TOKEN", auth_token.is_some() || key.is_some()),
        (NUMBER, "TWILIO_PHONE_NUMBER", phone_number.is_some()),
    ];
    if auth_token.is_none() && key.is_some() {
        reader.note(
            TOKEN,
            "no receipts are asked for: they are signed with it".to_owned(),
        );
    }
    let settings = match (account_sid, phone_number) {
        (Some(account_sid), Some(sender)) if auth_token.is_some() || key.is_some() => {
            Some(ProviderSettings {
                options: TwilioOptions {
                    account_sid,
                    // What isn't signed with the token can't be told from a forgery.
                    receipts_to: origin.filter(|_| auth_token.is_some()),
                    auth_token,
                    api_key: key,
                    sender,
                    base_url: base_url.into(),
                    connect_timeout,
                    timeout,
                },
                max_per_second,
            })
        }
        _ => None,
    };
    Reading::new(reader, "the Twilio account", parts, settings)
}

/// Both of its parts, or none.
fn api_key(reader: &mut Reader) -> Option<TwilioKey> {
    const KEY: &str = "twilio.api_key";
    const SECRET: &str = "twilio.api_secret";
    let sid = reader.optional(
        KEY,
        "the SID of an API key (SK…), 64 letters and digits at most",
        |text| match text.starts_with("SK") {
            true => identifier(text),
            false => Err(Refused::default()),
        },
    );
    let secret = reader.optional(
        SECRET,
        "the secret of the API key, 256 characters without spaces at most",
        secret,
    );
    for (key, missing, other) in [
        (KEY, sid.is_none() && secret.is_some(), SECRET),
        (SECRET, secret.is_none() && sid.is_some(), KEY),
    ] {
        if missing && !reader.is_faulty(key) {
            reader.refuse(key, format!("must be set, as {other} is: an API key is both"));
        }
    }
    Some(TwilioKey {
        sid: sid?,
        secret: secret?,
    })
}

/// A simulator may have others.
fn is_twilios(sid: &str) -> bool {
    let digits = sid.strip_prefix("AC").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn account_sid(text: &str) -> Result<String, Refused> {
    match text.starts_with("SK") {
        true => Err(Refused::because(
            "SK… is an API key: it belongs into TWILIO_API_KEY, its secret into TWILIO_API_SECRET",
        )),
        false => identifier(text),
    }
}

/// A number in any spelling is kept in E.164; whatever else Twilio takes, as it is.
fn sender(text: &str) -> Result<String, Refused> {
    match PhoneNumber::parse(text, PhoneCheck::E164) {
        Ok(phone) if text.starts_with('+') => Ok(phone.expose().to_owned()),
        _ if is_twilio_sender(text) => Ok(text.to_owned()),
        _ => Err(Refused::default()),
    }
}
