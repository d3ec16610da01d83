//! One shard of the instance rules' counters, bounded together with the others.

use std::sync::Arc;

use thiserror::Error;

use super::{
    Rule, RuleSet, Verdict,
    buckets::{Counted, Keys},
    gcra::{self, Standing},
};

/// There is no room for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no room for one more key")]
pub(super) struct Full;

pub(super) struct Shard {
    /// A dozen or two: found sooner by looking at each than by hashing.
    rules: Vec<Counted>,
    keys: Arc<Keys>,
}

impl Shard {
    pub fn new(keys: Arc<Keys>) -> Self {
        Self {
            rules: Vec::new(),
            keys,
        }
    }

    /// Asks a counter of a rule for one request, at `now_us` (microseconds since the Unix epoch, not before it).
    ///
    /// # Errors
    /// [`Full`] when the key is new and finds no room; nothing is counted then.
    pub fn check(&mut self, rule: &Arc<Rule>, key: &str, now_us: i64) -> Result<Verdict, Full> {
        self.counted(rule, now_us).ask(key, now_us).ok_or(Full)
    }

    /// Gives one request back.
    pub fn give_back(&mut self, rule: &str, key: &str, now_us: i64) {
        if let Some(counted) = self.find(rule) {
            counted.give_back(key, now_us);
        }
    }

    /// How a counter stands; nothing is spent.
    pub fn look(&self, rule: &Rule, key: &str, now_us: i64) -> Standing {
        let mut rules = self.rules.iter();
        let counted = rules.find(|counted| counted.rule.id == rule.id);
        let bucket = counted.and_then(|counted| counted.bucket(key));
        gcra::look(bucket, now_us, rule.emission_us(), rule.burst)
    }

    /// Gives a key its whole quota back.
    pub fn reset(&mut self, rule: &str, key: &str) {
        if let Some(counted) = self.find(rule) {
            counted.forget(key);
        }
    }

    /// Forgets the counters of rules that are gone or count by something else now; keeps the others.
    pub fn keep(&mut self, rules: &RuleSet) {
        self.rules.retain(|counted| {
            rules
                .find(&counted.rule.id)
                .is_some_and(|rule| rule.by == counted.rule.by && rule.scope == counted.rule.scope)
        });
    }

    /// Drops the keys whose buckets are empty.
    pub fn sweep(&mut self, now_us: i64) {
        // With them go rules without a key: a request that overtook `keep` may have brought a removed one back.
        self.rules.retain_mut(|counted| counted.sweep(now_us));
    }

    fn find(&mut self, rule: &str) -> Option<&mut Counted> {
        self.rules.iter_mut().find(|counted| &*counted.rule.id == rule)
    }

    /// The rule's counters; with new numbers it goes on with the old counters.
    fn counted(&mut self, rule: &Arc<Rule>, now_us: i64) -> &mut Counted {
        let fresh = || Counted::new(Arc::clone(rule), Arc::clone(&self.keys));
        let same = |counted: &Counted| Arc::ptr_eq(&counted.rule, rule);
        let alike = |counted: &Counted| counted.rule.id == rule.id;
        let found = self.rules.iter().position(same);
        let Some(at) = found.or_else(|| self.rules.iter().position(alike)) else {
            self.rules.push(fresh());
            let last = self.rules.len() - 1;
            return &mut self.rules[last];
        };
        let counted = &mut self.rules[at];
        if counted.rule.by != rule.by {
            *counted = fresh();
        } else if counted.rule != *rule {
            counted.reckon_in(Arc::clone(rule), now_us);
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::limits::{
        By, Mode, Scope,
        gcra::{Bucket, Decision},
    };

    const NOW: i64 = 1_800_000_000_000_000;

    fn rule(id: &str, quota: u32, per: u64) -> Rule {
        Rule {
            id: id.into(),
            on: None,
            by: By::Ip.into(),
            quota,
            per: Duration::from_secs(per),
            burst: quota,
            scope: Scope::Instance,
            mode: Mode::Enforce,
            if_store_lost: None,
        }
    }

    fn shard(max_keys: usize) -> Shard {
        Shard::new(Arc::new(Keys::at_most(max_keys)))
    }

    /// How many of 100 requests pass.
    fn admitted(shard: &mut Shard, rule: &Rule, key: &str) -> usize {
        let rule = Arc::new(rule.clone());
        (0..100)
            .filter(|_| !shard.check(&rule, key, NOW).unwrap().is_refused())
            .count()
    }

    fn check(shard: &mut Shard, rule: &Rule, key: &str, now_us: i64) -> Result<Verdict, Full> {
        shard.check(&Arc::new(rule.clone()), key, now_us)
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_once() {
        let (mut shard, rule) = (shard(100), rule("r", 10, 3600));
        assert_eq!(admitted(&mut shard, &rule, "k"), 10);
        shard.give_back("r", "k", NOW);
        shard.give_back("another", "k", NOW);
        shard.give_back("r", "another", NOW);
        assert_eq!(admitted(&mut shard, &rule, "k"), 1);
    }

    #[test]
    fn a_look_spends_nothing_and_a_reset_gives_everything_back() {
        let (mut shard, rule) = (shard(100), rule("r", 10, 3600));
        for remaining in (0..10).rev() {
            assert!(!check(&mut shard, &rule, "k", NOW).unwrap().is_refused());
            let standing = [0, 1].map(|_| shard.look(&rule, "k", NOW));
            assert_eq!((standing[0], standing[0].remaining), (standing[1], remaining));
        }
        let standing = shard.look(&rule, "k", NOW);
        assert_eq!(
            (standing.wait_us, standing.full_in_us),
            (360_000_000, 3_600_000_000)
        );
        shard.reset("r", "another");
        shard.reset("another", "k");
        assert_eq!(admitted(&mut shard, &rule, "k"), 0);
        shard.reset("r", "k");
        assert_eq!(
            (shard.keys.held(), shard.look(&rule, "k", NOW).remaining),
            (0, 10)
        );
        assert_eq!(admitted(&mut shard, &rule, "k"), 10);
    }

    #[test]
    fn new_numbers_go_on_with_the_old_counter_and_nobody_waits_longer_than_they_say() {
        let mut shard = shard(100);
        assert_eq!(admitted(&mut shard, &rule("r", 10, 3600), "k"), 10);
        assert_eq!(
            admitted(&mut shard, &rule("r", 20, 3600), "k"),
            10,
            "half of it is spent"
        );
        let verdict = check(&mut shard, &rule("r", 10, 10), "k", NOW);
        assert_eq!(
            verdict,
            Ok(Verdict::Refused {
                retry_after_us: 1_000_000
            })
        );
    }

    #[test]
    fn counters_go_with_their_rule_and_when_it_counts_by_something_else() {
        let mut shard = shard(100);
        admitted(&mut shard, &rule("r", 10, 3600), "k");
        shard.keep(&RuleSet::new(vec![rule("r", 11, 3600)]));
        assert_eq!(shard.keys.held(), 1);
        let by_user = Rule {
            by: By::User.into(),
            ..rule("r", 10, 3600)
        };
        assert_eq!(admitted(&mut shard, &by_user, "k"), 10);
        shard.keep(&RuleSet::default());
        assert_eq!(shard.keys.held(), 0);
    }

    #[test]
    fn keys_are_bounded_and_drained_ones_make_room() {
        let mut shard = shard(10);
        let (one, other) = (rule("one", 1, 60), rule("other", 1, 60));
        for key in ["0", "1", "2", "3", "4"] {
            assert!(check(&mut shard, &one, key, NOW).is_ok());
            assert!(check(&mut shard, &other, key, NOW).is_ok());
        }
        assert_eq!(check(&mut shard, &one, "new", NOW), Err(Full));
        assert!(
            check(&mut shard, &one, "3", NOW).unwrap().is_refused(),
            "a known key is judged still"
        );
        assert_eq!(shard.keys.held(), 10);
        shard.sweep(NOW + 61_000_000);
        assert!(check(&mut shard, &one, "new", NOW + 61_000_000).is_ok());
        assert_eq!(shard.keys.held(), 1);
    }

    proptest! {
        #[test]
        fn governor_decides_as_the_algorithm_here(
            quota in 1_u32..50,
            per in 1_u64..100,
            steps in prop::collection::vec(-2000_i64..5000, 1..100),
        ) {
            let (mut shard, rule) = (shard(10), rule("r", quota, per));
            let (mut now_us, mut tat) = (NOW, None);
            for step in steps {
                now_us += step * 1000;
                let expected = match gcra::decide(tat, now_us, rule.emission_us(), rule.burst) {
                    Decision::Allow { new_tat, remaining } => {
                        tat = Some(Bucket { tat: new_tat, emission_us: rule.emission_us() });
                        Verdict::Admitted { remaining }
                    }
                    Decision::Refuse { retry_after_us } => Verdict::Refused { retry_after_us },
                };
                prop_assert_eq!(check(&mut shard, &rule, "k", now_us), Ok(expected));
            }
        }
    }
}
