//! The sections about the SMS that carries a code: `sms`, `twilio`.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{
    MINUTE, SECOND,
    providers::RouteSettings,
    reader::{Reader, Refused},
    server::is_http,
};
use crate::{
    phone::{PhoneCheck, PhoneNumber},
    sms::Brand,
};

/// What an SMS says, and how hard it is tried.
#[derive(Debug, Clone)]
pub struct SmsSettings {
    /// The name in the text of the SMS.
    pub brand: String,
    /// Who carries them, in order; empty where no provider is configured: SMS go to the development inbox.
    pub providers: Vec<RouteSettings>,
    /// Messages that wait to be sent.
    pub queue: usize,
    /// Calls to the provider at a time.
    pub in_flight: usize,
    /// How long a message is one dispatcher's, until another may take it over.
    pub lease: Duration,
    /// Calls to the provider for one message.
    pub max_tries: u32,
    /// How long a message is tried for; never longer than its code is good for.
    pub retry_for: Duration,
}

impl SmsSettings {
    pub(super) fn read(reader: &mut Reader, code_ttl: Duration) -> Self {
        const RETRY_FOR: &str = "sms.retry_for";
        let settings = Self {
            brand: reader.text(
                "sms.brand",
                "1 to 30 characters of the GSM 7-bit alphabet, without a space at either end",
                brand,
            ),
            providers: RouteSettings::read(reader),
            queue: reader.integer("sms.queue", 1..=1_000_000),
            in_flight: reader.integer("sms.in_flight", 1..=10_000),
            lease: reader.duration("sms.lease", SECOND..=10 * MINUTE),
            max_tries: reader.integer("sms.max_tries", 1..=20),
            retry_for: reader.duration(RETRY_FOR, SECOND..=60 * MINUTE),
        };
        Self {
            retry_for: reader.at_most(RETRY_FOR, settings.retry_for, "otp.ttl", code_ttl),
            ..settings
        }
    }
}

fn brand(text: &str) -> Result<String, Refused> {
    match Brand::parse(text) {
        Ok(_) if text.trim() == text => Ok(text.to_owned()),
        _ => Err(Refused::default()),
    }
}

/// The account that SMS are sent from.
#[derive(Debug, Clone)]
pub struct TwilioSettings {
    /// Stands in the path of every call.
    pub account_sid: String,
    pub auth_token: SecretString,
    /// The sender: a number in E.164, or the identifier of a messaging service (`MG…`).
    pub phone_number: String,
    /// Where the API is.
    pub base_url: Url,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one call may take, connecting included; never longer than `sms.lease`.
    pub timeout: Duration,
    /// Calls in any one second, at most; 0 is no bound.
    pub max_per_second: u32,
}

/// What of the account is set, and what isn't.
pub(super) struct TwilioReading {
    /// The account, if all of it is set and sound.
    pub(super) settings: Option<TwilioSettings>,
    /// The variables that set the rest of the account; all of them where nothing is set.
    pub(super) missing: Vec<&'static str>,
}

/// What makes the account, and the variables that usually set it.
const ACCOUNT: [(&str, &str); 3] = [
    ("twilio.account_sid", "TWILIO_ACCOUNT_SID"),
    ("twilio.auth_token", "TWILIO_AUTH_TOKEN"),
    ("twilio.phone_number", "TWILIO_PHONE_NUMBER"),
];

impl TwilioSettings {
    pub(super) fn read(reader: &mut Reader, lease: Duration) -> TwilioReading {
        let [sid_key, token_key, phone_key] = ACCOUNT.map(|(key, _)| key);
        let account_sid = reader.optional(
            sid_key,
            "the Account SID, 64 letters and digits at most",
            identifier,
        );
        let auth_token: Option<SecretString> = reader.optional(
            token_key,
            "the Auth Token, 256 signs without spaces at most",
            |text| {
                let sound = text.len() <= 256 && text.bytes().all(|sign| sign.is_ascii_graphic());
                if sound {
                    Ok(text.into())
                } else {
                    Err(Refused::default())
                }
            },
        );
        let phone_number = reader.optional(
            phone_key,
            "the sender's number such as \"+14152000001\", or a Messaging Service SID (MG…)",
            |text| match text.strip_prefix("MG") {
                Some(_) => identifier(text),
                None => PhoneNumber::parse(text, PhoneCheck::E164)
                    .map(|phone| phone.expose().to_owned())
                    .map_err(|_| Refused::default()),
            },
        );
        let base_url = reader.text(
            "twilio.base_url",
            "http:// or https:// with a host, without user, query or fragment",
            |text| {
                let url = Url::parse(text).map_err(Refused::because)?;
                let sound = is_http(&url) && url.query().is_none() && url.fragment().is_none();
                if sound { Ok(url) } else { Err(Refused::default()) }
            },
        );
        let connect_timeout = reader.duration("twilio.connect_timeout", SECOND / 20..=30 * SECOND);
        let timeout = reader.duration("twilio.timeout", SECOND / 20..=MINUTE);
        // Longer, and another dispatcher would take the message over while this one still sends it: two SMS.
        let timeout = reader.at_most("twilio.timeout", timeout, "sms.lease", lease);
        let connect_timeout = reader.at_most(
            "twilio.connect_timeout",
            connect_timeout,
            "twilio.timeout",
            timeout,
        );
        let max_per_second = reader.integer("twilio.max_per_second", 0..=10_000);

        let set = [
            account_sid.is_some(),
            auth_token.is_some(),
            phone_number.is_some(),
        ];
        // What is set, but faulty, has its own line.
        let missing = ACCOUNT.iter().zip(set);
        let missing = missing.filter(|((key, _), set)| !set && !reader.is_faulty(key));
        let missing = missing.map(|((_, variable), _)| *variable).collect();
        let settings = match (account_sid, auth_token, phone_number) {
            (Some(account_sid), Some(auth_token), Some(phone_number)) => Some(Self {
                account_sid,
                auth_token,
                phone_number,
                base_url,
                connect_timeout,
                timeout,
                max_per_second,
            }),
            _ => None,
        };
        TwilioReading { settings, missing }
    }
}

impl TwilioReading {
    /// Whether nothing of the account is set.
    pub(super) fn is_absent(&self) -> bool {
        self.missing.len() == ACCOUNT.len()
    }
}

/// Goes into a path, so it holds nothing that means something there.
fn identifier(text: &str) -> Result<String, Refused> {
    let sound = text.len() <= 64
        && text
            .bytes()
            .all(|sign| sign.is_ascii_alphanumeric() || sign == b'_');
    if sound {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}
