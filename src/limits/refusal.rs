//! A rule's refusal.

use std::{sync::Arc, time::Duration};

use super::{
    rule::{Mode, Rule, Scope},
    work::Work,
};
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
    /// Whether a proof of work lets the request pass, and of how much work.
    pub work: Option<Work>,
}

impl Refusal {
    /// `has_worked` says that the request brought a proof of work.
    pub(super) fn new(rule: &Rule, retry_after_us: i64, has_worked: bool) -> Self {
        // With one it would have found so much more room.
        let room_us = rule.worked_room_us();
        let may_work = rule.mode == Mode::Prove && !has_worked;
        let (work, retry_after_us) = match (may_work, retry_after_us <= room_us) {
            (true, true) => (Some(Work::default()), retry_after_us),
            (true, false) => (None, retry_after_us - room_us),
            (false, _) => (None, retry_after_us),
        };
        Self {
            rule: Arc::clone(&rule.id),
            scope: rule.scope,
            retry_after: Duration::from_micros(u64::try_from(retry_after_us).unwrap_or_default()),
            quota: rule.whole_quota(),
            per: rule.per,
            burst: rule.burst,
            work,
        }
    }

    /// The wait for `Retry-After`: 1 at least.
    pub fn retry_after_seconds(&self) -> u64 {
        whole_seconds(self.retry_after).max(1)
    }

    /// The same where the asker's own network has used so much of its quota.
    #[must_use]
    pub(super) fn for_network(self, used: Work) -> Self {
        let work = self.work.map(|_| used);
        Self { work, ..self }
    }

    /// What the client is told, where no proof of work helps.
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

/// Of two refusals the one that no proof of work helps against; else the one to wait longer for: who comes back earlier is
/// refused again.
pub(super) fn longest(one: Option<Refusal>, other: Refusal) -> Option<Refusal> {
    let weight = |refusal: &Refusal| (refusal.work.is_none(), refusal.retry_after);
    match one {
        Some(one) if weight(&one) > weight(&other) => Some(one),
        _ => Some(other),
    }
}
