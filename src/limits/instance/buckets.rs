//! One rule's counters in this process: `governor` decides, this room keeps its state.
//!
//! `governor`'s own stores can neither be bounded nor give back what a refused request has spent, so the state lies in
//! a map of ours, and governor is lent one counter at a time.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use crate::limits::{
    gcra::{self, Bucket},
    rule::Rule,
    store::Verdict,
};

/// How many keys are held over all shards, and may be.
#[derive(Debug)]
pub struct Keys {
    held: AtomicUsize,
    most: usize,
}

impl Keys {
    pub fn at_most(most: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            most,
        }
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub fn is_full(&self) -> bool {
        self.held() >= self.most
    }

    /// Takes room for one more.
    fn take(&self) -> bool {
        if self.held.fetch_add(1, Ordering::Relaxed) < self.most {
            return true;
        }
        self.give(1);
        false
    }

    fn give(&self, keys: usize) {
        self.held.fetch_sub(keys, Ordering::Relaxed);
    }
}

/// A rule's counters with its numbers.
pub struct RuleCounters {
    pub rule: Arc<Rule>,
    limiter: RateLimiter<NotKeyed, Lent, Lent, StateInformationMiddleware>,
    lent: Lent,
    /// When each key's bucket will be empty, in nanoseconds since the Unix epoch.
    tats: HashMap<Box<str>, u64>,
    /// What a full bucket holds, in nanoseconds.
    holds: u64,
    keys: Arc<Keys>,
}

impl RuleCounters {
    pub fn new(rule: Arc<Rule>, keys: Arc<Keys>) -> Self {
        let (quota, holds) = numbers(&rule);
        let lent = Lent::default();
        Self {
            rule,
            // governor counts from the time at which it is made: that is the epoch, so that counters outlive it.
            limiter: RateLimiter::new(quota, lent.clone(), lent.clone()),
            lent,
            tats: HashMap::new(),
            holds,
            keys,
        }
    }

    /// The same counters by the numbers of another rule: what was spent stays the same number of requests.
    pub fn rescale(&mut self, rule: Arc<Rule>, now_us: i64) {
        let (from_us, to_us) = (self.rule.emission_us(), rule.emission_us());
        for tat in self.tats.values_mut() {
            let bucket = Bucket::new(*tat as i64 / 1000, from_us);
            *tat = bucket.tat_at(now_us, to_us) as u64 * 1000;
        }
        let (quota, holds) = numbers(&rule);
        self.lent = Lent::default();
        self.limiter = RateLimiter::new(quota, self.lent.clone(), self.lent.clone());
        (self.rule, self.holds) = (rule, holds);
    }

    /// Asks a key's counter for one request; `None` if it is new and there is no room for it.
    pub fn ask(&mut self, key: &str, now_us: i64) -> Option<Verdict> {
        let now = now_us as u64 * 1000;
        self.lent.now.store(now, Ordering::Relaxed);
        let held = self.tats.get_mut(key);
        // As in `gcra::decide`: a counter beyond what the bucket holds counts as full.
        let tat = held.as_ref().map_or(0, |tat| (**tat).min(now + self.holds));
        self.lent.tat.store(tat, Ordering::Relaxed);
        let verdict = match self.limiter.check() {
            Ok(snapshot) => Verdict::Admitted {
                remaining: snapshot.remaining_burst_capacity(),
            },
            Err(refusal) => {
                let wait = refusal.wait_time_from(Nanos::new(now)).as_micros();
                return Some(Verdict::Refused {
                    retry_after_us: i64::try_from(wait).unwrap_or(i64::MAX),
                });
            }
        };
        let tat = self.lent.tat.load(Ordering::Relaxed);
        match held {
            Some(held) => *held = tat,
            None if self.keys.take() => drop(self.tats.insert(key.into(), tat)),
            None => return None,
        }
        Some(verdict)
    }

    /// The counter of a key.
    pub fn bucket(&self, key: &str) -> Option<Bucket> {
        let tat = self.tats.get(key)?;
        Some(Bucket::new(*tat as i64 / 1000, self.rule.emission_us()))
    }

    /// Gives one request of a key back.
    pub fn give_back(&mut self, key: &str, now_us: i64) {
        let Some(bucket) = self.bucket(key) else {
            return;
        };
        match (
            gcra::give_back(bucket, now_us, bucket.emission_us),
            self.tats.get_mut(key),
        ) {
            (Some(earlier), Some(tat)) => *tat = earlier as u64 * 1000,
            _ => self.forget(key),
        }
    }

    /// Forgets a key: its bucket is as good as new.
    pub fn forget(&mut self, key: &str) {
        if self.tats.remove(key).is_some() {
            self.keys.give(1);
        }
    }

    /// Forgets the keys whose buckets are empty; tells whether any is left.
    pub fn sweep(&mut self, now_us: i64) -> bool {
        let before = self.tats.len();
        self.tats.retain(|_, tat| *tat > now_us as u64 * 1000);
        self.keys.give(before - self.tats.len());
        if self.tats.len() < self.tats.capacity() / 4 {
            self.tats.shrink_to_fit();
        }
        !self.tats.is_empty()
    }
}

impl Drop for RuleCounters {
    fn drop(&mut self) {
        self.keys.give(self.tats.len());
    }
}

/// A rule's numbers as governor has them, and what a full bucket holds, in nanoseconds.
fn numbers(rule: &Rule) -> (Quota, u64) {
    let cost = Duration::from_micros(rule.emission_us().unsigned_abs().max(1));
    let burst = NonZeroU32::new(rule.burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(cost)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst);
    (quota, cost.as_nanos() as u64 * u64::from(burst.get()))
}

/// The one counter that governor decides about, and the time at which it does; 0 is an empty bucket's.
#[derive(Clone, Default)]
struct Lent(Arc<LentInner>);

#[derive(Default)]
struct LentInner {
    now: AtomicU64,
    tat: AtomicU64,
}

impl std::ops::Deref for Lent {
    type Target = LentInner;

    fn deref(&self) -> &LentInner {
        &self.0
    }
}

impl governor::clock::Clock for Lent {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.now.load(Ordering::Relaxed))
    }
}

impl StateStore for Lent {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let held = Some(self.tat.load(Ordering::Relaxed)).filter(|tat| *tat > 0);
        let (outcome, tat) = decide(held.map(Nanos::new))?;
        self.tat.store(tat.as_u64(), Ordering::Relaxed);
        Ok(outcome)
    }
}
