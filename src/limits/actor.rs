//! The shells: `RateLimiter` around a shard of the instance's counters, `ConfigWatcher` around the limits file.

use std::{sync::Arc, time::Duration};

use actix::{
    Actor, Arbiter, AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture, Supervised,
};
use tokio::sync::Mutex;

use super::{
    LimiterOptions, RuleSet, Verdict,
    gcra::Standing,
    shard::{Ask, Full, Shard},
    watch::Watch,
};
use crate::{
    clock::Clock,
    supervision::{AskError, Mailbox, Supervision},
};

/// How often keys whose buckets are empty are dropped, and the number of keys is shown.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often the limits file is looked at: a change is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Reloads that may wait: each is a whole look at the file, so more have no use.
const MAX_RELOADS: usize = 4;

/// The way to the shards.
#[derive(Clone)]
pub(super) struct Shards(Vec<Mailbox<RateLimiter>>);

impl Shards {
    /// Starts the actors, each on a thread of its own if there are several.
    pub async fn start(supervision: &Supervision, options: LimiterOptions, clock: Arc<dyn Clock>) -> Self {
        let count = options.shards.max(1);
        let max_keys = options.max_keys.div_ceil(count).max(1);
        let mut mailboxes = Vec::with_capacity(count);
        for index in 0..count {
            let name = format!("rate-limiter-{index}");
            let clock = Arc::clone(&clock);
            let make = move |_: &mut Context<_>| RateLimiter {
                shard: Shard::new(clock, max_keys),
                keys: metrics::gauge!("ringback_limiter_keys", "shard" => index.to_string()),
            };
            mailboxes.push(if count == 1 {
                supervision.start(name, options.queue, make)
            } else {
                let arbiter = Arbiter::new().handle();
                supervision.start_in(&arbiter, name, options.queue, make).await
            });
        }
        Self(mailboxes)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// [`Shard::check`] in one of the shards.
    pub async fn check(
        &self,
        shard: usize,
        asks: Arc<[Ask]>,
        strict: bool,
    ) -> Result<Result<Vec<Verdict>, Full>, AskError> {
        self.0[shard].ask(Check { asks, strict }).await
    }

    /// [`Shard::give_back`]. It takes no place in the mailbox: each of these follows an answered [`Check`], which did.
    pub fn give_back(&self, shard: usize, asks: Arc<[Ask]>) {
        self.0[shard].tell(GiveBack(asks));
    }

    /// [`Shard::look`] in one of the shards.
    pub async fn look(&self, shard: usize, asks: Vec<Ask>) -> Result<Vec<Standing>, AskError> {
        self.0[shard].ask(Look(asks)).await
    }

    /// [`Shard::reset`] in all shards.
    pub async fn reset(&self, rule: &Arc<str>, key: &str) -> Result<(), AskError> {
        for shard in &self.0 {
            shard.ask(Reset(Arc::clone(rule), key.into())).await?;
        }
        Ok(())
    }

    /// [`Shard::keep`] in all shards.
    pub fn keep(&self, rules: &RuleSet) {
        for shard in &self.0 {
            shard.tell(Keep(rules.clone()));
        }
    }
}

pub(super) struct RateLimiter {
    shard: Shard,
    keys: metrics::Gauge,
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(SWEEP_EVERY, |this, _| {
            this.shard.sweep();
            this.keys.set(this.shard.keys() as f64);
        });
    }
}

/// A restart keeps the counters: a panic that gave everyone a fresh quota would be worth provoking.
impl Supervised for RateLimiter {}

#[derive(Message)]
#[rtype(result = "Result<Vec<Verdict>, Full>")]
struct Check {
    asks: Arc<[Ask]>,
    strict: bool,
}

impl Handler<Check> for RateLimiter {
    type Result = Result<Vec<Verdict>, Full>;

    fn handle(&mut self, check: Check, _: &mut Self::Context) -> Self::Result {
        self.shard.check(&check.asks, check.strict)
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct GiveBack(Arc<[Ask]>);

impl Handler<GiveBack> for RateLimiter {
    type Result = ();

    fn handle(&mut self, spent: GiveBack, _: &mut Self::Context) {
        self.shard.give_back(&spent.0);
    }
}

#[derive(Message)]
#[rtype(result = "Vec<Standing>")]
struct Look(Vec<Ask>);

impl Handler<Look> for RateLimiter {
    type Result = MessageResult<Look>;

    fn handle(&mut self, look: Look, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.shard.look(&look.0))
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Reset(Arc<str>, Box<str>);

impl Handler<Reset> for RateLimiter {
    type Result = ();

    fn handle(&mut self, Reset(rule, key): Reset, _: &mut Self::Context) {
        self.shard.reset(&rule, &key);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Keep(RuleSet);

impl Handler<Keep> for RateLimiter {
    type Result = ();

    fn handle(&mut self, rules: Keep, _: &mut Self::Context) {
        self.shard.keep(&rules.0);
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
