//! What the limiter says to a request: admitted, with what that spent, or refused, by which rule and for how long.

use std::sync::Arc;

use thiserror::Error;

use super::{
    active::{ActiveRule, ActiveRules},
    instance::{Ask, Request},
    key::KeyDimension,
    operation::Operation,
    refusal::Refusal,
    shadowed::Shadowed,
    store::Counter,
};
use crate::{
    problem::{Problem, ProblemDetails},
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

/// An admitted request: what it has spent, and what is still to be counted.
#[must_use]
#[derive(Debug)]
pub struct Admission {
    /// To be counted in one step with the code: all of them, and spent only if no enforced one refuses.
    pub attached: Vec<Counter>,
    /// The shadow rules that would have refused it; attached are not asked yet.
    pub shadowed: Shadowed,
    pub(super) operation: Operation,
    /// What it was decided by. The numbers below are places in what applies to the operation there.
    pub(super) active: Arc<ActiveRules>,
    pub(super) attached_rules: Vec<usize>,
    pub(super) instance: Vec<Ask>,
    pub(super) cluster: Vec<(usize, Counter)>,
    /// Asked, and to be spent once it is known that a message goes out.
    pub(super) by_message: Vec<(usize, Counter)>,
    /// Whether the request brought a proof of work.
    pub(super) has_worked: bool,
}

impl Admission {
    pub(super) fn new(operation: Operation, active: Arc<ActiveRules>, has_worked: bool) -> Self {
        Self {
            attached: Vec::new(),
            shadowed: Shadowed::default(),
            operation,
            active,
            attached_rules: Vec::new(),
            instance: Vec::new(),
            cluster: Vec::new(),
            by_message: Vec::new(),
            has_worked,
        }
    }

    /// What it spent in the rules that count by `by`, alone or with something else. The rest stays spent.
    pub fn only(mut self, by: KeyDimension) -> Self {
        let applying = self.active.on(self.operation);
        let counts = |at: usize| applying[at].rule.by.parts().any(|part| part == by);
        self.instance.retain(|ask| counts(ask.at));
        self.cluster.retain(|(at, _)| counts(*at));
        self
    }

    /// What a shard is asked, or gives back.
    pub(super) fn request(&self, asks: Vec<Ask>, spends: bool) -> Request {
        Request {
            rules: Arc::clone(&self.active),
            operation: self.operation,
            asks,
            spends,
        }
    }

    pub(super) fn rule_at(&self, at: usize) -> &ActiveRule {
        &self.active.on(self.operation)[at]
    }
}
