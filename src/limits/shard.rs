//! The instance rules' counters, or one shard of them: `governor` decides, this room keeps its state.
//!
//! `governor`'s own stores can neither be bounded nor give back what a refused request has spent, so the state lies in
//! a map of ours. A shard belongs to one actor, so nothing here is shared between threads.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    num::NonZeroU32,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use governor::{Quota, RateLimiter, middleware::StateInformationMiddleware, nanos::Nanos, state::StateStore};
use thiserror::Error;

use super::{Mode, Rule, RuleSet, Verdict, gcra, gcra::Bucket};
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

/// What all rules of a shard share.
#[derive(Default)]
struct Shared {
    /// The time of the request that is decided, in nanoseconds since the Unix epoch.
    now: Cell<u64>,
    /// Keys held, over all rules.
    keys: Cell<usize>,
}

/// A rule's counters with its numbers.
struct Counted {
    rule: Arc<Rule>,
    limiter: RateLimiter<Box<str>, Buckets, Reading, StateInformationMiddleware>,
    buckets: Buckets,
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

impl Counted {
    fn new(rule: Arc<Rule>, buckets: Buckets) -> Self {
        let cost = Duration::from_micros(rule.emission_us().unsigned_abs().max(1));
        let burst = NonZeroU32::new(rule.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(cost)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        buckets
            .0
            .holds
            .set(cost.as_nanos() as u64 * u64::from(burst.get()));
        // governor counts from the time at which it is made: make that the epoch, so that counters outlive it.
        let now = buckets.0.shared.now.replace(0);
        let reading = Reading(Rc::clone(&buckets.0.shared));
        let limiter = RateLimiter::new(quota, buckets.clone(), reading);
        buckets.0.shared.now.set(now);
        Self {
            rule,
            limiter,
            buckets,
        }
    }

    fn ask(&self, ask: &Ask) -> Verdict {
        match self.limiter.check_key(&ask.key) {
            Ok(snapshot) => Verdict::Admitted {
                remaining: snapshot.remaining_burst_capacity(),
            },
            Err(refusal) => {
                let now = Nanos::new(self.buckets.0.shared.now.get());
                let wait = refusal.wait_time_from(now).as_micros();
                Verdict::Refused {
                    retry_after_us: i64::try_from(wait).unwrap_or(i64::MAX),
                }
            }
        }
    }
}

/// The shard's time, as governor asks for it.
#[derive(Clone)]
struct Reading(Rc<Shared>);

impl governor::clock::Clock for Reading {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now.get())
    }
}

/// One rule's counters: when each key's bucket will be empty, in nanoseconds since the Unix epoch.
#[derive(Clone)]
struct Buckets(Rc<BucketsInner>);

struct BucketsInner {
    tats: RefCell<HashMap<Box<str>, u64>>,
    /// What a full bucket holds, in nanoseconds.
    holds: Cell<u64>,
    shared: Rc<Shared>,
}

impl StateStore for Buckets {
    type Key = Box<str>;

    fn measure_and_replace<T, F, E>(&self, key: &Box<str>, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // As in `gcra::decide`: a counter beyond what the bucket holds counts as full.
        let full_at = self.0.shared.now.get() + self.0.holds.get();
        let (outcome, tat) = decide(self.get(key).map(|tat| Nanos::new(tat.min(full_at))))?;
        self.put(key, Some(tat.as_u64()));
        Ok(outcome)
    }
}

impl Buckets {
    fn new(shared: Rc<Shared>) -> Self {
        Self(Rc::new(BucketsInner {
            tats: RefCell::default(),
            holds: Cell::default(),
            shared,
        }))
    }

    fn get(&self, key: &str) -> Option<u64> {
        self.0.tats.borrow().get(key).copied()
    }

    fn put(&self, key: &str, tat: Option<u64>) {
        self.change(|tats| {
            match (tat, tats.get_mut(key)) {
                (Some(tat), Some(held)) => *held = tat,
                (Some(tat), None) => drop(tats.insert(key.into(), tat)),
                (None, _) => drop(tats.remove(key)),
            };
        });
    }

    fn retain_later_than(&self, now: u64) {
        self.change(|tats| {
            tats.retain(|_, tat| *tat > now);
            if tats.len() < tats.capacity() / 4 {
                tats.shrink_to_fit();
            }
        });
    }

    /// Keeps what was spent the same number of requests when their cost changes.
    fn reckon_in(&self, from_us: i64, to_us: i64) {
        let now_us = self.0.shared.now.get() as i64 / 1000;
        for tat in self.0.tats.borrow_mut().values_mut() {
            let bucket = Bucket {
                tat: *tat as i64 / 1000,
                emission_us: from_us,
            };
            *tat = bucket.tat_at(now_us, to_us) as u64 * 1000;
        }
    }

    fn clear(&self) {
        self.change(|tats| *tats = HashMap::new());
    }

    fn is_empty(&self) -> bool {
        self.0.tats.borrow().is_empty()
    }

    /// Changes the map and keeps the shard's count of keys true.
    fn change(&self, change: impl FnOnce(&mut HashMap<Box<str>, u64>)) {
        let mut tats = self.0.tats.borrow_mut();
        let before = tats.len();
        change(&mut tats);
        let keys = &self.0.shared.keys;
        keys.set((keys.get() + tats.len()).saturating_sub(before));
    }
}

#[cfg(test)]
mod tests {
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
            by: By::Ip,
            quota,
            per: Duration::from_secs(per),
            burst: quota,
            scope: Scope::Instance,
            mode: Mode::Enforce,
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
            by: By::User,
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
