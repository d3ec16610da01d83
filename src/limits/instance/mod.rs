//! The counters of the instance rules: in shards by key, each owned by an actor on the thread of an HTTP worker.
//!
//! All that one request asks one shard is one message, and from another thread all that are asked in one turn travel as one. A key always lies in the same shard, so its count is exact for the
//! process, whatever thread asks. Rules that count by client network, alone or with something else, go by the network,
//! so that they share a message; the others go by their whole key. A request that several shards have a say in
//! asks one after another: one that is refused by the first spends nothing in the next, which says only how long
//! it would refuse.

mod actor;
mod buckets;
mod crowd;
mod place;
mod shard;
mod slice;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError, RwLockReadGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{
    gcra::QuotaStatus,
    key::{KeyDimension, RuleKey},
    rule::{Rule, RuleSet},
};
use crate::{
    clock::Clock,
    supervision::{Mailbox, Supervision},
    unavailable::Unavailable,
};
use actor::{Arrived, Decide, GiveBack, HandOver, Inspect, Moved, Question, RateLimiter, Retain, Sweep};
use buckets::Keys;
use crowd::Crowds;
use place::{Place, Places, unavailable};
use shard::Shard;
pub use shard::{Ask, Request};
pub use slice::Full;

/// Questions that wait for one shard at most. It answers one in about a microsecond.
const MAX_WAITING: usize = 8192;
/// How long counters may take to come from other threads.
const MOVE_TIMEOUT: Duration = Duration::from_secs(1);
/// When all room is taken, keys to drop are looked for at most this often, so that a flood of new keys can't make it scan
/// at each request.
const SWEEP_PAUSE_US: i64 = 1_000_000;

/// The handle of the `RateLimiter` actors.
pub struct InstanceCounters {
    places: Arc<Places>,
    crowds: Arc<Crowds>,
    /// Shards that no worker has taken yet.
    unsettled: Mutex<Vec<usize>>,
    keys: Arc<Keys>,
    hasher: RandomState,
    /// When keys may be looked for again if all room is taken, in microseconds.
    next_search_us: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl InstanceCounters {
    /// Starts `shards` actors on this thread. They hold `max_keys` keys at most, all together.
    pub fn start(supervision: &Supervision, shards: usize, max_keys: usize, clock: Arc<dyn Clock>) -> Self {
        let (keys, shards) = (Arc::new(Keys::at_most(max_keys)), shards.max(1));
        let start = |at| {
            let shard = Shard::new(shards, &keys, Arc::clone(&clock));
            let name = format!("rate_limiter_{at}");
            Place::here(supervision.start(name, MAX_WAITING, |_| RateLimiter::new(shard)))
        };
        let places = Arc::new(Places::new((0..shards).map(start)));
        Self {
            crowds: Arc::new(Crowds::new(&places)),
            places,
            unsettled: Mutex::new((0..shards).rev().collect()),
            keys,
            hasher: RandomState::new(),
            next_search_us: AtomicI64::new(i64::MIN),
            clock,
        }
    }

    /// Moves a shard to this thread: the next one that lives on no worker's yet, or one whose thread has ended. Each HTTP
    /// worker calls it once.
    pub fn settle_here(&self) {
        let lost = || (0..self.places.len()).find(|&at| !self.shard(at).mailbox().is_connected());
        let unsettled = || {
            self.unsettled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()
        };
        if let Some(at) = lost().or_else(unsettled) {
            self.move_here(at);
        }
    }

    /// Moves all shards to this thread, before their threads end.
    pub async fn gather_here(&self) {
        (0..self.places.len()).for_each(|at| self.move_here(at));
        let arrived = self.places.all().map(|shard| shard.mailbox().ask(Arrived));
        // A thread that answers nothing holds nobody up.
        let _ = tokio::time::timeout(MOVE_TIMEOUT, join_all(arrived)).await;
    }

    fn move_here(&self, at: usize) {
        let if_lost = Shard::new(self.places.len(), &self.keys, Arc::clone(&self.clock));
        let (to, from) = oneshot::channel();
        let start = |old: &Mailbox<_>| old.start_successor(|_| RateLimiter::taking_over(from, if_lost));
        let (old, successor) = self.places.replace(at, start);
        old.tell(HandOver { to, successor });
    }

    fn shard(&self, at: usize) -> RwLockReadGuard<'_, Place> {
        self.places.of(at)
    }

    /// Which shard and slice a key of a rule lies in.
    pub fn hash_of(&self, rule: RuleKey, key: &str) -> u64 {
        let mut parts = rule.parts().zip(key.split(','));
        let network = parts.find(|(part, _)| matches!(part, KeyDimension::Ip | KeyDimension::IpNetwork(_)));
        self.hasher.hash_one(network.map_or(key, |(_, network)| network))
    }

    /// Which shard a hash leads to.
    pub fn shard_of(&self, hash: u64) -> usize {
        (hash % self.places.len() as u64) as usize
    }

    /// Asks a shard. All that the request asks has to lie there.
    ///
    /// # Errors
    /// [`Unavailable`] when too many wait there already, or the shard failed over this very request, or one that travelled with it.
    pub async fn decide(&self, at: usize, mut request: Request) -> Result<Request, Unavailable> {
        if self.keys.is_full() {
            self.make_room().await;
        }
        if !self.shard(at).is_here() {
            return self.crowds.ask(at, request).await;
        }
        loop {
            let decided = self.shard(at).mailbox().ask(Decide(request));
            match decided.await.map_err(unavailable)? {
                Ok(decided) => return Ok(decided),
                Err(Moved(back)) => request = back,
            }
        }
    }

    /// Gives back what a request has spent in one shard. When too many wait there, it stays spent, and drains.
    pub fn give_back(&self, at: usize, request: Request) {
        let shard = self.shard(at);
        match shard.mailbox().reserve() {
            Ok(slot) => shard.mailbox().tell(GiveBack(request, slot)),
            Err(error) => tracing::warn!(%error, "a request stays counted though it should cost nothing"),
        }
    }

    /// How a counter stands; nothing is spent.
    ///
    /// # Errors
    /// As for [`InstanceCounters::decide`].
    pub async fn look(&self, rule: &Rule, key: &str) -> Result<QuotaStatus, Unavailable> {
        self.inspect(rule, key, || Question::Look).await
    }

    /// Gives a key its whole quota back.
    ///
    /// # Errors
    /// As for [`InstanceCounters::decide`].
    pub async fn reset(&self, rule: &Rule, key: &str) -> Result<(), Unavailable> {
        self.inspect(rule, key, || Question::Reset).await.map(drop)
    }

    async fn inspect(
        &self,
        rule: &Rule,
        key: &str,
        question: fn() -> Question,
    ) -> Result<QuotaStatus, Unavailable> {
        let hash = self.hash_of(rule.by, key);
        loop {
            let inspect = Inspect {
                rule: rule.clone(),
                key: key.to_owned(),
                hash,
                question: question(),
            };
            let answer = self.shard(self.shard_of(hash)).mailbox().ask(inspect);
            if let Ok(status) = answer.await.map_err(unavailable)? {
                return Ok(status);
            }
        }
    }

    /// Forgets the counters of rules that are gone or count by something else now; retains the others.
    pub fn retain(&self, rules: &RuleSet) {
        for shard in self.places.all() {
            shard.mailbox().tell(Retain(rules.clone()));
        }
    }

    /// Drops the keys whose buckets are empty, unless somebody did just now.
    async fn make_room(&self) {
        let now_us = self.clock.now().timestamp_micros();
        let due = self.next_search_us.load(Ordering::Relaxed);
        let next = now_us + SWEEP_PAUSE_US;
        let is_mine = || {
            self.next_search_us
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if now_us >= due && is_mine() {
            join_all(self.places.all().map(|shard| shard.mailbox().ask(Sweep))).await;
        }
    }
}
