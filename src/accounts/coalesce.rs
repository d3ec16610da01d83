//! Lookups that travel together: those that arrive while a query is in flight wait for it and go in the next, all in
//! one.
//!
//! There is no timer, so a lone lookup waits for nothing; and no cache, so nobody gets an answer that was read before
//! he asked. `docs/performance.md` has what it saves.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    mem,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::unavailable::{Part, Unavailable};

/// How much may be under way.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Queries in flight at most: each lane has one. A thread keeps to one lane.
    pub lanes: usize,
    /// Different keys in one query at most.
    pub batch: usize,
    /// Lookups that may wait in one lane.
    pub queue: usize,
}

type Answer<V> = Result<Option<V>, Arc<Unavailable>>;
type Query<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<(K, V)>, Unavailable>> + Send + Sync;

/// Turns many lookups at once into few queries.
pub struct Coalescer<K, V> {
    shared: Arc<Shared<K, V>>,
}

struct Shared<K, V> {
    name: &'static str,
    part: Part,
    bounds: Bounds,
    lanes: Vec<Mutex<Lane<K, V>>>,
    query: Box<Query<K, V>>,
}

struct Lane<K, V> {
    waiting: Vec<(K, oneshot::Sender<Answer<V>>)>,
    /// A task is under way that will take what waits.
    running: bool,
}

impl<K, V> Coalescer<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// `query` answers a batch of different keys with a row for each that it finds, in any order, and bounds its own
    /// time. `name` labels metrics; `part` is what is unavailable when the queue is full.
    pub fn new<F, Q>(name: &'static str, part: Part, bounds: Bounds, query: Q) -> Self
    where
        F: Future<Output = Result<Vec<(K, V)>, Unavailable>> + Send + 'static,
        Q: Fn(Vec<K>) -> F + Send + Sync + 'static,
    {
        let lanes = (0..bounds.lanes.max(1))
            .map(|_| Mutex::new(Lane::idle()))
            .collect();
        Self {
            shared: Arc::new(Shared {
                name,
                part,
                bounds,
                lanes,
                query: Box::new(move |keys| query(keys).boxed()),
            }),
        }
    }

    /// Looks one key up, with whoever else asks now. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Unavailable`] at once when the queue is full, and when the query of this batch failed.
    pub async fn get(&self, key: K) -> Result<Option<V>, Unavailable> {
        let part = self.shared.part;
        match self.shared.enqueue(key)?.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(cause)) => Err(Unavailable::new(part, SharedCause(cause))),
            Err(_) => Err(Unavailable::new(part, "its runtime ended")),
        }
    }
}

impl<K, V> fmt::Debug for Coalescer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coalescer({}, {:?})", self.shared.name, self.shared.bounds)
    }
}

/// One failure, told to everyone in the batch.
#[derive(Debug, Error)]
#[error("{cause}", cause = .0.cause)]
struct SharedCause(Arc<Unavailable>);

impl<K, V> Lane<K, V> {
    fn idle() -> Self {
        Self {
            waiting: Vec::new(),
            running: false,
        }
    }
}

impl<K, V> Shared<K, V> {
    fn lane(&self, index: usize) -> MutexGuard<'_, Lane<K, V>> {
        self.lanes[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Shared<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    fn enqueue(self: &Arc<Self>, key: K) -> Result<oneshot::Receiver<Answer<V>>, Unavailable> {
        let index = lane_of_this_thread() % self.lanes.len();
        let (there, here) = oneshot::channel();
        let mut lane = self.lane(index);
        if lane.waiting.len() >= self.bounds.queue {
            lane.waiting.retain(|(_, caller)| !caller.is_closed());
            if lane.waiting.len() >= self.bounds.queue {
                metrics::counter!("ringback_coalesced_refused_total", "lookup" => self.name).increment(1);
                return Err(Unavailable::full(self.part));
            }
        }
        lane.waiting.push((key, there));
        if !mem::replace(&mut lane.running, true) {
            drop(lane);
            // A task of its own, not the caller's: the caller may go away, the others' query goes on.
            let running = Running {
                shared: Arc::clone(self),
                index,
                disarmed: false,
            };
            tokio::spawn(running.drain());
        }
        Ok(here)
    }

    async fn run(&self, batch: Batch<K, V>) {
        metrics::counter!("ringback_coalesced_queries_total", "lookup" => self.name).increment(1);
        metrics::counter!("ringback_coalesced_lookups_total", "lookup" => self.name).increment(batch.lookups);
        let keys = batch.callers.keys().cloned().collect();
        let answered = AssertUnwindSafe(async { (self.query)(keys).await })
            .catch_unwind()
            .await;
        match answered.unwrap_or_else(|_| Err(Unavailable::new(self.part, "the query panicked"))) {
            Ok(rows) => batch.answer(rows),
            Err(failure) => batch.fail(&Arc::new(failure)),
        }
    }
}

/// The task that takes a lane's lookups until none wait. Dropped before its end (its runtime shuts down), it gives the
/// lane free, and its callers hear that there will be no answer.
struct Running<K, V> {
    shared: Arc<Shared<K, V>>,
    index: usize,
    disarmed: bool,
}

impl<K, V> Running<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    async fn drain(mut self) {
        while let Some(batch) = self.take() {
            self.shared.run(batch).await;
        }
    }

    /// The next batch; with none, the lane is idle from this very moment.
    fn take(&mut self) -> Option<Batch<K, V>> {
        let mut lane = self.shared.lane(self.index);
        let batch = Batch::take(&mut lane.waiting, self.shared.bounds.batch.max(1));
        if batch.callers.is_empty() {
            lane.running = false;
            drop(lane);
            self.disarmed = true;
            return None;
        }
        Some(batch)
    }
}

impl<K, V> Drop for Running<K, V> {
    fn drop(&mut self) {
        if !self.disarmed {
            *self.shared.lane(self.index) = Lane::idle();
        }
    }
}

/// Callers by the key that they ask for.
struct Batch<K, V> {
    callers: HashMap<K, Vec<oneshot::Sender<Answer<V>>>>,
    lookups: u64,
}

impl<K: Eq + Hash, V: Clone> Batch<K, V> {
    /// Takes lookups for up to `limit` different keys, the oldest first; those whose caller left are dropped.
    fn take(waiting: &mut Vec<(K, oneshot::Sender<Answer<V>>)>, limit: usize) -> Self {
        let mut batch = Self {
            callers: HashMap::with_capacity(waiting.len().min(limit)),
            lookups: 0,
        };
        let mut rest = Vec::new();
        for (key, caller) in waiting.drain(..) {
            if caller.is_closed() {
                continue;
            }
            if batch.callers.len() < limit || batch.callers.contains_key(&key) {
                batch.callers.entry(key).or_default().push(caller);
                batch.lookups += 1;
            } else {
                rest.push((key, caller));
            }
        }
        *waiting = rest;
        batch
    }

    fn answer(mut self, rows: Vec<(K, V)>) {
        for (key, value) in rows {
            let mut callers = self.callers.remove(&key).unwrap_or_default();
            let last = callers.pop();
            for caller in callers {
                let _ = caller.send(Ok(Some(value.clone())));
            }
            if let Some(caller) = last {
                let _ = caller.send(Ok(Some(value)));
            }
        }
        for caller in self.callers.into_values().flatten() {
            let _ = caller.send(Ok(None));
        }
    }

    fn fail(self, failure: &Arc<Unavailable>) {
        for caller in self.callers.into_values().flatten() {
            let _ = caller.send(Err(Arc::clone(failure)));
        }
    }
}

/// Threads that serve requests each keep to a lane, so that a batch is made, run and answered on one thread.
fn lane_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed); }
    LANE.with(|lane| *lane)
}

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
