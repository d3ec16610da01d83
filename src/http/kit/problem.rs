//! Any error as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;

use crate::{
    clock::whole_seconds,
    encoding::JsonObject,
    http::kit::request_id::request_id,
    problem::{Problem, ProblemDetails, SpentLimit},
    unavailable::Unavailable,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a handler answers instead of what was asked for: any error that says how it looks from outside.
#[derive(Debug)]
pub struct ApiError {
    problem: Box<dyn Problem>,
    /// For people, in place of the JSON.
    shown: Option<Box<Shown>>,
}

/// An answer for people.
#[derive(Debug)]
pub struct Shown {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: String,
}

impl Shown {
    /// The same with a further header.
    #[must_use]
    pub fn with(mut self, header: (HeaderName, String)) -> Self {
        self.headers.push(header);
        self
    }

    /// As an answer.
    pub fn answer(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        for header in &self.headers {
            answer.append_header(header.clone());
        }
        answer.body(self.body.clone())
    }
}

impl<E: Problem> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self {
            problem: Box::new(error),
            shown: None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ApiError {
    /// What was down or full, if something was: for the log.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        self.problem.unavailable()
    }

    /// What the client is told.
    pub fn details(&self) -> ProblemDetails {
        self.problem.details()
    }

    /// The same error, shown to people: for logs, metrics and events it stays what it is.
    #[must_use]
    pub fn shown_as(self, shown: Shown) -> Self {
        Self {
            shown: Some(Box::new(shown)),
            ..self
        }
    }

    /// Whether it is shown to people already.
    pub fn is_shown(&self) -> bool {
        self.shown.is_some()
    }
}

/// What most bodies take.
const ROOM_FOR_BODY: usize = 384;

/// The body of an error, as it is sent in answer to this request. Every wrong code is answered so: it is written without serde.
pub fn body(details: &ProblemDetails) -> String {
    let status = status_of(details);
    let errors = (!details.errors.is_empty()).then_some(&details.errors);
    let wait = details.retry_after.map(|wait| whole_seconds(wait).max(1));
    JsonObject::with_capacity(ROOM_FOR_BODY)
        .text("type", &["urn:ringback:problem:", details.code].concat())
        .text("title", status.canonical_reason().unwrap_or_default())
        .number("status", status.as_u16())
        .text("detail", &details.detail)
        .text("code", details.code)
        .text("request_id", &request_id())
        .maybe(errors, |body, errors| body.raw("errors", &json(errors)))
        .maybe(details.attempts_remaining, |body, left| {
            body.number("attempts_remaining", left)
        })
        .maybe(details.limit.as_ref(), |body, limit| {
            body.text("rule", &limit.rule).text("scope", limit.scope)
        })
        .maybe(wait, |body, seconds| body.number("retry_after", seconds))
        .maybe(details.proof.as_ref(), |body, proof| {
            body.raw("proof", &json(proof))
        })
        .close()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.shown
            .as_ref()
            .map_or_else(|| status_of(&self.details()), |shown| shown.status)
    }

    fn error_response(&self) -> HttpResponse {
        if let Some(shown) = &self.shown {
            return shown.answer();
        }
        let details = self.details();
        let mut response = HttpResponse::build(status_of(&details));
        for header in headers(&details) {
            response.insert_header(header);
        }
        response.content_type(PROBLEM_JSON).body(body(&details))
    }
}

fn status_of(details: &ProblemDetails) -> StatusCode {
    StatusCode::from_u16(details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The headers that come along with the body.
pub fn headers(details: &ProblemDetails) -> Vec<(HeaderName, String)> {
    let mut headers = Vec::new();
    let wait = details.retry_after.map(|wait| whole_seconds(wait).max(1));
    if let Some(seconds) = wait {
        headers.push((header::RETRY_AFTER, seconds.to_string()));
    }
    // draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it.
    if let Some(SpentLimit { rule, quota, per, .. }) = &details.limit {
        let (window, wait) = (whole_seconds(*per).max(1), wait.unwrap_or_default());
        headers.push((RATE_LIMIT_POLICY, format!("\"{rule}\";q={quota};w={window}")));
        headers.push((RATE_LIMIT, format!("\"{rule}\";r=0;t={wait}")));
    }
    if let Some(allow) = &details.allow {
        headers.push((header::ALLOW, allow.to_string()));
    }
    if details.status == 401 {
        headers.push((header::WWW_AUTHENTICATE, challenge(details.code)));
    }
    headers
}

/// RFC 6750 section 3.
fn challenge(code: &str) -> String {
    match code {
        "not_authenticated" | "invalid_credentials" => "Bearer realm=\"ringback\"".to_owned(),
        _ => format!("Bearer realm=\"ringback\", error=\"invalid_token\", error_description=\"{code}\""),
    }
}
