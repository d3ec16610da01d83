//! What rules in shadow mode would have done, as this process counted it: what operators look at before they enforce one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};

use super::rule::{Mode, RuleSet};

/// The counts of one rule.
#[derive(Debug)]
pub(super) struct ShadowCounts {
    since_ms: i64,
    pub refused: AtomicU64,
    pub issued: AtomicU64,
    pub verified: AtomicU64,
}

/// The counts of each rule that is a shadow, from when it became one.
#[derive(Default)]
pub(super) struct Shadows(Mutex<HashMap<Arc<str>, Arc<ShadowCounts>>>);

/// What a rule in shadow mode would have done in this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowOf {
    pub rule: String,
    /// From when on it was counted: since it is a shadow, or since the start. In UTC (RFC 3339).
    pub since: String,
    /// Requests that it would have refused.
    pub refused: u64,
    /// Codes that were sent though it would have refused them.
    pub issued: u64,
    /// Those of them that were typed: people whom it would have turned away.
    pub verified: u64,
}

impl ShadowCounts {
    fn new(since_ms: i64) -> Self {
        Self {
            since_ms,
            refused: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            verified: AtomicU64::new(0),
        }
    }
}

impl Shadows {
    /// Begins with rules that are shadows from now on, and forgets those that are none any more.
    pub fn follow(&self, rules: &RuleSet, now_ms: i64) {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shadows = rules.rules().iter().filter(|rule| rule.mode == Mode::Shadow);
        let counts = |id: &Arc<str>| {
            let known = before.get(id).cloned();
            known.unwrap_or_else(|| Arc::new(ShadowCounts::new(now_ms)))
        };
        *before = shadows
            .map(|rule| (Arc::clone(&rule.id), counts(&rule.id)))
            .collect();
    }

    /// The counts of a rule, if it is a shadow.
    pub fn of(&self, id: &str) -> Option<Arc<ShadowCounts>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    /// All of them, those first that would have refused the most.
    pub fn told(&self, time: impl Fn(i64) -> String) -> Vec<ShadowOf> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.iter().map(|(id, counts)| ShadowOf {
            rule: id.to_string(),
            since: time(counts.since_ms),
            refused: counts.refused.load(Relaxed),
            issued: counts.issued.load(Relaxed),
            verified: counts.verified.load(Relaxed),
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by(|one, other| (other.refused, &one.rule).cmp(&(one.refused, &other.rule)));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::file;

    fn rules(text: &str) -> RuleSet {
        file::parse(text, "test").unwrap()
    }

    #[test]
    fn counts_last_as_long_as_the_rule_is_a_shadow() {
        let rule = |id: &str, mode: &str| {
            format!("[[rule]]\nid='{id}'\non='me'\nby='ip'\nquota=1\nper='1h'\nmode='{mode}'\n")
        };
        let (shadows, time) = (Shadows::default(), |ms: i64| ms.to_string());
        let both = rules(&(rule("one", "shadow") + &rule("two", "shadow") + &rule("three", "enforce")));
        shadows.follow(&both, 1);
        assert!(shadows.of("three").is_none());
        shadows.of("two").unwrap().refused.fetch_add(2, Relaxed);
        shadows.follow(&both, 5);
        let told: Vec<_> = shadows
            .told(time)
            .into_iter()
            .map(|one| (one.rule, one.since, one.refused))
            .collect();
        let told_of = |rule: &str, since: &str, refused| (rule.to_owned(), since.to_owned(), refused);
        assert_eq!(told, [told_of("two", "1", 2), told_of("one", "1", 0)]);
        shadows.follow(&rules(&rule("two", "enforce")), 7);
        shadows.follow(&rules(&rule("two", "shadow")), 9);
        assert_eq!(
            (
                shadows.told(time)[0].since.as_str(),
                shadows.told(time)[0].refused
            ),
            ("9", 0)
        );
    }
}
