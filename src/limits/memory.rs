//! The cluster's counters when the cluster is this one process: the embedded default.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    gcra::{self, Bucket, Decision, GROWN_FOR_US, Growth, QuotaStatus, REFUND_PAUSE_US, Typed, WorkRoom},
    pauses::{MAX_PAUSES, Pause, Paused},
    store::{ClusterCounters, Counter, CounterName, Marker, Refund, Verdict, refuses},
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
    buckets: HashMap<CounterName, Bucket>,
    /// What counters have earned; few have.
    growths: HashMap<CounterName, Growth>,
    /// When something was given back for an address.
    refunded_us: HashMap<String, i64>,
    /// What was used that is good once, and until when that is remembered.
    used_us: HashMap<String, i64>,
    /// In milliseconds.
    pauses_ms: HashMap<Paused, i64>,
    /// When drained keys were dropped last.
    swept_us: i64,
}

impl State {
    /// The burst of a counter, with what it has earned.
    fn burst(&self, counter: &Counter, now_us: i64) -> u32 {
        let growth = match counter.grows_by {
            0 => None,
            _ => self.growths.get(&counter.name),
        };
        let by = growth.map_or(0, |growth| growth.at(now_us, counter.grows_by));
        counter.burst.saturating_add(by)
    }

    fn sweep(&mut self, now_us: i64) {
        self.buckets.retain(|_, bucket| bucket.tat > now_us);
        self.growths.retain(|_, growth| growth.until_us > now_us);
        self.refunded_us.retain(|_, at| *at + GROWN_FOR_US > now_us);
        self.used_us.retain(|_, until| *until > now_us);
        self.swept_us = now_us;
    }

    fn len(&self) -> usize {
        self.buckets.len() + self.growths.len() + self.refunded_us.len() + self.used_us.len()
    }

    /// Writes a counter from which something was given back; one with nothing in it is removed.
    fn lower(&mut self, counter: &Counter, now_us: i64, bucket: Bucket) {
        match bucket.tat > now_us {
            true => _ = self.buckets.insert(counter.name.clone(), bucket),
            false => _ = self.buckets.remove(&counter.name),
        }
    }

    /// What `gcra_refund_all` does. Where there is no room to remember it, nothing is given back.
    fn refund(&mut self, refund: &Refund, has_worked: bool, now_us: i64, max_keys: usize) {
        let last = self.refunded_us.get(&refund.marker.key);
        let is_first = last.is_none_or(|&at| at + REFUND_PAUSE_US <= now_us);
        let is_new = refund.earns && last.is_none_or(|&at| at + GROWN_FOR_US <= now_us);
        if refund.counters.is_empty() || !is_first || self.len() >= max_keys {
            return;
        }
        self.refunded_us.insert(refund.marker.key.clone(), now_us);
        for counter in &refund.counters {
            let bucket = self.buckets.get(&counter.name).copied();
            let growth = self.growths.get(&counter.name).copied().unwrap_or_default();
            let (bucket, growth) = gcra::refund(
                bucket,
                growth,
                now_us,
                counter.emission_us,
                counter.burst,
                counter.grows_by,
                Typed {
                    earns: refund.earns,
                    is_new,
                    has_worked: has_worked && counter.worked_by > 0,
                },
            );
            self.lower(counter, now_us, bucket);
            if growth.at(now_us, counter.grows_by) > 0 {
                self.growths.insert(counter.name.clone(), growth);
            }
        }
    }
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
    pub fn check_now(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let mut state = self.lock();
        let is_full = |state: &State| {
            let new = counters
                .iter()
                .filter(|c| !state.buckets.contains_key(&c.name))
                .count();
            state.len() + new > self.max_keys
        };
        let pause = if is_full(&state) {
            SWEEP_PAUSE_US
        } else {
            IDLE_PAUSE_US
        };
        if now_us - state.swept_us >= pause {
            state.sweep(now_us);
        }
        if is_full(&state) {
            return Err(Unavailable::full(Part::RateLimiter));
        }
        let decide = |c: &Counter| {
            let (bucket, burst) = (state.buckets.get(&c.name).copied(), state.burst(c, now_us));
            let work = WorkRoom {
                by: c.worked_by,
                is_given: c.has_worked,
            };
            gcra::decide_units(bucket, now_us, c.emission_us, burst, work, c.units)
        };
        let decisions: Vec<_> = counters.iter().map(decide).collect();
        let verdicts: Vec<_> = decisions.iter().map(verdict).collect();
        if !refuses(counters, &verdicts) {
            for (counter, decision) in counters.iter().zip(&decisions) {
                if let Decision::Allow { new_tat, .. } = *decision
                    && (message || !counter.by_message)
                {
                    let before = state.buckets.get(&counter.name);
                    let bucket = Bucket {
                        raised: before.map_or(0, |bucket| bucket.raised_at(now_us)),
                        ..Bucket::new(new_tat, counter.emission_us)
                    };
                    state.buckets.insert(counter.name.clone(), bucket);
                }
            }
        }
        Ok(verdicts)
    }

    /// [`ClusterCounters::refund`] likewise.
    pub fn refund_now(&self, refund: &Refund, has_worked: bool) {
        let now_us = self.clock.now().timestamp_micros();
        self.lock().refund(refund, has_worked, now_us, self.max_keys);
    }

    /// How many counters are held, and things that are remembered of them.
    pub fn len(&self) -> usize {
        self.lock().len()
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

    async fn check(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        self.check_now(counters, message)
    }

    async fn refund(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable> {
        self.refund_now(refund, has_worked);
        Ok(())
    }

    async fn use_once(&self, marker: &Marker, remembered: Duration) -> Result<bool, Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let mut state = self.lock();
        if state
            .used_us
            .get(&marker.key)
            .is_some_and(|&until| until > now_us)
        {
            return Ok(false);
        }
        if state.len() >= self.max_keys {
            state.sweep(now_us);
        }
        if state.len() >= self.max_keys {
            return Err(Unavailable::full(Part::RateLimiter));
        }
        let remembered = i64::try_from(remembered.as_micros()).unwrap_or(i64::MAX);
        let until = now_us.saturating_add(remembered);
        state.used_us.insert(marker.key.clone(), until);
        Ok(true)
    }

    async fn pause(&self, pause: &Pause, enough_ms: i64, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        let mut state = self.lock();
        state.pauses_ms.retain(|_, until_ms| *until_ms > now_ms);
        let before_ms = state.pauses_ms.get(&pause.what).copied();
        if before_ms.is_none() && state.pauses_ms.len() >= MAX_PAUSES {
            return Err(Unavailable::full(Part::RateLimiter));
        }
        if before_ms.is_none_or(|before_ms| before_ms < enough_ms) {
            state.pauses_ms.insert(pause.what.clone(), pause.until_ms);
        }
        Ok(before_ms)
    }

    async fn resume(&self, what: &Paused, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        let before_ms = self.lock().pauses_ms.remove(what);
        Ok(before_ms.filter(|&before_ms| before_ms > now_ms))
    }

    async fn pauses(&self) -> Result<Vec<Pause>, Unavailable> {
        let pause = |(what, &until_ms): (&Paused, &i64)| Pause {
            what: what.clone(),
            until_ms,
        };
        Ok(self.lock().pauses_ms.iter().map(pause).collect())
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let mut state = self.lock();
        for counter in counters {
            if let Some(&bucket) = state.buckets.get(&counter.name) {
                let units = i64::from(counter.units);
                let lower = Bucket {
                    tat: bucket.tat_at(now_us, counter.emission_us) - counter.emission_us * units,
                    emission_us: counter.emission_us,
                    ..bucket
                };
                state.lower(counter, now_us, lower);
            }
        }
        Ok(())
    }

    async fn look(&self, counters: &[Counter]) -> Result<Vec<QuotaStatus>, Unavailable> {
        let now_us = self.clock.now().timestamp_micros();
        let state = self.lock();
        let standing = |c: &Counter| {
            let bucket = state.buckets.get(&c.name).copied();
            let burst = state.burst(c, now_us);
            gcra::look_units(bucket, now_us, c.emission_us, burst, c.worked_by, c.units)
        };
        Ok(counters.iter().map(standing).collect())
    }

    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable> {
        let mut state = self.lock();
        state.buckets.remove(&counter.name);
        state.growths.remove(&counter.name);
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
            name: CounterName::new("r", key),
            emission_us: 60_000_000,
            burst: 1,
            units: 1,
            by_message: false,
            grows_by: 0,
            worked_by: 0,
            has_worked: false,
            enforce: true,
        }
    }

    #[test]
    fn new_keys_cannot_grow_it_past_its_bound_and_drained_ones_make_room() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        let counters = MemoryCounters::new(Arc::new(clock.clone()), 100);
        for n in 0..100 {
            assert!(counters.check_now(&[counter(&n.to_string())], false).is_ok());
        }
        for n in 100..200 {
            assert!(counters.check_now(&[counter(&n.to_string())], false).is_err());
        }
        let known = counters.check_now(&[counter("7")], false).unwrap();
        assert!(known[0].is_refused(), "a key that is held is judged still");
        assert_eq!(counters.len(), 100);
        clock.advance(Duration::seconds(61));
        assert!(counters.check_now(&[counter("200")], false).is_ok());
        assert_eq!(counters.len(), 1);
    }
}
