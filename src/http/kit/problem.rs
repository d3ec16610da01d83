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
pub struct ApiError(Box<dyn Problem>);

impl<E: Problem> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ApiError {
    /// What was down or full, if something was: for the log.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        self.0.unavailable()
    }

    /// What the client is told.
    pub fn details(&self) -> ProblemDetails {
        self.0.details()
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
        status_of(&self.details())
    }

    fn error_response(&self) -> HttpResponse {
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
