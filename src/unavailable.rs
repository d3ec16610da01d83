//! What every room answers when a part that it needs is down, slow or full.

use std::{error::Error as StdError, fmt};

use thiserror::Error;

/// A part of the service that can be unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Database,
    Redis,
    DeliveryQueue,
    Provider,
    PasswordHasher,
    RateLimiter,
}

impl Part {
    /// Its name in answers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Redis => "redis",
            Self::DeliveryQueue => "delivery_queue",
            Self::Provider => "provider",
            Self::PasswordHasher => "password_hasher",
            Self::RateLimiter => "rate_limiter",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A part is down, too slow, or full: the caller is asked to come back (503 with `Retry-After`).
///
/// The cause is for the log alone; whoever builds one keeps personal data out of it.
#[derive(Debug, Error)]
#[error("{part} is unavailable: {cause}")]
pub struct Unavailable {
    pub part: Part,
    /// It is at its bound, as it should be when too much comes: no fault, and not worth a warning for each request.
    pub is_full: bool,
    pub cause: Box<dyn StdError + Send + Sync>,
}

impl Unavailable {
    pub fn new(part: Part, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            part,
            is_full: false,
            cause: cause.into(),
        }
    }

    /// It did not answer in time.
    pub fn timed_out(part: Part) -> Self {
        Self::new(part, "no answer in time")
    }

    /// It is at its bound.
    pub fn full(part: Part) -> Self {
        Self {
            is_full: true,
            ..Self::new(part, "full")
        }
    }
}
