//! The instance rules' counters, or one shard of them: all or nothing for each request, and bounded.
//!
//! A shard belongs to one actor, so nothing here is shared between threads.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use thiserror::Error;

use super::{
    Mode, Rule, RuleSet, Verdict,
    buckets::{Buckets, Counted, Shared},
    gcra,
    gcra::{Bucket, Standing},
};
use crate::clock::Clock;

/// When it is full it looks for keys to drop at most this often, so that a flood of new keys can't make it scan at
/// each request.
const SWEEP_PAUSE_US: i64 = 1_000_000;

/// One rule, and the counter that a request asks.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub rule: Arc<Rule>,
    pub key: Box<str>,
}

/// There is no room for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no room for one more key")]
pub(super) struct Full;

pub(super) struct Shard {
    clock: Arc<dyn Clock>,
    max_keys: usize,
    rules: HashMap<Arc<str>, Counted>,
    shared: Rc<Shared>,
    next_sweep_us: i64,
}

impl Shard {
    pub fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self {
            clock,
            max_keys,
            rules: HashMap::new(),
            shared: Rc::default(),
            next_sweep_us: i64::MIN,
        }
    }

    /// Asks each counter for one request, as [`super::ClusterCounters::check`] does: when an enforced rule refuses,
    /// nothing is spent.
    ///
    /// # Errors
    /// [`Full`] when it is `strict` and a new key finds no room. When it isn't, such a key is admitted uncounted.
    pub fn check(&mut self, asks: &[Ask], strict: bool) -> Result<Vec<Verdict>, Full> {
        let now_us = self.begin();
        let mut verdicts = Vec::with_capacity(asks.len());
        let mut before = Vec::with_capacity(asks.len());
        let mut refused = false;
        for ask in asks {
            let has_room = self.has_room(ask, now_us);
            if !has_room && strict {
                restore(before);
                return Err(Full);
            }
            let counted = self.counted(&ask.rule);
            if !has_room {
                let remaining = ask.rule.burst.saturating_sub(1);
                verdicts.push(Verdict::Admitted { remaining });
                continue;
            }
            before.push((
                counted.buckets.clone(),
                ask.key.clone(),
                counted.buckets.get(&ask.key),
            ));
            let verdict = counted.ask(ask);
            refused |= verdict.is_refused() && ask.rule.mode == Mode::Enforce;
            verdicts.push(verdict);
        }
        if refused {
            restore(before);
        }
        Ok(verdicts)
    }

    /// Gives one request back to each counter.
    pub fn give_back(&mut self, asks: &[Ask]) {
        let now_us = self.begin();
        for ask in asks {
            let Some(counted) = self.rules.get(&ask.rule.id) else {
                continue;
            };
            let emission_us = counted.rule.emission_us();
            if let Some(tat) = counted.buckets.get(&ask.key) {
                let bucket = Bucket {
                    tat: tat as i64 / 1000,
                    emission_us,
                };
                let earlier = gcra::give_back(bucket, now_us, emission_us);
                counted
                    .buckets
                    .put(&ask.key, earlier.map(|tat| tat as u64 * 1000));
            }
        }
    }

    /// How each counter stands; nothing is spent.
    pub fn look(&mut self, asks: &[Ask]) -> Vec<Standing> {
        let now_us = self.begin();
        let standing = |ask: &Ask| {
            let bucket = self.rules.get(&ask.rule.id).and_then(|counted| {
                let tat = counted.buckets.get(&ask.key)?;
                Some(Bucket {
                    tat: tat as i64 / 1000,
                    emission_us: counted.rule.emission_us(),
                })
            });
            gcra::look(bucket, now_us, ask.rule.emission_us(), ask.rule.burst)
        };
        asks.iter().map(standing).collect()
    }

    /// Gives a key its whole quota back.
    pub fn reset(&mut self, rule: &str, key: &str) {
        if let Some(counted) = self.rules.get(rule) {
            counted.buckets.put(key, None);
        }
    }

    /// Forgets the counters of rules that are gone or count by something else now; keeps the others.
    pub fn keep(&mut self, rules: &RuleSet) {
        self.rules.retain(|id, counted| {
            let kept = rules
                .find(id)
                .is_some_and(|rule| rule.by == counted.rule.by && rule.scope == counted.rule.scope);
            if !kept {
                counted.buckets.clear();
            }
            kept
        });
    }

    /// Drops the keys whose buckets are empty.
    pub fn sweep(&mut self) {
        let now_us = self.begin();
        for counted in self.rules.values() {
            counted.buckets.retain_later_than(now_us as u64 * 1000);
        }
        // A request that overtook `keep` may have brought a removed rule back.
        self.rules.retain(|_, counted| !counted.buckets.is_empty());
        self.next_sweep_us = now_us + SWEEP_PAUSE_US;
    }

    /// Keys held.
    pub fn keys(&self) -> usize {
        self.shared.keys.get()
    }

    /// Takes the time once for all that is decided together, in whole microseconds.
    fn begin(&mut self) -> i64 {
        let now_us = self.clock.now().timestamp_micros().max(0);
        self.shared.now.set(now_us as u64 * 1000);
        now_us
    }

    fn has_room(&mut self, ask: &Ask, now_us: i64) -> bool {
        let fits = |shard: &Self| {
            shard.keys() < shard.max_keys
                || shard
                    .rules
                    .get(&ask.rule.id)
                    .is_some_and(|counted| counted.buckets.get(&ask.key).is_some())
        };
        if !fits(self) && now_us >= self.next_sweep_us {
            self.sweep();
        }
        fits(self)
    }

    /// The rule's counters; with new numbers it goes on with the old counters.
    fn counted(&mut self, rule: &Arc<Rule>) -> &Counted {
        let buckets = match self.rules.remove(&rule.id) {
            Some(counted) if counted.rule == *rule => {
                return self.rules.entry(Arc::clone(&rule.id)).or_insert(counted);
            }
            Some(counted) if counted.rule.by == rule.by => {
                counted
                    .buckets
                    .reckon_in(counted.rule.emission_us(), rule.emission_us());
                counted.buckets
            }
            Some(counted) => {
                counted.buckets.clear();
                counted.buckets
            }
            None => Buckets::new(Rc::clone(&self.shared)),
        };
        let counted = Counted::new(Arc::clone(rule), buckets);
        self.rules.entry(Arc::clone(&rule.id)).or_insert(counted)
    }
}

/// Puts keys back as they were; backwards, so that a key that was asked twice ends where it began.
fn restore(before: Vec<(Buckets, Box<str>, Option<u64>)>) {
    for (buckets, key, tat) in before.into_iter().rev() {
        buckets.put(&key, tat);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::ManualClock,
        limits::{By, Scope, gcra::Decision},
    };

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

    fn ask(rule: &Rule, key: &str) -> Ask {
        let rule = Arc::new(rule.clone());
        let key = key.into();
        Ask { rule, key }
    }

    fn shard(max_keys: usize) -> (Shard, ManualClock) {
        let clock = ManualClock::new(DateTime::from_timestamp_nanos(1_800_000_000_000_000_000));
        (Shard::new(Arc::new(clock.clone()), max_keys), clock)
    }

    /// How many of 100 requests pass.
    fn admitted(shard: &mut Shard, asks: &[Ask]) -> usize {
        let enforced_refuse = |verdicts: &[Verdict]| {
            let refuses =
                |(ask, verdict): (&Ask, &Verdict)| verdict.is_refused() && ask.rule.mode == Mode::Enforce;
            asks.iter().zip(verdicts).any(refuses)
        };
        (0..100)
            .filter(|_| !enforced_refuse(&shard.check(asks, true).unwrap()))
            .count()
    }

    #[test]
    fn a_refused_request_leaves_every_counter_as_it_was() {
        let (mut shard, _) = shard(100);
        let (wide, tight) = (rule("wide", 10, 3600), rule("tight", 3, 3600));
        let shadow = Rule {
            mode: Mode::Shadow,
            ..rule("shadow", 5, 3600)
        };
        let all = [ask(&wide, "k"), ask(&shadow, "k"), ask(&tight, "k")];
        assert_eq!(admitted(&mut shard, &all), 3);
        assert_eq!(admitted(&mut shard, &all[..1]), 7);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_once() {
        let (mut shard, _) = shard(100);
        let asks = [ask(&rule("r", 10, 3600), "k")];
        assert_eq!(admitted(&mut shard, &asks), 10);
        shard.give_back(&asks);
        assert_eq!(admitted(&mut shard, &asks), 1);
    }

    #[test]
    fn a_look_spends_nothing_and_a_reset_gives_everything_back() {
        let (mut shard, _) = shard(100);
        let asks = [ask(&rule("r", 10, 3600), "k")];
        for remaining in (0..10).rev() {
            assert!(!shard.check(&asks, true).unwrap()[0].is_refused());
            let standing = [0, 1].map(|_| shard.look(&asks)[0]);
            assert_eq!((standing[0], standing[0].remaining), (standing[1], remaining));
        }
        let standing = shard.look(&asks)[0];
        assert_eq!(
            (standing.wait_us, standing.full_in_us),
            (360_000_000, 3_600_000_000)
        );
        shard.reset("r", "another");
        shard.reset("another", "k");
        assert_eq!(admitted(&mut shard, &asks), 0);
        shard.reset("r", "k");
        assert_eq!((shard.keys(), shard.look(&asks)[0].remaining), (0, 10));
        assert_eq!(admitted(&mut shard, &asks), 10);
    }

    #[test]
    fn new_numbers_go_on_with_the_old_counter_and_nobody_waits_longer_than_they_say() {
        let (mut shard, _) = shard(100);
        assert_eq!(admitted(&mut shard, &[ask(&rule("r", 10, 3600), "k")]), 10);
        assert_eq!(
            admitted(&mut shard, &[ask(&rule("r", 20, 3600), "k")]),
            10,
            "half of it is spent"
        );
        let short = [ask(&rule("r", 10, 10), "k")];
        let verdicts = shard.check(&short, true).unwrap();
        assert_eq!(
            verdicts,
            [Verdict::Refused {
                retry_after_us: 1_000_000
            }]
        );
    }

    #[test]
    fn counters_go_with_their_rule_and_when_it_counts_by_something_else() {
        let (mut shard, _) = shard(100);
        let asks = [ask(&rule("r", 10, 3600), "k")];
        admitted(&mut shard, &asks);
        shard.keep(&RuleSet::new(vec![rule("r", 11, 3600)]));
        assert_eq!(shard.keys(), 1);
        let by_user = Rule {
            by: By::User.into(),
            ..rule("r", 10, 3600)
        };
        assert_eq!(admitted(&mut shard, &[ask(&by_user, "k")]), 10);
        shard.keep(&RuleSet::default());
        assert_eq!(shard.keys(), 0);
    }

    #[test]
    fn keys_are_bounded_and_drained_ones_make_room() {
        let (mut shard, clock) = shard(10);
        let (one, other) = (rule("one", 1, 60), rule("other", 1, 60));
        for key in 0..5 {
            let key = key.to_string();
            assert!(shard.check(&[ask(&one, &key), ask(&other, &key)], true).is_ok());
        }
        assert_eq!(shard.check(&[ask(&one, "new")], true), Err(Full));
        let verdicts = shard.check(&[ask(&one, "new")], false).unwrap();
        assert!(!verdicts[0].is_refused(), "what is not strict goes on uncounted");
        assert!(
            shard.check(&[ask(&one, "3")], true).unwrap()[0].is_refused(),
            "a known key is judged still"
        );
        assert_eq!(shard.keys(), 10);
        clock.advance(TimeDelta::seconds(61));
        assert!(shard.check(&[ask(&one, "new")], true).is_ok());
        assert_eq!(shard.keys(), 1);
    }

    #[test]
    fn what_does_not_fit_whole_spends_nothing() {
        let (mut shard, _) = shard(2);
        let (one, other) = (rule("one", 5, 60), rule("other", 5, 60));
        admitted(&mut shard, &[ask(&other, "x")]);
        assert_eq!(shard.check(&[ask(&one, "k"), ask(&other, "k")], true), Err(Full));
        assert_eq!(admitted(&mut shard, &[ask(&one, "k")]), 5);
    }

    proptest! {
        #[test]
        fn governor_decides_as_the_algorithm_here(
            quota in 1_u32..50,
            per in 1_u64..100,
            steps in prop::collection::vec(-2000_i64..5000, 1..100),
        ) {
            let (mut shard, clock) = shard(10);
            let rule = rule("r", quota, per);
            let mut tat = None;
            for step in steps {
                clock.advance(TimeDelta::milliseconds(step));
                let now_us = clock.now().timestamp_micros();
                let expected = match gcra::decide(tat, now_us, rule.emission_us(), rule.burst) {
                    Decision::Allow { new_tat, remaining } => {
                        tat = Some(Bucket { tat: new_tat, emission_us: rule.emission_us() });
                        Verdict::Admitted { remaining }
                    }
                    Decision::Refuse { retry_after_us } => Verdict::Refused { retry_after_us },
                };
                prop_assert_eq!(shard.check(&[ask(&rule, "k")], true).unwrap(), [expected]);
            }
        }
    }
}
