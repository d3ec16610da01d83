//! What the limiter says to a request: admitted, with what that spent, or refused, by which rule and for how long.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{By, Counter, Rule, Scope, in_force::Tally, shadow::Shadowed, shard::Ask};
use crate::unavailable::Unavailable;

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

    /// The wait for `Retry-After`: whole seconds, rounded up, 1 at least.
    pub fn retry_after_seconds(&self) -> u64 {
        let whole = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        whole.max(1)
    }
}

/// Of two refusals the one to wait longer for: who comes back earlier is refused again.
pub(super) fn longest(one: Option<Refusal>, other: Option<Refusal>) -> Option<Refusal> {
    one.into_iter()
        .chain(other)
        .max_by_key(|refusal| refusal.retry_after)
}

/// A cluster rule of the phone's own, to be counted by the script that issues or judges a code.
#[derive(Debug, Clone)]
pub struct Rider {
    pub rule: Arc<Rule>,
    /// In the phone's partition.
    pub counter: Counter,
    pub(super) tally: Arc<Tally>,
}

/// An admitted request: what it has spent, and what is still to be counted.
#[must_use]
#[derive(Debug, Default)]
pub struct Admission {
    /// To be counted in one step with the code: all of them, and spent only if no enforced one refuses.
    pub riders: Vec<Rider>,
    /// The shadow rules that would have refused it; riders are not asked yet.
    pub shadowed: Shadowed,
    /// By shard.
    pub(super) instance: Vec<(usize, Arc<[Ask]>)>,
    pub(super) cluster: Vec<(Arc<Rule>, Counter)>,
}

impl Admission {
    /// What it spent in the rules that count by `by`, alone or with something else. The rest stays spent.
    pub fn only(mut self, by: By) -> Self {
        let counts = |rule: &Rule| rule.by.parts().any(|part| part == by);
        for (_, asks) in &mut self.instance {
            if !asks.iter().all(|ask| counts(&ask.rule)) {
                *asks = asks.iter().filter(|ask| counts(&ask.rule)).cloned().collect();
            }
        }
        self.cluster.retain(|(rule, _)| counts(rule));
        self
    }
}
