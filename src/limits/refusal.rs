//! A rule's refusal.

use std::{sync::Arc, time::Duration};

use super::rule::{Rule, Scope};
use crate::{
    clock::whole_seconds,
    problem::{ProblemDetails, SpentLimit},
};

/// A rule's refusal; of several, the one to wait longest for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's id.
    pub rule: Arc<str>,
    pub scope: Scope,
    /// Until a request may pass.
    pub retry_after: Duration,
    pub quota: u32,
    pub per: Duration,
    pub burst: u32,
}

impl Refusal {
    pub(super) fn new(rule: &Rule, retry_after_us: i64) -> Self {
        Self {
            rule: Arc::clone(&rule.id),
            scope: rule.scope,
            retry_after: Duration::from_micros(u64::try_from(retry_after_us).unwrap_or_default()),
            quota: rule.quota,
            per: rule.per,
            burst: rule.burst,
        }
    }

    /// The wait for `Retry-After`: 1 at least.
    pub fn retry_after_seconds(&self) -> u64 {
        whole_seconds(self.retry_after).max(1)
    }

    /// What the client is told.
    pub fn details(&self) -> ProblemDetails {
        ProblemDetails {
            retry_after: Some(self.retry_after),
            limit: Some(SpentLimit {
                rule: Arc::clone(&self.rule),
                scope: self.scope.name(),
                quota: self.quota,
                per: self.per,
            }),
            ..ProblemDetails::new(429, "rate_limited", "Too many requests. Try again later.")
        }
    }
}

/// Of two refusals the one to wait longer for: who comes back earlier is refused again.
pub(super) fn longest(one: Option<Refusal>, other: Refusal) -> Option<Refusal> {
    match one {
        Some(one) if one.retry_after > other.retry_after => Some(one),
        _ => Some(other),
    }
}
