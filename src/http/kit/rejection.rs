//! Why a request is turned away before any room sees it.

use std::sync::Arc;

use thiserror::Error;

use crate::problem::{FieldErrors, Problem, ProblemDetails};

const MALFORMED_JSON: &str = "The body is no JSON object in UTF-8, or nests deeper than 32.";

/// Why a request is turned away.
#[derive(Debug, Error)]
pub enum Rejection {
    #[error("fields are missing or wrong")]
    Fields(FieldErrors),
    #[error("the body is not the JSON that is asked for")]
    MalformedJson,
    #[error("the body has the key {0} more than once")]
    DuplicateKey(String),
    #[error("the request is not HTTP")]
    MalformedRequest,
    #[error("the URI is too long")]
    UriTooLong,
    #[error("the head is too large")]
    HeadersTooLarge,
    #[error("the body is not declared as JSON")]
    UnsupportedMediaType,
    #[error("the body is declared as JSON that is not in UTF-8")]
    UnsupportedCharset,
    #[error("the body is compressed")]
    UnsupportedCoding,
    #[error("the body is too large")]
    PayloadTooLarge,
    #[error("the body did not arrive in time")]
    RequestTimeout,
    #[error("no such resource")]
    NotFound,
    #[error("the resource has no such method")]
    MethodNotAllowed { allow: Arc<str> },
    #[error("no token came along")]
    NotAuthenticated,
    #[error("the operators' port wants its token")]
    OpsToken,
    #[error("asked by a name that is not this port's")]
    StrangeHost,
    #[error("a fault of the service")]
    Internal,
}

impl Problem for Rejection {
    fn details(&self) -> ProblemDetails {
        let (status, code, detail) = match self {
            Self::Fields(errors) => return ProblemDetails::validation_failed(errors.clone()),
            Self::NotFound => return ProblemDetails::not_found(),
            Self::MethodNotAllowed { allow } => {
                return ProblemDetails {
                    allow: Some(Arc::clone(allow)),
                    ..ProblemDetails::new(405, "method_not_allowed", "This path does not take this method.")
                };
            }
            Self::DuplicateKey(key) => {
                let detail = format!("The body has the key `{key}` more than once.");
                return ProblemDetails::new(400, "malformed_json", detail);
            }
            Self::MalformedJson => (400, "malformed_json", MALFORMED_JSON),
            Self::MalformedRequest => (400, "malformed_request", "The request is not valid HTTP."),
            Self::UriTooLong => (414, "uri_too_long", "The URI of the request is over 16 KiB."),
            Self::HeadersTooLarge => (431, "headers_too_large", "The head of the request is too large."),
            Self::UnsupportedMediaType => (
                415,
                "unsupported_media_type",
                "Send the body as application/json.",
            ),
            Self::UnsupportedCharset => (415, "unsupported_media_type", "Send the body in UTF-8."),
            Self::UnsupportedCoding => (
                415,
                "unsupported_media_type",
                "Send the body as it is: without Content-Encoding, or with `identity`.",
            ),
            Self::PayloadTooLarge => (413, "payload_too_large", "The body is over 16 KiB."),
            Self::RequestTimeout => (408, "request_timeout", "The request did not arrive in time."),
            Self::NotAuthenticated => (
                401,
                "not_authenticated",
                "Send an access token as a bearer token.",
            ),
            Self::OpsToken => (
                401,
                "not_authenticated",
                "Send the token of server.ops_token as a bearer token.",
            ),
            Self::StrangeHost => (
                403,
                "forbidden",
                "Ask this port by its address, or by localhost on the same machine.",
            ),
            Self::Internal => (500, "internal", "Something went wrong in the service."),
        };
        ProblemDetails::new(status, code, detail)
    }
}
