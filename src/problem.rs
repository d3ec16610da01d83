//! How an error looks from outside. Each room says it of its own errors; `http` renders it, and knows no room's list.

use std::{borrow::Cow, collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use serde::Serialize;

use crate::unavailable::Unavailable;

/// What is wrong with each field of a request.
pub type FieldErrors = BTreeMap<&'static str, Vec<Cow<'static, str>>>;

/// An error that a client is told of.
pub trait Problem: Error + Send + 'static {
    /// What the client is told. It MUST say nothing of the inside: no cause, no host, no personal data.
    fn details(&self) -> ProblemDetails;

    /// The part that was down or full, if one was: for the log alone.
    fn unavailable(&self) -> Option<&Unavailable> {
        None
    }
}

/// What a client is told of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemDetails {
    /// The HTTP status.
    pub status: u16,
    /// What happened, for programs.
    pub code: &'static str,
    /// What happened, for people.
    pub detail: Cow<'static, str>,
    /// What is wrong with each field.
    pub errors: FieldErrors,
    /// How many more codes will be judged.
    pub attempts_remaining: Option<u8>,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
    /// The limit that refused.
    pub limit: Option<SpentLimit>,
    /// The work that lets the request pass.
    pub proof: Option<WorkChallenge>,
    /// The methods that the resource has.
    pub allow: Option<Arc<str>>,
}

/// A challenge to a proof of work, as ALTCHA has it (version 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkChallenge {
    pub algorithm: String,
    /// The hash of the salt and a number, in hexadecimal digits.
    pub challenge: String,
    /// The number is no larger.
    #[serde(rename = "maxnumber")]
    pub max_number: u32,
    pub salt: String,
    pub signature: String,
}

/// A rate limit that has nothing left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentLimit {
    /// The rule's id.
    pub rule: Arc<str>,
    /// Where it is counted.
    pub scope: &'static str,
    pub quota: u32,
    pub per: Duration,
}

impl ProblemDetails {
    pub fn new(status: u16, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: FieldErrors::new(),
            attempts_remaining: None,
            retry_after: None,
            limit: None,
            proof: None,
            allow: None,
        }
    }

    /// Fields are missing or wrong.
    pub fn validation_failed(errors: FieldErrors) -> Self {
        Self {
            errors,
            ..Self::new(400, "validation_failed", "Some fields are missing or wrong.")
        }
    }

    /// There is no such thing, or the client may not know of it.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "No such resource.")
    }

    /// The same with a word on one field.
    pub fn with_field(mut self, name: &'static str, fault: impl Into<Cow<'static, str>>) -> Self {
        self.errors.entry(name).or_default().push(fault.into());
        self
    }
}

impl Problem for Unavailable {
    fn details(&self) -> ProblemDetails {
        ProblemDetails {
            retry_after: Some(Duration::from_secs(1)),
            ..ProblemDetails::new(
                503,
                "unavailable",
                "Service temporarily unavailable. Try again shortly.",
            )
        }
    }

    fn unavailable(&self) -> Option<&Unavailable> {
        Some(self)
    }
}
