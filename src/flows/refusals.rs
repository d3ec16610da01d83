//! Refusals by the OTP rules themselves and by counters that the store counts.

use std::time::Duration;

use super::{codes::Codes, error::FlowError};
use crate::{
    challenges::Hold,
    limits::{Refusal, Scope},
    unavailable::{Part, Unavailable},
};

impl Codes {
    pub(super) fn cooldown(&self, wait: Duration) -> Refusal {
        own_rule(
            Hold::Cooldown.rule(),
            wait,
            1,
            self.challenges.rules.resend_cooldown,
        )
    }

    pub(super) fn locked(&self, wait: Duration) -> Refusal {
        let rules = &self.challenges.rules;
        own_rule(
            Hold::Failures.rule(),
            wait,
            rules.max_failures,
            rules.failure_window,
        )
    }
}

/// What the OTP rules themselves refuse, told like a rule of the limits file.
fn own_rule(rule: &str, retry_after: Duration, quota: u32, per: Duration) -> Refusal {
    Refusal {
        rule: rule.into(),
        scope: Scope::Cluster,
        retry_after,
        quota,
        per,
        burst: quota,
    }
}

/// The store refused for an attached counter; of which rule, the limiter told.
pub(super) fn refused_by(refusal: Option<Refusal>) -> FlowError {
    match refusal {
        Some(refusal) => FlowError::Limited(refusal),
        None => FlowError::Unavailable(Unavailable::new(Part::RateLimiter, "refused by no active rule")),
    }
}
