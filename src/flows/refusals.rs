//! Refusals by the OTP rules themselves and by counters that the store counts.

use std::time::Duration;

use super::error::FlowError;
use crate::{
    limits::{Refusal, Scope},
    unavailable::{Part, Unavailable},
};

/// What the OTP rules themselves refuse, told like a rule of the limits file.
pub(super) fn own_rule(rule: &str, retry_after: Duration, quota: u32, per: Duration) -> Refusal {
    Refusal {
        rule: rule.into(),
        scope: Scope::Cluster,
        retry_after,
        quota,
        per,
        burst: quota,
        work: None,
    }
}

/// The store refused for an attached counter; of which rule, the limiter told.
pub(super) fn refused_by(refusal: Option<Refusal>) -> FlowError {
    match refusal {
        Some(refusal) => FlowError::Limited(refusal),
        None => FlowError::Unavailable(Unavailable::new(Part::RateLimiter, "refused by no active rule")),
    }
}
