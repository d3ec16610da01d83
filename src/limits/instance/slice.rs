//! One slice of the instance rules' counters, bounded together with the others.

use std::sync::Arc;

use thiserror::Error;

use super::buckets::{Keys, RuleCounters};
use crate::limits::{
    gcra::{self, QuotaStatus},
    rule::{Rule, RuleSet},
    store::Verdict,
};

/// There is no room for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no room for one more key")]
pub struct Full;

pub struct Slice {
    /// A dozen or two: found sooner by looking at each than by hashing.
    rules: Vec<RuleCounters>,
    keys: Arc<Keys>,
}

impl Slice {
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
    pub fn look(&self, rule: &Rule, key: &str, now_us: i64) -> QuotaStatus {
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
    pub fn retain(&mut self, rules: &RuleSet) {
        self.rules.retain(|counted| {
            rules
                .find(&counted.rule.id)
                .is_some_and(|rule| rule.by == counted.rule.by && rule.scope == counted.rule.scope)
        });
    }

    /// Drops the keys whose buckets are empty.
    pub fn sweep(&mut self, now_us: i64) {
        // With them go rules without a key: a request that overtook `retain` may have brought a removed one back.
        self.rules.retain_mut(|counted| counted.sweep(now_us));
    }

    fn find(&mut self, rule: &str) -> Option<&mut RuleCounters> {
        self.rules.iter_mut().find(|counted| &*counted.rule.id == rule)
    }

    /// The rule's counters; with new numbers it goes on with the old counters.
    fn counted(&mut self, rule: &Arc<Rule>, now_us: i64) -> &mut RuleCounters {
        let fresh = || RuleCounters::new(Arc::clone(rule), Arc::clone(&self.keys));
        let same = |counted: &RuleCounters| Arc::ptr_eq(&counted.rule, rule);
        let alike = |counted: &RuleCounters| counted.rule.id == rule.id;
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
            counted.rescale(Arc::clone(rule), now_us);
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
        KeyDimension, Mode, Scope,
        gcra::{Bucket, Decision},
    };

    const NOW: i64 = 1_800_000_000_000_000;

    fn rule(id: &str, quota: u32, per: u64) -> Rule {
        Rule {
            id: id.into(),
            on: None,
            by: KeyDimension::Ip.into(),
            channel: None,
            quota,
            per: Duration::from_secs(per),
            counts: crate::limits::Counts::Requests,
            claimants: crate::limits::Claimants::Apart,
            currency: None,
            except: Arc::default(),
            burst: quota,
            grows_to: quota,
            ceiling: quota,
            scope: Scope::Instance,
            mode: Mode::Enforce,
            if_store_lost: None,
        }
    }

    fn slice(max_keys: usize) -> Slice {
        Slice::new(Arc::new(Keys::at_most(max_keys)))
    }

    /// How many of 100 requests pass.
    fn admitted(slice: &mut Slice, rule: &Rule, key: &str) -> usize {
        let rule = Arc::new(rule.clone());
        (0..100)
            .filter(|_| !slice.check(&rule, key, NOW).unwrap().is_refused())
            .count()
    }

    fn check(slice: &mut Slice, rule: &Rule, key: &str, now_us: i64) -> Result<Verdict, Full> {
        slice.check(&Arc::new(rule.clone()), key, now_us)
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_once() {
        let (mut slice, rule) = (slice(100), rule("r", 10, 3600));
        assert_eq!(admitted(&mut slice, &rule, "k"), 10);
        slice.give_back("r", "k", NOW);
        slice.give_back("another", "k", NOW);
        slice.give_back("r", "another", NOW);
        assert_eq!(admitted(&mut slice, &rule, "k"), 1);
    }

    #[test]
    fn a_look_spends_nothing_and_a_reset_gives_everything_back() {
        let (mut slice, rule) = (slice(100), rule("r", 10, 3600));
        for remaining in (0..10).rev() {
            assert!(!check(&mut slice, &rule, "k", NOW).unwrap().is_refused());
            let status = [0, 1].map(|_| slice.look(&rule, "k", NOW));
            assert_eq!((status[0], status[0].remaining), (status[1], remaining));
        }
        let status = slice.look(&rule, "k", NOW);
        assert_eq!((status.wait_us, status.full_in_us), (360_000_000, 3_600_000_000));
        slice.reset("r", "another");
        slice.reset("another", "k");
        assert_eq!(admitted(&mut slice, &rule, "k"), 0);
        slice.reset("r", "k");
        assert_eq!(
            (slice.keys.held(), slice.look(&rule, "k", NOW).remaining),
            (0, 10)
        );
        assert_eq!(admitted(&mut slice, &rule, "k"), 10);
    }

    #[test]
    fn new_numbers_go_on_with_the_old_counter_and_nobody_waits_longer_than_they_say() {
        let mut slice = slice(100);
        assert_eq!(admitted(&mut slice, &rule("r", 10, 3600), "k"), 10);
        assert_eq!(
            admitted(&mut slice, &rule("r", 20, 3600), "k"),
            10,
            "half of it is spent"
        );
        let verdict = check(&mut slice, &rule("r", 10, 10), "k", NOW);
        assert_eq!(
            verdict,
            Ok(Verdict::Refused {
                retry_after_us: 1_000_000
            })
        );
    }

    #[test]
    fn counters_go_with_their_rule_and_when_it_counts_by_something_else() {
        let mut slice = slice(100);
        admitted(&mut slice, &rule("r", 10, 3600), "k");
        slice.retain(&RuleSet::new(vec![rule("r", 11, 3600)]));
        assert_eq!(slice.keys.held(), 1);
        let by_user = Rule {
            by: KeyDimension::User.into(),
            ..rule("r", 10, 3600)
        };
        assert_eq!(admitted(&mut slice, &by_user, "k"), 10);
        slice.retain(&RuleSet::default());
        assert_eq!(slice.keys.held(), 0);
    }

    #[test]
    fn keys_are_bounded_and_drained_ones_make_room() {
        let mut slice = slice(10);
        let (one, other) = (rule("one", 1, 60), rule("other", 1, 60));
        for key in ["0", "1", "2", "3", "4"] {
            assert!(check(&mut slice, &one, key, NOW).is_ok());
            assert!(check(&mut slice, &other, key, NOW).is_ok());
        }
        assert_eq!(check(&mut slice, &one, "new", NOW), Err(Full));
        assert!(
            check(&mut slice, &one, "3", NOW).unwrap().is_refused(),
            "a known key is judged still"
        );
        assert_eq!(slice.keys.held(), 10);
        slice.sweep(NOW + 61_000_000);
        assert!(check(&mut slice, &one, "new", NOW + 61_000_000).is_ok());
        assert_eq!(slice.keys.held(), 1);
    }

    proptest! {
        #[test]
        fn governor_decides_as_the_algorithm_here(
            quota in 1_u32..50,
            per in 1_u64..100,
            steps in prop::collection::vec(-2000_i64..5000, 1..100),
        ) {
            let (mut slice, rule) = (slice(10), rule("r", quota, per));
            let (mut now_us, mut tat) = (NOW, None);
            for step in steps {
                now_us += step * 1000;
                let expected = match gcra::decide(tat, now_us, rule.emission_us(), rule.burst) {
                    Decision::Allow { new_tat, remaining } => {
                        tat = Some(Bucket::new(new_tat, rule.emission_us()));
                        Verdict::Admitted { remaining }
                    }
                    Decision::Refuse { retry_after_us } => Verdict::Refused { retry_after_us },
                };
                prop_assert_eq!(check(&mut slice, &rule, "k", now_us), Ok(expected));
            }
        }
    }
}
