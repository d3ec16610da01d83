//! Any error as `application/problem+json` (RFC 9457).

use std::{borrow::Cow, collections::BTreeMap, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use serde::Serialize;

use crate::{
    clock::whole_seconds,
    http::kit::request_id::request_id,
    problem::{FieldErrors, Problem, ProblemDetails, SpentLimit, WorkChallenge},
    unavailable::Unavailable,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

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

/// The body of an error.
#[derive(Debug, Serialize)]
pub struct ProblemView {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: FieldErrors,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_remaining: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<WorkChallenge>,
}

impl ProblemView {
    /// As it is sent in answer to this request.
    pub fn of(details: ProblemDetails) -> Self {
        let (code, status) = (details.code, status_of(&details));
        Self {
            r#type: ["urn:ringback:problem:", code].concat(),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: details.detail,
            code,
            request_id: request_id(),
            errors: details.errors,
            attempts_remaining: details.attempts_remaining,
            rule: details.limit.as_ref().map(|limit| limit.rule.to_string()),
            scope: details.limit.map(|limit| limit.scope),
            retry_after: details.retry_after.map(|wait| whole_seconds(wait).max(1)),
            proof: details.proof,
        }
    }
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
        response
            .content_type("application/problem+json")
            .json(ProblemView::of(details))
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
