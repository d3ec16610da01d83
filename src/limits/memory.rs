//! The cluster's counters when the cluster is this one process: the embedded default.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    gcra::{self, Bucket, Decision, QuotaStatus},
    store::{ClusterCounters, Counter, Verdict, refuses},
};
use crate::{
    clock::Clock,
    unavailable::{Part, Unavailable},
};

/// When it is full it looks for keys to drop at most this often, so that a flood of new keys can't make it scan at
/// each request.
const SWEEP_PAUSE_US: i64 = 1_000_000;
/// When it isn't full, drained keys are dropped this often.
const IDLE_PAUSE_US: i64 = 60_000_000;

/// [`ClusterCounters`] in this process, by the clock that is passed in.
pub struct MemoryCounters {
    clock: Arc<dyn Clock>,
    max_keys: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: HashMap<String, Bucket>,
    /// When drained keys were dropped last.
    swept_us: i64,
}

impl MemoryCounters {
    /// Holds `max_keys` counters at most; further ones are `Unavailable` until some have drained.
    pub fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self {
            clock,
            max_keys,
            state: Mutex::default(),
        }
    }

    /// [`ClusterCounters::check`] without waiting: for an in-process store that counts attached in one step with its own
    /// state, while it holds its own lock.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no room for a new counter.
    pub fn check_now(&self, counters: &[Counter]) -> Result<Vec<Verdict>, Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let mut state = self.lock();
        let is_full = |state: &State| {
            let new = counters
                .iter()
                .filter(|c| !state.buckets.contains_key(&c.key))
                .count();
            state.buckets.len() + new > self.max_keys
        };
        let pause = if is_full(&state) {
            SWEEP_PAUSE_US
        } else {
            IDLE_PAUSE_US
        };
        if now_us - state.swept_us >= pause {
            state.buckets.retain(|_, bucket| bucket.tat > now_us);
            state.swept_us = now_us;
        }
        if is_full(&state) {
            return Err(Unavailable::full(Part::RateLimiter));
        }
        let decisions: Vec<_> = counters
            .iter()
            .map(|c| gcra::decide(state.buckets.get(&c.key).copied(), now_us, c.emission_us, c.burst))
            .collect();
        let verdicts: Vec<_> = decisions.iter().map(verdict).collect();
        if !refuses(counters, &verdicts) {
            for (counter, decision) in counters.iter().zip(&decisions) {
                if let Decision::Allow { new_tat, .. } = *decision {
                    state.buckets.insert(
                        counter.key.clone(),
                        Bucket {
                            tat: new_tat,
                            emission_us: counter.emission_us,
                        },
                    );
                }
            }
        }
        Ok(verdicts)
    }

    /// How many counters are held.
    pub fn len(&self) -> usize {
        self.lock().buckets.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ClusterCounters for MemoryCounters {
    fn are_colocated(&self) -> bool {
        true
    }

    async fn check(&self, counters: &[Counter]) -> Result<Vec<Verdict>, Unavailable> {
        self.check_now(counters)
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let mut state = self.lock();
        for counter in counters {
            let Some(bucket) = state.buckets.get_mut(&counter.key) else {
                continue;
            };
            match gcra::give_back(*bucket, now_us, counter.emission_us) {
                Some(tat) => {
                    *bucket = Bucket {
                        tat,
                        emission_us: counter.emission_us,
                    }
                }
                None => drop(state.buckets.remove(&counter.key)),
            }
        }
        Ok(())
    }

    async fn look(&self, counters: &[Counter]) -> Result<Vec<QuotaStatus>, Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let state = self.lock();
        let standing = |c: &Counter| {
            let bucket = state.buckets.get(&c.key).copied();
            gcra::look(bucket, now_us, c.emission_us, c.burst)
        };
        Ok(counters.iter().map(standing).collect())
    }

    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable> {
        self.lock().buckets.remove(&counter.key);
        Ok(())
    }
}

fn verdict(decision: &Decision) -> Verdict {
    match *decision {
        Decision::Allow { remaining, .. } => Verdict::Admitted { remaining },
        Decision::Refuse { retry_after_us } => Verdict::Refused { retry_after_us },
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;
    use crate::clock::ManualClock;

    fn counter(key: &str) -> Counter {
        Counter {
            partition: 0,
            key: key.to_owned(),
            emission_us: 60_000_000,
            burst: 1,
            enforce: true,
        }
    }

    #[test]
    fn new_keys_cannot_grow_it_past_its_bound_and_drained_ones_make_room() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        let counters = MemoryCounters::new(Arc::new(clock.clone()), 100);
        for n in 0..100 {
            assert!(counters.check_now(&[counter(&n.to_string())]).is_ok());
        }
        for n in 100..200 {
            assert!(counters.check_now(&[counter(&n.to_string())]).is_err());
        }
        let known = counters.check_now(&[counter("7")]).unwrap();
        assert!(known[0].is_refused(), "a key that is held is judged still");
        assert_eq!(counters.len(), 100);
        clock.advance(Duration::seconds(61));
        assert!(counters.check_now(&[counter("200")]).is_ok());
        assert_eq!(counters.len(), 1);
    }
}
