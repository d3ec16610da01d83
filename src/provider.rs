//! What a provider of messages is asked, what it may answer, and how far a message has come.
//!
//! A provider carries the messages of one channel, `M`.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::{
    cause::Cause,
    problem::{Problem, ProblemDetails},
};

/// Carries messages to the networks.
#[async_trait]
pub trait Provider<M: Sync>: Send + Sync {
    /// Its name in metrics and logs.
    fn name(&self) -> &'static str;

    /// The host and the port where it is reached, for logs. MUST hold no secret, and so nothing of a URL's path.
    fn server(&self) -> Option<String> {
        None
    }

    /// Hands one message over, in one try.
    ///
    /// MUST answer within a bound of its own, and MUST NOT put the address or the text into the outcome or a log. An
    /// implementation that cannot tell whether the message was taken answers `Retryable`: a message twice is better than
    /// none.
    async fn send(&self, message: &M) -> Outcome;

    /// Whether a message like this one was taken at `since` or later: asked before one is sent again whose answer was
    /// lost. Bounds and secrecy as for [`Provider::send`]. A provider that cannot be asked answers `Unknown`.
    async fn look_up(&self, message: &M, since: DateTime<Utc>) -> LookupResult {
        let _ = (message, since);
        LookupResult::Unknown
    }
}

/// How far a message has come on its way. The names are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// No provider has taken it yet.
    Queued,
    /// A provider took it.
    Sent,
    /// It arrived.
    Delivered,
    /// The networks gave it up.
    Undelivered,
    /// The provider refused it for good.
    Failed,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Sent,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
    ];

    /// Its name in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
        }
    }
}

/// What a provider says of a message: when it is handed over, or later by a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusUpdate {
    pub status: DeliveryStatus,
    /// The provider's id of the message; empty if it gave none.
    pub message_id: String,
    /// The provider's own error code, if it gave one.
    pub error_code: Option<u32>,
    pub price: Option<Price>,
}

impl StatusUpdate {
    /// The provider took it. `message_id` may be empty.
    pub fn sent(message_id: String) -> Self {
        Self {
            status: DeliveryStatus::Sent,
            message_id,
            error_code: None,
            price: None,
        }
    }

    /// The provider refused it for good.
    pub fn failed(error_code: Option<u32>) -> Self {
        Self {
            status: DeliveryStatus::Failed,
            message_id: String::new(),
            error_code,
            price: None,
        }
    }
}

/// A request that says it is a provider's receipt.
#[derive(Clone, Copy)]
pub struct ReceiptRequest<'a> {
    /// May have lost the slash at its end on its way.
    pub path: &'a str,
    pub query: &'a str,
    /// The fields of its form, in their order.
    pub form: &'a [(String, String)],
    /// Finds a header by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// Checks and reads the receipts of one provider.
pub trait ReceiptReader: Send + Sync {
    /// What a receipt says. MUST refuse what the provider did not sign.
    ///
    /// # Errors
    /// [`Forged`], whatever the request says.
    fn read(&self, request: &ReceiptRequest<'_>) -> Result<StatusUpdate, Forged>;
}

/// The receipt is not the provider's, or not for this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature is missing or wrong")]
pub struct Forged;

impl Problem for Forged {
    fn details(&self) -> ProblemDetails {
        ProblemDetails::new(403, "signature_invalid", "The signature is missing or wrong.")
    }
}

/// What a provider knows of a message whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupResult {
    /// It has it: sent again, it would come twice.
    Taken { provider_id: String },
    /// It never got it.
    NotTaken,
    /// It cannot tell, or did not answer.
    Unknown,
}

/// What a provider made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It will be delivered, as far as the provider knows. The id may be empty if the provider told none.
    Accepted { provider_id: String },
    /// It may work later; not before `after`, if the provider said so.
    Retryable {
        after: Option<Duration>,
        reason: FailureReason,
    },
    /// It will never work for this message: the address cannot be reached, or does not want to be.
    Permanent { reason: FailureReason },
    /// It will work for no message until an operator changes something: credentials, sender, account, budget.
    Misconfigured { reason: FailureReason },
}

impl Outcome {
    /// Why it was not accepted.
    pub fn reason(&self) -> Option<FailureReason> {
        match self {
            Self::Accepted { .. } => None,
            Self::Retryable { reason, .. } | Self::Permanent { reason } | Self::Misconfigured { reason } => {
                Some(*reason)
            }
        }
    }
}

/// Why a message was not taken, without personal data: fit for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureReason {
    pub kind: FailureKind,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's own error code, if it gave one.
    pub code: Option<u32>,
    /// What stands behind it, if that is known.
    pub cause: Option<Cause>,
}

impl FailureReason {
    /// A failure without an answer.
    pub const fn of(kind: FailureKind) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            cause: None,
        }
    }

    /// The same, with what stands behind it.
    #[must_use]
    pub const fn because(self, cause: Option<Cause>) -> Self {
        Self { cause, ..self }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.map_or(self.kind.name(), Cause::name))?;
        if let Some(code) = self.code {
            write!(f, ", error {code}")?;
        }
        if let Some(status) = self.status {
            write!(f, ", HTTP {status}")?;
        }
        Ok(())
    }
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The provider answered with an error.
    Refused,
    /// A policy of the provider's is against it: it may be about this message alone, or about us.
    Policy,
    /// The provider put this message off, and may take others.
    PutOff,
    /// No answer came once it was told of this message, or the connection was closed: it was not taken, and others may be.
    CutOff,
    /// The same when it had been handed over: it may have been taken.
    CutOffLate,
    /// The provider wants fewer requests.
    RateLimited,
    /// The provider failed.
    ServerError,
    /// The answer sends us elsewhere, where we don't go: the credentials are for this address alone.
    Redirect,
    /// No connection: refused, unreachable, no such name, or a bad certificate.
    Connect,
    /// The connection broke; whether the message was taken is unknown.
    Connection,
    /// No answer in time; whether the message was taken is unknown.
    Timeout,
    /// There was an answer, and it does not tell whether the message was taken.
    Unreadable,
    /// The request could not even be built.
    Request,
}

impl FailureKind {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Policy => "refused by a policy",
            Self::PutOff => "put off",
            Self::CutOff => "cut off over this message",
            Self::CutOffLate => "cut off after this message was handed over",
            Self::RateLimited => "rate limited",
            Self::ServerError => "server error",
            Self::Redirect => "redirect",
            Self::Connect => "no connection",
            Self::Connection => "connection broke",
            Self::Timeout => "no answer in time",
            Self::Unreadable => "no readable answer",
            Self::Request => "no valid request",
        }
    }
}

/// What a message cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Millionths of the currency.
    pub micros: i64,
    /// ISO 4217, three letters.
    pub currency: String,
}
