//! Lookups that travel together: those that arrive while a query is in flight wait for it and go in the next, all in
//! one.
//!
//! There is no timer, so a lone lookup waits for nothing; and no cache, so no caller gets an answer that was read before
//! it asked. `docs/performance.md` has what it saves.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    lane::lane_of_this_thread,
    unavailable::{Part, Unavailable},
};

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
type Rows<K, V> = Result<Vec<(K, V)>, Unavailable>;
type Query<K, V, H> = dyn for<'a> Fn(Vec<K>, &'a mut H) -> BoxFuture<'a, Rows<K, V>> + Send + Sync;

/// Turns many lookups at once into few queries. `H` is what a lane holds from one query to the next, such as a
/// connection.
pub struct Coalescer<K, V, H = ()> {
    shared: Arc<Shared<K, V, H>>,
}

struct Shared<K, V, H> {
    name: &'static str,
    queries: metrics::Counter,
    lookups: metrics::Counter,
    part: Part,
    bounds: Bounds,
    lanes: Vec<Mutex<Lane<K, V, H>>>,
    query: Box<Query<K, V, H>>,
}

struct Lane<K, V, H> {
    waiting: Vec<(K, oneshot::Sender<Answer<V>>)>,
    /// While no task runs.
    held: H,
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
        F: Future<Output = Rows<K, V>> + Send + 'static,
        Q: Fn(Vec<K>) -> F + Send + Sync + 'static,
    {
        Self::holding(name, part, bounds, move |keys, _| query(keys).boxed())
    }
}

impl<K, V, H> Coalescer<K, V, H>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
    H: Default + Send + 'static,
{
    /// The same for a query that holds something: nothing at first, and nothing again after it failed.
    pub fn holding<Q>(name: &'static str, part: Part, bounds: Bounds, query: Q) -> Self
    where
        Q: for<'a> Fn(Vec<K>, &'a mut H) -> BoxFuture<'a, Rows<K, V>> + Send + Sync + 'static,
    {
        let lanes = (0..bounds.lanes.max(1))
            .map(|_| Mutex::new(Lane::idle()))
            .collect();
        Self {
            shared: Arc::new(Shared {
                name,
                queries: metrics::counter!("ringback_coalesced_queries_total", "lookup" => name),
                lookups: metrics::counter!("ringback_coalesced_lookups_total", "lookup" => name),
                part,
                bounds,
                lanes,
                query: Box::new(query),
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

impl<K, V, H> fmt::Debug for Coalescer<K, V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coalescer({}, {:?})", self.shared.name, self.shared.bounds)
    }
}

/// One failure, told to everyone in the batch.
#[derive(Debug, Error)]
#[error("{cause}", cause = .0.cause)]
struct SharedCause(Arc<Unavailable>);

impl<K, V, H: Default> Lane<K, V, H> {
    fn idle() -> Self {
        Self {
            waiting: Vec::new(),
            held: H::default(),
            running: false,
        }
    }
}

impl<K, V, H> Shared<K, V, H> {
    fn lane(&self, index: usize) -> MutexGuard<'_, Lane<K, V, H>> {
        self.lanes[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, H> Shared<K, V, H>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
    H: Default + Send + 'static,
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
            let held = mem::take(&mut lane.held);
            drop(lane);
            // A task of its own, not the caller's: the caller may go away, the others' query goes on.
            let running = Running {
                shared: Arc::clone(self),
                index,
                held,
                disarmed: false,
            };
            tokio::spawn(running.drain());
        }
        Ok(here)
    }

    async fn run(&self, batch: Batch<K, V>, held: &mut H) {
        self.queries.increment(1);
        self.lookups.increment(batch.lookups);
        let keys = batch.callers.keys().cloned().collect();
        let answered = AssertUnwindSafe(async { (self.query)(keys, held).await })
            .catch_unwind()
            .await;
        match answered.unwrap_or_else(|_| Err(Unavailable::new(self.part, "the query panicked"))) {
            Ok(rows) => batch.answer(rows),
            Err(failure) => {
                *held = H::default();
                batch.fail(&Arc::new(failure));
            }
        }
    }
}

/// The task that takes a lane's lookups until none wait. Dropped before its end (its runtime shuts down), it gives the
/// lane free, and its callers hear that there will be no answer.
struct Running<K, V, H: Default> {
    shared: Arc<Shared<K, V, H>>,
    index: usize,
    held: H,
    disarmed: bool,
}

impl<K, V, H> Running<K, V, H>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
    H: Default + Send + 'static,
{
    async fn drain(mut self) {
        while let Some(batch) = self.take() {
            let Self { shared, held, .. } = &mut self;
            shared.run(batch, held).await;
        }
    }

    /// The next batch; with none, the lane is idle from this very moment.
    fn take(&mut self) -> Option<Batch<K, V>> {
        let mut lane = self.shared.lane(self.index);
        let batch = Batch::take(&mut lane.waiting, self.shared.bounds.batch.max(1));
        if batch.callers.is_empty() {
            lane.running = false;
            lane.held = mem::take(&mut self.held);
            drop(lane);
            self.disarmed = true;
            return None;
        }
        Some(batch)
    }
}

impl<K, V, H: Default> Drop for Running<K, V, H> {
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

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
