//! What the limiter says to a request: admitted, with what that spent, or refused, by which rule and for how long.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{
    By, Counter, Operation, Rule, Scope,
    in_force::{Applying, InForce},
    shadow::Shadowed,
};
use crate::{
    clock::whole_seconds,
    problem::{Problem, ProblemDetails, SpentLimit},
    unavailable::Unavailable,
};

/// Why a request isn't admitted.
#[derive(Debug, Error)]
pub enum Denied {
    /// A rule's quota is spent (429).
    #[error("refused by rule {}", .0.rule)]
    Refused(Refusal),
    /// It can't be counted (503).
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Problem for Denied {
    fn details(&self) -> ProblemDetails {
        match self {
            Self::Refused(refusal) => refusal.details(),
            Self::Unavailable(unavailable) => unavailable.details(),
        }
    }

    fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Refused(_) => None,
            Self::Unavailable(unavailable) => Some(unavailable),
        }
    }
}

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

/// An admitted request: what it has spent, and what is still to be counted.
#[must_use]
#[derive(Debug)]
pub struct Admission {
    /// To be counted in one step with the code: all of them, and spent only if no enforced one refuses.
    pub riders: Vec<Counter>,
    /// The shadow rules that would have refused it; riders are not asked yet.
    pub shadowed: Shadowed,
    pub(super) operation: Operation,
    /// What it was decided by. The numbers below are places in what applies to the operation there.
    pub(super) in_force: Arc<InForce>,
    pub(super) riding: Vec<usize>,
    pub(super) instance: Vec<(usize, String)>,
    pub(super) cluster: Vec<(usize, Counter)>,
}

impl Admission {
    pub(super) fn new(operation: Operation, in_force: Arc<InForce>) -> Self {
        Self {
            riders: Vec::new(),
            shadowed: Shadowed::default(),
            operation,
            in_force,
            riding: Vec::new(),
            instance: Vec::new(),
            cluster: Vec::new(),
        }
    }

    /// What it spent in the rules that count by `by`, alone or with something else. The rest stays spent.
    pub fn only(mut self, by: By) -> Self {
        let applying = self.in_force.on(self.operation);
        let counts = |at: usize| applying[at].rule.by.parts().any(|part| part == by);
        self.instance.retain(|(at, _)| counts(*at));
        self.cluster.retain(|(at, _)| counts(*at));
        self
    }

    pub(super) fn applying(&self, at: usize) -> &Applying {
        &self.in_force.on(self.operation)[at]
    }
}
