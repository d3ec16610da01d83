//! Every error, as one `application/problem+json` (RFC 9457).

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::http::kit::observe::request_id;
use crate::{
    accounts::AccountError, flows::OtpError, limits::Refusal, sms::Forged, unavailable::Unavailable,
};

/// What was wrong with each field.
pub type FieldErrors = BTreeMap<&'static str, Vec<Cow<'static, str>>>;

/// Every way in which a request is not answered as hoped.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error("a field is missing or wrong")]
    Validation(FieldErrors),
    #[error("the body is not the JSON that is asked for")]
    MalformedJson,
    #[error("the body is not declared as JSON")]
    UnsupportedMediaType,
    #[error("the body is too large")]
    PayloadTooLarge,
    #[error("the body did not arrive in time")]
    RequestTimeout,
    #[error("no such path")]
    NotFound,
    #[error("the path has no such method")]
    MethodNotAllowed { allow: &'static str },
    #[error("no token came along")]
    NotAuthenticated,
    #[error(transparent)]
    Forged(#[from] Forged),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Otp(#[from] OtpError),
    #[error("a fault of ours")]
    Internal,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
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
    detail: Cow<'static, str>,
    /// What happened, for programs.
    #[schema(example = "validation_failed")]
    code: &'static str,
    /// Names this very request in the service's log; also the header `x-request-id`.
    #[schema(example = "0b5b1d5c9f1e4b7f8a86c27a2f3a1d77")]
    request_id: String,
    /// What is wrong with each field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, Vec<String>>, required = false)]
    errors: Option<FieldErrors>,
    /// How many tries the code has left.
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
    /// Seconds until it is worth another try.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

/// How long a caller is asked to wait for a part that is away.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(1);

impl ApiError {
    /// What was lacking, if something was: for the log.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Account(AccountError::Unavailable(unavailable))
            | Self::Otp(OtpError::Unavailable(unavailable)) => Some(unavailable),
            _ => None,
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Account(AccountError::Limited(refusal))
            | Self::Otp(OtpError::Limited(refusal) | OtpError::Cooldown(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Status, code and words: the table of the contract.
    fn describe(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Validation(_) => (
                S::BAD_REQUEST,
                "validation_failed",
                "Some fields are missing or wrong.",
            ),
            Self::MalformedJson => (
                S::BAD_REQUEST,
                "malformed_json",
                "The body is not a JSON object in UTF-8.",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Send the body as application/json.",
            ),
            Self::PayloadTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is over 16 KiB.",
            ),
            Self::RequestTimeout => (
                S::REQUEST_TIMEOUT,
                "request_timeout",
                "The body did not arrive in time.",
            ),
            Self::NotFound => (S::NOT_FOUND, "not_found", "There is nothing at this path."),
            Self::MethodNotAllowed { .. } => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This path does not take this method.",
            ),
            Self::NotAuthenticated => (
                S::UNAUTHORIZED,
                "not_authenticated",
                "Send an access token as a bearer token.",
            ),
            Self::Forged(_) => (
                S::FORBIDDEN,
                "signature_invalid",
                "The signature is missing or wrong.",
            ),
            Self::Internal => (
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong on our side.",
            ),
            Self::Account(error) => match error {
                AccountError::EmailTaken => (
                    S::CONFLICT,
                    "email_taken",
                    "This e-mail address has an account already.",
                ),
                AccountError::InvalidCredentials => (
                    S::UNAUTHORIZED,
                    "invalid_credentials",
                    "No account has this login and password.",
                ),
                AccountError::TokenInvalid => (S::UNAUTHORIZED, "token_invalid", "The token is not valid."),
                AccountError::TokenExpired => (S::UNAUTHORIZED, "token_expired", "The token has expired."),
                AccountError::TokenRevoked => (S::UNAUTHORIZED, "token_revoked", "The session has ended."),
                AccountError::Limited(_) => LIMITED,
                AccountError::Unavailable(_) => UNAVAILABLE,
            },
            Self::Otp(error) => match error {
                OtpError::Wrong { .. } => (S::BAD_REQUEST, "otp_invalid", "The code is wrong."),
                OtpError::AttemptsExceeded => (
                    S::BAD_REQUEST,
                    "otp_attempts_exceeded",
                    "Too many wrong codes. Ask for a new one.",
                ),
                OtpError::Expired => (
                    S::BAD_REQUEST,
                    "otp_expired",
                    "The code has expired or was used. Ask for a new one.",
                ),
                OtpError::UnknownChallenge => (S::NOT_FOUND, "not_found", "No live challenge has this id."),
                OtpError::AmbiguousClaim => (
                    S::CONFLICT,
                    "ambiguous_claim",
                    "Several accounts claim this phone. Sign in, then enter the code.",
                ),
                OtpError::PhoneTaken => (
                    S::CONFLICT,
                    "phone_taken",
                    "The phone is verified on another account.",
                ),
                OtpError::PhoneNotSupported => (
                    S::BAD_REQUEST,
                    "phone_not_supported",
                    "No codes are sent to phones of this country.",
                ),
                OtpError::ChallengeIdRequired => (
                    S::BAD_REQUEST,
                    "validation_failed",
                    "Some fields are missing or wrong.",
                ),
                OtpError::Cooldown(_) => (
                    S::TOO_MANY_REQUESTS,
                    "resend_cooldown",
                    "A code was sent to this phone moments ago.",
                ),
                OtpError::Limited(_) => LIMITED,
                OtpError::Unavailable(_) => UNAVAILABLE,
            },
        }
    }

    fn problem(&self) -> Problem {
        let (status, code, detail) = self.describe();
        let retry_after = match self.refusal() {
            Some(refusal) => Some(refusal.retry_after_seconds()),
            None => self.unavailable().map(|_| whole_seconds(UNAVAILABLE_WAIT)),
        };
        Problem {
            r#type: format!("urn:ringback:problem:{code}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: Cow::Borrowed(detail),
            code,
            request_id: request_id(),
            errors: match self {
                Self::Validation(errors) => Some(errors.clone()),
                Self::Otp(OtpError::ChallengeIdRequired) => Some(FieldErrors::from([(
                    "challenge_id",
                    vec![Cow::Borrowed("This field is required.")],
                )])),
                Self::Otp(OtpError::PhoneNotSupported) => Some(FieldErrors::from([(
                    "phone",
                    vec![Cow::Borrowed("Phones of this country can't be verified here.")],
                )])),
                _ => None,
            },
            attempts_remaining: match self {
                Self::Otp(OtpError::Wrong { attempts_remaining }) => Some(*attempts_remaining),
                _ => None,
            },
            rule: self.refusal().map(|refusal| refusal.rule.to_string()),
            scope: self.refusal().map(|refusal| refusal.scope.name()),
            retry_after,
        }
    }
}

const LIMITED: (StatusCode, &str, &str) = (
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limited",
    "Too many requests. Try again later.",
);
const UNAVAILABLE: (StatusCode, &str, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "unavailable",
    "The service is busy or a part of it is away. Try again shortly.",
);

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.describe().0
    }

    fn error_response(&self) -> HttpResponse {
        let problem = self.problem();
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        if let Some(seconds) = problem.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(refusal) = self.refusal() {
            rate_limit_headers(&mut response, refusal);
        }
        if let Self::MethodNotAllowed { allow } = self {
            response.insert_header((header::ALLOW, *allow));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, challenge(problem.code)));
        }
        response.json(problem)
    }
}

/// draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it.
fn rate_limit_headers(response: &mut HttpResponseBuilder, refusal: &Refusal) {
    let Refusal { rule, quota, per, .. } = refusal;
    response.insert_header((
        "RateLimit-Policy",
        format!("\"{rule}\";q={quota};w={}", whole_seconds(*per)),
    ));
    response.insert_header((
        "RateLimit",
        format!("\"{rule}\";r=0;t={}", refusal.retry_after_seconds()),
    ));
}

/// RFC 6750 section 3.
fn challenge(code: &str) -> String {
    match code {
        "not_authenticated" | "invalid_credentials" => "Bearer realm=\"ringback\"".to_owned(),
        _ => format!("Bearer realm=\"ringback\", error=\"invalid_token\", error_description=\"{code}\""),
    }
}

/// Whole seconds, rounded up: who waits so long is not refused for a fraction. At least one.
fn whole_seconds(duration: Duration) -> u64 {
    whole_seconds_or_none(duration).max(1)
}

/// The same, but that no time at all is 0.
pub fn whole_seconds_or_none(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Where a part is needed that may be away, and nothing else is refused.
impl From<Unavailable> for ApiError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Otp(unavailable.into())
    }
}
