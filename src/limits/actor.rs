//! The shells: `RateLimiter` around the instance's counters, `ConfigWatcher` around the limits file.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::sync::Mutex;

use super::{RuleSet, shards::Shards, watch::Watch};
use crate::supervision::{AskError, Mailbox, Supervision};

/// How often each key whose bucket is empty is dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often the limits file is looked at: a change is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Reloads that may wait: each is a whole look at the file, so more have no use.
const MAX_RELOADS: usize = 4;

/// The way to the `RateLimiter`.
#[derive(Clone)]
pub(super) struct Housekeeper(Mailbox<RateLimiter>);

impl Housekeeper {
    pub fn start(supervision: &Supervision, shards: Arc<Shards>) -> Self {
        let keys = metrics::gauge!("ringback_limiter_keys");
        let turn = 0;
        Self(supervision.start("rate-limiter", MAX_RELOADS, |_| RateLimiter {
            shards,
            keys,
            turn,
        }))
    }

    /// [`Shards::keep`], in the background.
    pub fn keep(&self, rules: RuleSet) {
        self.0.tell(Keep(rules));
    }
}

/// Keeps house for the instance's counters: what nobody asks for any more, and what rules left behind, goes.
///
/// Requests don't ask it. A question to another thread and its answer cost many times what a decision does
/// (`docs/performance.md`), so whoever is asked locks the shard that the key lies in, and decides.
pub(super) struct RateLimiter {
    shards: Arc<Shards>,
    keys: metrics::Gauge,
    turn: usize,
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let shards = u32::try_from(self.shards.count()).unwrap_or(1);
        context.run_interval(SWEEP_EVERY / shards, |this, _| {
            this.turn = this.turn.wrapping_add(1);
            this.shards.sweep(this.turn);
            this.keys.set(this.shards.keys() as f64);
        });
    }
}

impl Supervised for RateLimiter {}

#[derive(Message)]
#[rtype(result = "()")]
struct Keep(RuleSet);

impl Handler<Keep> for RateLimiter {
    type Result = ();

    fn handle(&mut self, Keep(rules): Keep, _: &mut Self::Context) {
        self.shards.keep(&rules);
    }
}

/// The way to the `ConfigWatcher`.
#[derive(Clone)]
pub(super) struct Watcher(Mailbox<ConfigWatcher>);

impl Watcher {
    pub fn start(supervision: &Supervision, watch: Watch) -> Self {
        let watch = Arc::new(Mutex::new(watch));
        Self(supervision.start("config-watcher", MAX_RELOADS, |_| ConfigWatcher { watch }))
    }

    /// Looks at the file now, whether or not it seems to have changed.
    pub async fn reload(&self) -> Result<(), AskError> {
        self.0.ask(Reload).await
    }
}

pub(super) struct ConfigWatcher {
    /// Locked while a look is on its way, so that there is never more than one.
    watch: Arc<Mutex<Watch>>,
}

impl Actor for ConfigWatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(LOOK_EVERY, |this, _| {
            if let Ok(mut watch) = Arc::clone(&this.watch).try_lock_owned() {
                actix::spawn(async move { watch.look(false).await });
            }
        });
    }
}

impl Supervised for ConfigWatcher {}

#[derive(Message)]
#[rtype(result = "()")]
struct Reload;

impl Handler<Reload> for ConfigWatcher {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Reload, _: &mut Self::Context) -> Self::Result {
        let watch = Arc::clone(&self.watch);
        Box::pin(async move { watch.lock().await.look(true).await })
    }
}
