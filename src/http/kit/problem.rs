//! Any error as `application/problem+json` (RFC 9457).

use std::{collections::BTreeMap, fmt};

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    clock::whole_seconds,
    http::kit::observe::request_id,
    problem::{FieldErrors, Problem, ProblemDetails, SpentLimit},
    unavailable::Unavailable,
};

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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// Names the kind of problem: `urn:ringback:problem:` and the code.
    #[schema(example = "urn:ringback:problem:validation_failed")]
    r#type: String,
    /// The status in words.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What happened, for people.
    #[schema(example = "Some fields are missing or wrong.")]
    detail: &'static str,
    /// What happened, for programs.
    #[schema(example = "validation_failed")]
    code: &'static str,
    /// Names this very request in the service's log; also the header `x-request-id`.
    #[schema(example = "0b5b1d5c9f1e4b7f8a86c27a2f3a1d77")]
    request_id: String,
    /// What is wrong with each field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Vec<String>>, required = false)]
    errors: FieldErrors,
    /// How many more codes will be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempts_remaining: Option<u8>,
    /// The rule that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rule: Option<String>,
    /// Where it counts: `cluster`, or `instance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<&'static str>,
    /// Seconds to wait before another try.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

impl ProblemView {
    /// As it is sent in answer to this request.
    fn of(details: ProblemDetails, status: StatusCode) -> Self {
        let code = details.code;
        Self {
            r#type: format!("urn:ringback:problem:{code}"),
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
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        status_of(&self.details())
    }

    fn error_response(&self) -> HttpResponse {
        let details = self.details();
        let status = status_of(&details);
        let mut response = HttpResponse::build(status);
        add_headers(&mut response, &details);
        response
            .content_type("application/problem+json")
            .json(ProblemView::of(details, status))
    }
}

fn status_of(details: &ProblemDetails) -> StatusCode {
    StatusCode::from_u16(details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn add_headers(response: &mut HttpResponseBuilder, details: &ProblemDetails) {
    let wait = details.retry_after.map(|wait| whole_seconds(wait).max(1));
    if let Some(seconds) = wait {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(limit) = &details.limit {
        add_rate_limit(response, limit, wait.unwrap_or_default());
    }
    if let Some(allow) = &details.allow {
        response.insert_header((header::ALLOW, &**allow));
    }
    if details.status == 401 {
        response.insert_header((header::WWW_AUTHENTICATE, challenge(details.code)));
    }
}

/// draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it.
fn add_rate_limit(response: &mut HttpResponseBuilder, limit: &SpentLimit, wait: u64) {
    let SpentLimit { rule, quota, per, .. } = limit;
    let window = whole_seconds(*per).max(1);
    response.insert_header(("RateLimit-Policy", format!("\"{rule}\";q={quota};w={window}")));
    response.insert_header(("RateLimit", format!("\"{rule}\";r=0;t={wait}")));
}

/// RFC 6750 section 3.
fn challenge(code: &str) -> String {
    match code {
        "not_authenticated" | "invalid_credentials" => "Bearer realm=\"ringback\"".to_owned(),
        _ => format!("Bearer realm=\"ringback\", error=\"invalid_token\", error_description=\"{code}\""),
    }
}
