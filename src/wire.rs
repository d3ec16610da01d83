//! The way to a provider or a receiver of webhooks over HTTP, the same for all of them: each is told no more than it needs, and
//! whatever it answers costs bounded time and memory.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{DATE, HeaderMap, HeaderName, RETRY_AFTER},
    redirect,
};
use serde_json::Value;
use thiserror::Error;

use crate::{
    cause::Cause,
    provider::{FailureKind, FailureReason, Outcome},
};

/// A call that is to be sent.
pub(crate) type Call = RequestBuilder;

/// What is read of an answer; those of the providers have some 1 KiB, a page of Twilio's messages 20.
const MAX_BODY: usize = 64 * 1024;
/// No pause that is asked for is taken for longer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Connections that are kept open for the next message.
const IDLE_CONNECTIONS: usize = 64;
/// Ids beyond this are not a provider's.
const MAX_ID: usize = 64;

/// Why there is no client for a provider.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error("{0}: its URL is not an http or https URL without login, query and fragment")]
    Url(&'static str),
    #[error("{0}: neither a token nor an API key")]
    Login(&'static str),
    #[error(
        "{0}: the HTTP client cannot be set up. Does this machine trust any authority (Debian's package ca-certificates, or \
         SSL_CERT_FILE)?"
    )]
    Client(&'static str, #[source] reqwest::Error),
}

/// A client for one provider.
pub struct Wire(Client);

impl Wire {
    /// Sets the client of `provider` up; nothing is sent yet.
    ///
    /// `timeout` is for the whole call, connecting and reading included.
    pub(crate) fn new(
        provider: &'static str,
        connect_timeout: Duration,
        timeout: Duration,
    ) -> Result<Self, ProviderError> {
        let client = Client::builder()
            .connect_timeout(connect_timeout)
            .timeout(timeout)
            // Whoever redirects us gets neither the credentials nor the number.
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .build();
        match client {
            Ok(client) => Ok(Self(client)),
            Err(error) => Err(ProviderError::Client(provider, error.without_url())),
        }
    }

    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.0.post(url)
    }

    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.0.get(url)
    }
}

/// What came back, whatever it says.
pub struct Answer {
    pub(crate) status: u16,
    /// The pause that it asks for.
    pub(crate) retry_after: Option<Duration>,
    /// The body, or null where it is not JSON, was cut off, or goes beyond [`MAX_BODY`].
    pub(crate) document: Value,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends a request.
///
/// # Errors
/// The outcome for a message whose call got no answer.
pub(crate) async fn call(request: RequestBuilder) -> Result<Answer, Outcome> {
    let response = request.send().await.map_err(|error| unanswered(&error))?;
    Ok(Answer {
        status: response.status().as_u16(),
        retry_after: retry_after(response.headers()),
        document: serde_json::from_slice(&bounded_body(response).await).unwrap_or_default(),
    })
}

/// The URL of a service, if it is one that a path or a query can be added to.
pub(crate) fn bare_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (bare && url.has_host() && ["http", "https"].contains(&url.scheme())).then_some(url)
}

/// The host and the port that a URL leads to. Its path and its query may hold a secret, and are left out.
pub(crate) fn server(url: &Url) -> Option<String> {
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    Some(format!("{host}:{port}"))
}

/// A message's id in a provider's document; none where it is none that could stand in a log.
pub(crate) fn plausible_id(id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    let sound = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if sound && id.len() <= MAX_ID {
        id.to_owned()
    } else {
        String::new()
    }
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
    let reason = FailureReason::of(kind).because(match kind {
        FailureKind::Connect if error.is_timeout() => Some(Cause::TimedOut),
        FailureKind::Connect => Cause::of(error),
        _ => None,
    });
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
            let until = httpdate::parse_http_date(asked).ok()?;
            let now = httpdate::parse_http_date(text(DATE)?).ok()?;
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_that_hides_something_is_none() {
        for good in ["https://api.twilio.com", "http://127.0.0.1:9/sim/"] {
            assert!(bare_url(good).is_some(), "{good}");
        }
        for refused in [
            "",
            "api.twilio.com",
            "ftp://x",
            "https://u:p@x",
            "https://x?a=b",
            "https://x#a",
            "data:x",
        ] {
            assert_eq!(bare_url(refused), None, "{refused}");
        }
    }

    #[test]
    fn of_a_url_the_host_and_the_port_alone_are_told() {
        for (url, told) in [
            (
                "https://hooks.example.com/T0/secret?token=1",
                "hooks.example.com:443",
            ),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://[::1]:9/a", "[::1]:9"),
        ] {
            assert_eq!(server(&url.parse().unwrap()).as_deref(), Some(told));
        }
    }

    #[test]
    fn an_id_is_short_and_plain_or_none() {
        for (id, taken) in [
            (json!("SM0123"), "SM0123"),
            (json!("0A0000000123ABCD1"), "0A0000000123ABCD1"),
            (json!("3f0c-1_b"), "3f0c-1_b"),
            (json!("a b"), ""),
            (json!("x".repeat(65)), ""),
            (json!(7), ""),
            (Value::Null, ""),
        ] {
            assert_eq!(plausible_id(&id), taken, "{id}");
        }
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
