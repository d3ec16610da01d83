//! Twilio's Programmable Messaging: a message is created by a POST to its Messages resource
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).

mod errors;
mod list;
mod receipts;
mod sender;
mod signature;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use url::Url;

pub use receipts::TwilioReceipts;
pub use sender::is_twilio_sender;
pub use signature::twilio_signature;

use self::list::Page;
use crate::{
    provider::{LookupResult, Outcome, Provider},
    sms::SmsMessage,
    wire::{self, Answer, ProviderError, Wire},
};

const NAME: &str = "twilio";
/// The bounds of `ValidityPeriod` (Twilio error 90007): whole seconds, ten hours at most.
const VALIDITY: std::ops::RangeInclusive<u64> = 1..=36_000;
/// Pages that are looked through for one message.
const MAX_PAGES: usize = 3;

/// How to reach an account at Twilio.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// `AC…`; stands in the path of every call.
    pub account_sid: String,
    /// What calls are signed in with, unless there is an API key; receipts are signed with it in any case.
    pub auth_token: Option<SecretString>,
    /// What calls are signed in with in place of the token.
    pub api_key: Option<TwilioKey>,
    /// A phone number in E.164, a short code, a sender id, or a Messaging Service (`MG…`).
    pub sender: String,
    /// Where the API is: `https://api.twilio.com` but in tests.
    pub base_url: String,
    /// Where the world reaches this service, without a slash at the end: receipts come there. Without, none are asked
    /// for.
    pub receipts_to: Option<String>,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole call, connecting and reading included.
    pub timeout: Duration,
}

/// An API key, which can be withdrawn by itself.
#[derive(Debug, Clone)]
pub struct TwilioKey {
    /// `SK…`.
    pub sid: String,
    pub secret: SecretString,
}

/// A client for one account and one sender.
pub struct Twilio {
    wire: Wire,
    messages: Url,
    user: String,
    password: SecretString,
    sender: String,
    receipts_to: Option<String>,
    timeout: Duration,
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twilio({})", self.messages)
    }
}

impl Twilio {
    /// Sets the client up; nothing is sent yet.
    ///
    /// # Errors
    /// `ProviderError` if the base URL is none, or the client cannot be set up (no TLS roots on this machine).
    pub fn new(options: TwilioOptions) -> Result<Self, ProviderError> {
        let (user, password) = match (options.api_key, options.auth_token) {
            (Some(key), _) => (key.sid, key.secret),
            (None, Some(token)) => (options.account_sid.clone(), token),
            (None, None) => return Err(ProviderError::Login(NAME)),
        };
        Ok(Self {
            wire: Wire::new(NAME, options.connect_timeout, options.timeout)?,
            messages: messages_url(&options.base_url, &options.account_sid)
                .ok_or(ProviderError::Url(NAME))?,
            user,
            password,
            sender: options.sender,
            receipts_to: options.receipts_to,
            timeout: options.timeout,
        })
    }

    async fn create(&self, message: &SmsMessage) -> Result<Answer, Outcome> {
        let sender = if sender::is_messaging_service(&self.sender) {
            "MessagingServiceSid"
        } else {
            "From"
        };
        let validity = message
            .valid_for
            .as_secs()
            .clamp(*VALIDITY.start(), *VALIDITY.end())
            .to_string();
        let callback = self
            .receipts_to
            .as_ref()
            .map(|origin| receipts::callback(origin, message.reference));
        let mut form = vec![
            ("To", message.to.expose()),
            (sender, &self.sender),
            ("Body", message.body.expose()),
            ("ValidityPeriod", &validity),
        ];
        form.extend(callback.as_deref().map(|url| ("StatusCallback", url)));
        let request = self
            .wire
            .post(self.messages.clone())
            .basic_auth(&self.user, Some(self.password.expose_secret()))
            .form(&form);
        wire::call(request).await
    }

    /// Looks through the newest messages to this number, a page at a time.
    ///
    /// `DateSent` would narrow them down, and is not asked for: it is null until a message has left Twilio's queue, so
    /// that the filter would hide just the message that is looked for.
    async fn search(&self, message: &SmsMessage, since: DateTime<Utc>) -> LookupResult {
        let mut url = self.messages.clone();
        list::ask(&mut url, message);
        for _ in 0..MAX_PAGES {
            let request = self
                .wire
                .get(url.clone())
                .basic_auth(&self.user, Some(self.password.expose_secret()));
            let answer = match wire::call(request).await {
                Ok(answer) if answer.is_success() => answer,
                _ => return LookupResult::Unknown,
            };
            match list::look_through(&answer.document, message, since) {
                Page::Told(found) => return found,
                Page::More(token) => list::turn(&mut url, message, &token),
            }
        }
        LookupResult::Unknown
    }
}

#[async_trait]
impl Provider<SmsMessage> for Twilio {
    fn name(&self) -> &'static str {
        NAME
    }

    fn server(&self) -> Option<String> {
        wire::server(&self.messages)
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        match self.create(message).await {
            Ok(answer) => read(&answer),
            Err(outcome) => outcome,
        }
    }

    async fn look_up(&self, message: &SmsMessage, since: DateTime<Utc>) -> LookupResult {
        let search = self.search(message, since);
        timeout(self.timeout, search)
            .await
            .unwrap_or(LookupResult::Unknown)
    }
}

fn messages_url(base: &str, account_sid: &str) -> Option<Url> {
    let mut url = wire::bare_url(base)?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([
        "2010-04-01",
        "Accounts",
        account_sid,
        "Messages.json",
    ]);
    Some(url)
}

/// The outcome of an answer, whatever its body.
fn read(answer: &Answer) -> Outcome {
    if answer.is_success() {
        // The status alone says that it was taken; to send again because the body is unreadable would send twice.
        return Outcome::Accepted {
            provider_id: wire::plausible_id(&answer.document["sid"]),
        };
    }
    let code = answer.document["code"]
        .as_u64()
        .and_then(|code| code.try_into().ok());
    errors::judge(answer.status, code, answer.retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_the_base_whatever_its_spelling() {
        let url = |base: &str| messages_url(base, "AC1").map(String::from);
        let path = "2010-04-01/Accounts/AC1/Messages.json";
        assert_eq!(
            url("https://api.twilio.com"),
            Some(format!("https://api.twilio.com/{path}"))
        );
        assert_eq!(
            url("http://127.0.0.1:9/sim/"),
            Some(format!("http://127.0.0.1:9/sim/{path}"))
        );
        assert_eq!(url("https://u:p@x"), None);
    }

    #[test]
    fn an_account_sid_cannot_leave_its_place_in_the_path() {
        let url = messages_url("https://x", "../A?b#c/d").unwrap();
        assert!(url.path().ends_with("/Accounts/..%2FA%3Fb%23c%2Fd/Messages.json"));
    }
}
