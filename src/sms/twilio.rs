//! Twilio's Programmable Messaging: a message is created by a POST to its Messages resource
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).

use std::{fmt, time::Duration};

use async_trait::async_trait;
use chrono::DateTime;
use reqwest::{
    Client, Response, Url,
    header::{DATE, HeaderMap, HeaderName, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

use super::{FailureKind, FailureReason, Outcome, SmsMessage, SmsProvider, twilio_errors};

/// What is read of an answer; Twilio's have some 1 KiB.
const MAX_BODY: usize = 64 * 1024;
/// The bounds of `ValidityPeriod` (Twilio error 90007): whole seconds, ten hours at most.
const VALIDITY: std::ops::RangeInclusive<u64> = 1..=36_000;
/// No pause that is asked for is taken for longer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Connections that are kept open for the next message.
const IDLE_CONNECTIONS: usize = 64;

/// How to reach an account at Twilio.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// `AC…`, which is the user name too.
    pub account_sid: String,
    pub auth_token: SecretString,
    /// A phone number in E.164, a short code, a sender id, or a Messaging Service (`MG…`).
    pub sender: String,
    /// Where the API is: `https://api.twilio.com` but in tests.
    pub base_url: String,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole call, connecting and reading included.
    pub timeout: Duration,
}

/// Why there is no client for Twilio.
#[derive(Debug, Error)]
pub enum TwilioError {
    #[error("the base URL is not an http or https URL without login, query and fragment")]
    BaseUrl,
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A client for one account and one sender.
pub struct Twilio {
    client: Client,
    messages: Url,
    account_sid: String,
    auth_token: SecretString,
    sender: String,
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
    /// [`TwilioError`] if the base URL is none, or the client cannot be set up (no TLS roots on this machine).
    pub fn new(options: TwilioOptions) -> Result<Self, TwilioError> {
        let client = Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            // Whoever redirects us gets neither the credentials nor the number.
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TwilioError::Client(error.without_url()))?;
        Ok(Self {
            client,
            messages: messages_url(&options.base_url, &options.account_sid).ok_or(TwilioError::BaseUrl)?,
            account_sid: options.account_sid,
            auth_token: options.auth_token,
            sender: options.sender,
        })
    }

    async fn call(&self, message: &SmsMessage) -> Result<Response, reqwest::Error> {
        let sender = if self.sender.starts_with("MG") {
            "MessagingServiceSid"
        } else {
            "From"
        };
        let validity = message
            .valid_for
            .as_secs()
            .clamp(*VALIDITY.start(), *VALIDITY.end())
            .to_string();
        let form = [
            ("To", message.to.expose()),
            (sender, &self.sender),
            ("Body", message.body.expose()),
            ("ValidityPeriod", &validity),
        ];
        self.client
            .post(self.messages.clone())
            .basic_auth(&self.account_sid, Some(self.auth_token.expose_secret()))
            .form(&form)
            .send()
            .await
    }
}

#[async_trait]
impl SmsProvider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        match self.call(message).await {
            Ok(response) => read(response).await,
            Err(error) => unanswered(&error),
        }
    }
}

fn messages_url(base: &str, account_sid: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare || !url.has_host() || !["http", "https"].contains(&url.scheme()) {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend([
        "2010-04-01",
        "Accounts",
        account_sid,
        "Messages.json",
    ]);
    Some(url)
}

/// The outcome of an answer, whatever its body.
async fn read(response: Response) -> Outcome {
    let status = response.status().as_u16();
    let after = retry_after(response.headers());
    let document = serde_json::from_slice::<Value>(&bounded_body(response).await).unwrap_or_default();
    if (200..300).contains(&status) {
        // The status alone says that it was taken; to send again because the body is unreadable would send twice.
        let sid = document["sid"].as_str().unwrap_or_default();
        let plausible = sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return Outcome::Accepted {
            provider_id: if plausible { sid.to_owned() } else { String::new() },
        };
    }
    let code = document["code"].as_u64().and_then(|code| code.try_into().ok());
    twilio_errors::judge(status, code, after)
}

/// The first [`MAX_BODY`] bytes, or what came of them before the connection broke.
async fn bounded_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_BODY {
            break;
        }
    }
    body
}

/// The outcome of a call without an answer. Only a request that cannot be built is our own fault.
fn unanswered(error: &reqwest::Error) -> Outcome {
    let kind = if error.is_builder() {
        FailureKind::Request
    } else if error.is_connect() {
        FailureKind::Connect
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else {
        FailureKind::Connection
    };
    let reason = FailureReason::of(kind);
    match kind {
        FailureKind::Request => Outcome::Misconfigured { reason },
        _ => Outcome::Retryable { after: None, reason },
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is taken against the answer's own `Date` so that
/// the two machines' clocks need not agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let pause = match asked.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(asked).ok()?;
            let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
            (until - now).to_std().unwrap_or_default()
        }
    };
    Some(pause.min(MAX_RETRY_AFTER))
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
        for refused in [
            "",
            "api.twilio.com",
            "ftp://x",
            "https://u:p@x",
            "https://x?a=b",
            "data:x",
        ] {
            assert_eq!(url(refused), None, "{refused}");
        }
    }

    #[test]
    fn an_account_sid_cannot_leave_its_place_in_the_path() {
        let url = messages_url("https://x", "../A?b#c/d").unwrap();
        assert!(url.path().ends_with("/Accounts/..%2FA%3Fb%23c%2Fd/Messages.json"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let pause = |asked: &'static str, date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            headers.insert(DATE, date.parse().unwrap());
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        assert_eq!(pause("7", date), Some(7));
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:20 GMT", date), Some(20));
        assert_eq!(pause("Wed, 21 Oct 2026 07:27:00 GMT", date), Some(0));
        assert_eq!(pause("99999999999", date), Some(3600));
        assert_eq!(pause("soon", date), None);
        assert_eq!(pause("-1", date), None);
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:20 GMT", "garbage"), None);
    }
}
