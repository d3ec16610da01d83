//! The one log line of a request.

use std::time::Duration;

use actix_web::{
    HttpMessage, HttpRequest,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName},
    },
    web,
};
use uuid::Uuid;

use crate::{
    http::{
        api::Api,
        kit::{client::client_network, problem::ApiError},
    },
    outage,
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The account whose token came with the request, for its line.
#[derive(Clone, Copy)]
struct User(Uuid);

/// Has the line of this request name the user.
pub fn name_user(request: &HttpRequest, id: Uuid) {
    request.extensions_mut().insert(User(id));
}

/// The account whose token came with the request.
pub fn user_of(request: &HttpRequest) -> Option<Uuid> {
    request.extensions().get::<User>().map(|&User(id)| id)
}

/// What a line says of whoever asked.
#[derive(Default)]
pub struct Caller {
    /// As rate limits count it.
    network: Option<String>,
    user: Option<String>,
    /// W3C Trace Context, where the caller sent a sane one.
    traceparent: Option<String>,
}

impl Caller {
    pub fn of(request: &HttpRequest) -> Self {
        let api = request.app_data::<web::Data<Api>>();
        Self {
            network: api.map(|api| client_network(api, request).text()),
            user: user_of(request).map(|id| id.to_string()),
            traceparent: traceparent(request.headers()),
        }
    }
}

/// `00-<32 hexadecimal digits>-<16>-<2>`; what later versions put behind it is dropped.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?.get(..55)?;
    let mut parts = text.split('-');
    let is_sane = [2, 32, 16, 2].iter().all(|&length| {
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        parts
            .next()
            .is_some_and(|part| part.len() == length && is_hex(part))
    });
    is_sane.then(|| text.to_owned())
}

/// What a line says of the request itself.
pub struct Line<'a> {
    pub id: &'a str,
    pub method: &'static str,
    pub route: &'static str,
    pub status: StatusCode,
    pub took: Duration,
}

impl Line<'_> {
    /// Writes it. What is down is said beside it, and not by each request.
    pub fn write(&self, caller: &Caller, error: Option<&ApiError>) {
        let details = error.map(ApiError::details);
        let code = details.as_ref().map(|details| details.code);
        let rule = details.as_ref().and_then(|details| details.limit.as_ref());
        let rule = rule.map(|limit| &*limit.rule);
        let unavailable = error.and_then(ApiError::unavailable);
        if let Some(unavailable) = unavailable {
            outage::note(unavailable);
        }
        let part = unavailable.map(|unavailable| unavailable.part.name());
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request.id = self.id,
                    http.method = self.method,
                    http.route = self.route,
                    http.status = self.status.as_u16(),
                    duration_us = micros,
                    client.network = caller.network.as_deref(),
                    user.id = caller.user.as_deref(),
                    error.code = code,
                    limits.rule = rule,
                    part = part,
                    traceparent = caller.traceparent.as_deref(),
                    "request"
                )
            };
        }
        match self.status {
            StatusCode::INTERNAL_SERVER_ERROR => line!(error),
            _ => line!(info),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_traceparent_is_taken_if_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let taken = |text: &str| {
            let request = TestRequest::default().insert_header(("traceparent", text.to_owned()));
            traceparent(request.to_http_request().headers())
        };
        assert_eq!(taken(good).as_deref(), Some(good));
        assert_eq!(taken(&format!("{good}-more")).as_deref(), Some(good));
        for bad in [
            "",
            "00",
            "00-x-y-z",
            &good.replace('4', "g"),
            &good[1..],
            &good.replace('-', "_"),
        ] {
            assert_eq!(taken(bad), None, "{bad}");
        }
    }
}
