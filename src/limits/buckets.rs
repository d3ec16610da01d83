//! One rule's counters in this process: `governor` decides, this room keeps its state.
//!
//! `governor`'s own stores can neither be bounded nor give back what a refused request has spent, so the state lies in
//! a map of ours.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    num::NonZeroU32,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use governor::{Quota, RateLimiter, middleware::StateInformationMiddleware, nanos::Nanos, state::StateStore};

use super::{Rule, Verdict, gcra::Bucket, shard::Ask};

/// What all rules of a shard share.
#[derive(Default)]
pub(super) struct Shared {
    /// The time of the request that is decided, in nanoseconds since the Unix epoch.
    pub now: Cell<u64>,
    /// Keys held, over all rules.
    pub keys: Cell<usize>,
}

/// A rule's counters with its numbers.
pub(super) struct Counted {
    pub rule: Arc<Rule>,
    limiter: RateLimiter<Box<str>, Buckets, Reading, StateInformationMiddleware>,
    pub buckets: Buckets,
}

impl Counted {
    pub fn new(rule: Arc<Rule>, buckets: Buckets) -> Self {
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

    pub fn ask(&self, ask: &Ask) -> Verdict {
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
pub(super) struct Buckets(Rc<BucketsInner>);

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
    pub fn new(shared: Rc<Shared>) -> Self {
        Self(Rc::new(BucketsInner {
            tats: RefCell::default(),
            holds: Cell::default(),
            shared,
        }))
    }

    pub fn get(&self, key: &str) -> Option<u64> {
        self.0.tats.borrow().get(key).copied()
    }

    pub fn put(&self, key: &str, tat: Option<u64>) {
        self.change(|tats| {
            match (tat, tats.get_mut(key)) {
                (Some(tat), Some(held)) => *held = tat,
                (Some(tat), None) => drop(tats.insert(key.into(), tat)),
                (None, _) => drop(tats.remove(key)),
            };
        });
    }

    pub fn retain_later_than(&self, now: u64) {
        self.change(|tats| {
            tats.retain(|_, tat| *tat > now);
            if tats.len() < tats.capacity() / 4 {
                tats.shrink_to_fit();
            }
        });
    }

    /// Keeps what was spent the same number of requests when their cost changes.
    pub fn reckon_in(&self, from_us: i64, to_us: i64) {
        let now_us = self.0.shared.now.get() as i64 / 1000;
        for tat in self.0.tats.borrow_mut().values_mut() {
            let bucket = Bucket {
                tat: *tat as i64 / 1000,
                emission_us: from_us,
            };
            *tat = bucket.tat_at(now_us, to_us) as u64 * 1000;
        }
    }

    pub fn clear(&self) {
        self.change(|tats| *tats = HashMap::new());
    }

    pub fn is_empty(&self) -> bool {
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
