//! All counters of the instance rules, spread over shards by key, each behind a lock of its own.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{
    Rule, RuleSet, Verdict,
    buckets::Keys,
    gcra::Standing,
    shard::{Full, Shard},
};
use crate::clock::Clock;

/// Far more than threads that count, so that they seldom meet, and so many that one is swept within a millisecond.
const SHARDS: usize = 64;
/// When all room is taken, keys to drop are looked for at most this often, so that a flood of new keys can't make it scan
/// at each request.
const SWEEP_PAUSE_US: i64 = 1_000_000;

/// The shards. A lock is held for one decision and never across an `await`.
pub(super) struct Shards {
    shards: Vec<Mutex<Shard>>,
    keys: Arc<Keys>,
    hasher: RandomState,
    /// When keys may be looked for again if all room is taken, in microseconds.
    next_search_us: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Shards {
    /// Holds `max_keys` keys at most.
    pub fn new(max_keys: usize, clock: Arc<dyn Clock>) -> Self {
        let keys = Arc::new(Keys::at_most(max_keys));
        let shard = |_| Mutex::new(Shard::new(Arc::clone(&keys)));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            keys,
            hasher: RandomState::new(),
            next_search_us: AtomicI64::new(i64::MIN),
            clock,
        }
    }

    /// The time that [`Shards::check`] takes, once for all that is decided together.
    pub fn now_us(&self) -> i64 {
        self.clock.now().timestamp_micros().max(0)
    }

    /// Asks a counter of a rule for one request.
    ///
    /// # Errors
    /// [`Full`] when the key is new and finds no room; nothing is counted then.
    pub fn check(&self, rule: &Arc<Rule>, key: &str, now_us: i64) -> Result<Verdict, Full> {
        if self.keys.is_full() {
            self.make_room(now_us);
        }
        self.shard_of(rule, key).check(rule, key, now_us)
    }

    /// Gives one request back.
    pub fn give_back(&self, rule: &Rule, key: &str) {
        let now_us = self.now_us();
        self.shard_of(rule, key).give_back(&rule.id, key, now_us);
    }

    /// How a counter stands; nothing is spent.
    pub fn look(&self, rule: &Rule, key: &str) -> Standing {
        let now_us = self.now_us();
        self.shard_of(rule, key).look(rule, key, now_us)
    }

    /// Gives a key its whole quota back.
    pub fn reset(&self, rule: &Rule, key: &str) {
        self.shard_of(rule, key).reset(&rule.id, key);
    }

    /// Forgets the counters of rules that are gone or count by something else now; keeps the others.
    pub fn keep(&self, rules: &RuleSet) {
        (0..SHARDS).for_each(|at| self.lock(at).keep(rules));
    }

    /// Drops the keys of one shard whose buckets are empty; `turn` counts up from anywhere.
    pub fn sweep(&self, turn: usize) {
        let now_us = self.now_us();
        self.lock(turn % SHARDS).sweep(now_us);
    }

    /// How many shards there are to sweep.
    pub fn count(&self) -> usize {
        self.shards.len()
    }

    /// Keys held.
    pub fn keys(&self) -> usize {
        self.keys.held()
    }

    /// Drops the keys whose buckets are empty, unless somebody did just now.
    fn make_room(&self, now_us: i64) {
        let due = self.next_search_us.load(Ordering::Relaxed);
        let next = now_us + SWEEP_PAUSE_US;
        let is_mine = || {
            self.next_search_us
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if now_us >= due && is_mine() {
            (0..SHARDS).for_each(|at| self.lock(at).sweep(now_us));
        }
    }

    fn shard_of(&self, rule: &Rule, key: &str) -> MutexGuard<'_, Shard> {
        self.lock((self.hasher.hash_one((&rule.id, key)) % SHARDS as u64) as usize)
    }

    /// A panic in a decision costs that request, and the counters stay: one that gave everyone a fresh quota would be
    /// worth provoking.
    fn lock(&self, at: usize) -> MutexGuard<'_, Shard> {
        self.shards[at].lock().unwrap_or_else(|poisoned| {
            self.shards[at].clear_poison();
            metrics::counter!("ringback_limiter_panics_total").increment(1);
            tracing::error!("a decision about a rate limit failed; the counters stay");
            poisoned.into_inner()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        time::Duration,
    };

    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::{
        clock::ManualClock,
        limits::{By, Mode, Scope},
    };

    fn rule(id: &str) -> Arc<Rule> {
        Arc::new(Rule {
            id: id.into(),
            on: None,
            by: By::Ip.into(),
            quota: 3,
            per: Duration::from_secs(60),
            burst: 3,
            scope: Scope::Instance,
            mode: Mode::Enforce,
            if_store_lost: None,
        })
    }

    fn shards(max_keys: usize) -> (Shards, ManualClock) {
        let clock = ManualClock::new(DateTime::from_timestamp_nanos(1_800_000_000_000_000_000));
        (Shards::new(max_keys, Arc::new(clock.clone())), clock)
    }

    #[test]
    fn all_shards_together_hold_no_more_than_the_bound_and_are_swept_in_turn() {
        let ((shards, clock), rule) = (shards(1000), rule("r"));
        let now_us = shards.now_us();
        let counted = (0..3000).filter(|n| shards.check(&rule, &n.to_string(), now_us).is_ok());
        assert_eq!((counted.count(), shards.keys()), (1000, 1000));
        clock.advance(TimeDelta::minutes(1));
        (0..shards.count()).for_each(|turn| shards.sweep(turn));
        assert_eq!(shards.keys(), 0);
    }

    #[test]
    fn a_rule_that_goes_takes_its_counters_from_every_shard() {
        let (shards, _) = shards(1000);
        let now_us = shards.now_us();
        for n in 0..200 {
            for rule in [rule("stays"), rule("goes")] {
                assert!(shards.check(&rule, &n.to_string(), now_us).is_ok());
            }
        }
        shards.keep(&RuleSet::new(vec![Rule::clone(&rule("stays"))]));
        assert_eq!(shards.keys(), 200);
    }

    #[test]
    fn a_panic_under_a_lock_costs_no_counter() {
        let ((shards, _), rule) = (shards(10), rule("r"));
        let admitted = || {
            let passes = |_: &i32| !shards.check(&rule, "k", shards.now_us()).unwrap().is_refused();
            (0..2).filter(passes).count()
        };
        assert_eq!(admitted(), 2);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _all: Vec<_> = (0..SHARDS).map(|at| shards.lock(at)).collect();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(admitted(), 1);
    }
}
