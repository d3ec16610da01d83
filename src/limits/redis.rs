//! The cluster's counters in Redis: one small key each, gone by itself when its bucket is empty.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, Ordering},
};

use ::redis::Script;
use async_trait::async_trait;

use super::{
    gcra::Standing,
    store::{ClusterCounters, Counter, Verdict, refuses},
};
use crate::{redis::RedisLink, unavailable::Unavailable};

/// The algorithm as a Lua chunk of local functions, for scripts that count riders themselves.
pub const GCRA_LUA: &str = include_str!("gcra.lua");

static CHECK: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("check.lua"))));
static REFUND: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("refund.lua"))));
static LOOK: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("look.lua"))));

/// [`ClusterCounters`] in Redis, by Redis's clock.
pub struct RedisCounters {
    link: Arc<RedisLink>,
    /// Added to Redis's time, in milliseconds: 0 but in tests.
    offset_ms: Arc<AtomicI64>,
}

impl RedisCounters {
    pub fn new(link: Arc<RedisLink>) -> Self {
        Self::with_offset(link, Arc::default())
    }

    /// The same with a time that a test moves.
    pub fn with_offset(link: Arc<RedisLink>, offset_ms: Arc<AtomicI64>) -> Self {
        Self { link, offset_ms }
    }

    fn calls<'a>(&self, counters: impl Iterator<Item = &'a Counter>) -> Vec<(String, [i64; 3])> {
        let offset = self.offset_ms.load(Ordering::SeqCst);
        counters
            .map(|counter| {
                let key = self.link.key(counter.partition, &counter.key);
                (key, [offset, counter.emission_us, i64::from(counter.burst)])
            })
            .collect()
    }

    async fn refund(&self, counters: impl Iterator<Item = &Counter>) -> Result<(), Unavailable> {
        let calls = self.calls(counters);
        if !calls.is_empty() {
            self.link.eval_each::<i64, 3>(&REFUND, &calls).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ClusterCounters for RedisCounters {
    async fn check(&self, counters: &[Counter]) -> Result<Vec<Verdict>, Unavailable> {
        let calls = self.calls(counters.iter());
        let answers: Vec<(i64, i64)> = self.link.eval_each(&CHECK, &calls).await?;
        let verdicts: Vec<_> = answers.into_iter().map(verdict).collect();
        if refuses(counters, &verdicts) {
            let spent = counters.iter().zip(&verdicts);
            let spent = spent.filter(|(_, verdict)| !verdict.is_refused());
            // The refusal stands whether or not this arrives; what stays spent drains by itself.
            if let Err(error) = self.refund(spent.map(|(counter, _)| counter)).await {
                tracing::warn!(%error, "a refused request stays counted by the rules that admitted it");
            }
        }
        Ok(verdicts)
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        self.refund(counters.iter()).await
    }

    async fn look(&self, counters: &[Counter]) -> Result<Vec<Standing>, Unavailable> {
        let calls = self.calls(counters.iter());
        let answers: Vec<(i64, i64, i64)> = self.link.eval_each(&LOOK, &calls).await?;
        let standing = |(remaining, wait_us, full_in_us)| Standing {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            wait_us,
            full_in_us,
        };
        Ok(answers.into_iter().map(standing).collect())
    }

    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable> {
        let mut pipeline = ::redis::pipe();
        pipeline
            .del(self.link.key(counter.partition, &counter.key))
            .ignore();
        self.link.pipeline(&pipeline).await
    }
}

fn verdict((allowed, rest): (i64, i64)) -> Verdict {
    if allowed == 1 {
        Verdict::Admitted {
            remaining: u32::try_from(rest).unwrap_or(u32::MAX),
        }
    } else {
        Verdict::Refused { retry_after_us: rest }
    }
}
