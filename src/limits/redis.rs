//! The cluster's counters in Redis: one small key each, gone by itself when its bucket is empty.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ::redis::{FromRedisValue, ParsingError, Script, Value};
use async_trait::async_trait;

use super::{
    gcra::QuotaStatus,
    pauses::{MAX_PAUSES, Pause, Paused},
    store::{ClusterCounters, Counter, Marker, Refund, Verdict, refuses},
};
use crate::{
    outage,
    redis::{Call, RedisLink},
    unavailable::{Part, Unavailable},
};

/// The hash with the pauses: until when each lasts.
const PAUSES: &str = "pauses";

/// The algorithm as a Lua chunk of local functions, for scripts that count attached themselves.
pub const GCRA_LUA: &str = include_str!("gcra.lua");

static CHECK: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("check.lua"))));
static GIVE_BACK: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("give_back.lua"))));
static REFUND: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("refund.lua"))));
static REFUND_FIRST: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("gcra.lua"),
        include_str!("refund_first.lua")
    ))
});
static REFUND_ONE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("refund_one.lua"))));
static LOOK: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("gcra.lua"), include_str!("look.lua"))));

static PAUSE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("pause.lua")));

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

    fn offset(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Gives until when it lasted before.
    async fn set_pause(
        &self,
        name: &str,
        until_ms: i64,
        enough_ms: i64,
        now_ms: i64,
    ) -> Result<Option<i64>, Unavailable> {
        let set = |call: &mut Call<'_>| {
            call.key(0, [PAUSES]);
            call.arg(name).arg(until_ms).arg(now_ms);
            call.arg(MAX_PAUSES).arg(enough_ms);
        };
        match self.link.eval::<i64>(&PAUSE, 1, set).await? {
            -1 => Err(Unavailable::full(Part::RateLimiter)),
            0 => Ok(None),
            before_ms => Ok(Some(before_ms)),
        }
    }

    fn calls<'a>(&self, counters: impl Iterator<Item = &'a Counter>) -> Vec<(String, [i64; 6])> {
        let offset = self.offset();
        counters
            .map(|counter| {
                let key = self.link.key(counter.partition, &counter.key);
                let numbers =
                    [counter.burst, counter.units, counter.grows_by, counter.worked_by].map(i64::from);
                let [burst, units, grows_by, worked_by] = numbers;
                (
                    key,
                    [offset, counter.emission_us, burst, units, grows_by, worked_by],
                )
            })
            .collect()
    }

    /// Counters that lie apart: each is asked by itself, and given back when another refuses.
    async fn check_apart(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        let call = |counter: &Counter| {
            let mut rule = Vec::with_capacity(RULE_BYTES);
            pack(counter, false, &mut rule); // each would decide for all
            let key = self.link.key(counter.partition, &counter.key);
            (key, (self.offset(), rule, i64::from(message)))
        };
        let calls: Vec<_> = counters.iter().map(call).collect();
        let answers: Vec<Verdicts> = self.link.eval_each(&CHECK, &calls).await?;
        let verdicts: Vec<_> = answers.into_iter().flat_map(|Verdicts(one)| one).collect();
        if refuses(counters, &verdicts) {
            let spent = counters.iter().zip(&verdicts);
            let spent =
                spent.filter(|(counter, verdict)| !verdict.is_refused() && (message || !counter.by_message));
            // The refusal stands whether or not this arrives; what stays spent drains by itself.
            if let Err(error) = self.give_back_each(spent.map(|(counter, _)| counter)).await {
                outage::note(&error);
                tracing::debug!(%error, "a refused request stays counted by the rules that admitted it");
            }
        }
        Ok(verdicts)
    }

    async fn give_back_each(&self, counters: impl Iterator<Item = &Counter>) -> Result<(), Unavailable> {
        let calls = self.calls(counters);
        if !calls.is_empty() {
            self.link.eval_each::<i64, _>(&GIVE_BACK, &calls).await?;
        }
        Ok(())
    }

    /// To counters that lie apart.
    async fn refund_apart(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable> {
        let Marker { partition, key } = &refund.marker;
        let last_typed: i64 = self
            .link
            .eval(&REFUND_FIRST, 1, |call| {
                call.key(*partition, [key.as_str()]);
                call.arg(self.offset());
            })
            .await?;
        if last_typed == 0 {
            return Ok(());
        }
        let is_new = i64::from(refund.earns && last_typed == 2);
        let call = |counter: &Counter| {
            let mut rule = Vec::with_capacity(RULE_BYTES);
            pack(counter, counter.enforce, &mut rule);
            (
                self.link.key(counter.partition, &counter.key),
                (self.offset(), rule, is_new, i64::from(has_worked)),
            )
        };
        let calls: Vec<_> = refund.counters.iter().map(call).collect();
        self.link.eval_each::<i64, _>(&REFUND_ONE, &calls).await?;
        Ok(())
    }
}

#[async_trait]
impl ClusterCounters for RedisCounters {
    fn are_colocated(&self) -> bool {
        !self.link.is_cluster()
    }

    async fn check(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        if !self.are_colocated() {
            return self.check_apart(counters, message).await;
        }
        let ask_all = |call: &mut Call<'_>| {
            key_counters(call, counters);
            call.arg(self.offset())
                .arg(pack_rules(counters))
                .arg(i64::from(message));
        };
        let Verdicts(verdicts) = self.link.eval(&CHECK, counters.len(), ask_all).await?;
        Ok(verdicts)
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        self.give_back_each(counters.iter()).await
    }

    async fn refund(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable> {
        if !self.are_colocated() {
            return self.refund_apart(refund, has_worked).await;
        }
        let give = |call: &mut Call<'_>| {
            key_refund(call, refund);
            call.arg(self.offset())
                .arg(pack_refund(refund))
                .arg(i64::from(has_worked));
        };
        let keys = 1 + refund.counters.len();
        self.link.eval::<i64>(&REFUND, keys, give).await.map(drop)
    }

    async fn use_once(&self, marker: &Marker, remembered: Duration) -> Result<bool, Unavailable> {
        let key = self.link.key(marker.partition, &marker.key);
        let millis = u64::try_from(remembered.as_millis()).unwrap_or(u64::MAX);
        let mut pipeline = ::redis::pipe();
        pipeline
            .cmd("SET")
            .arg(key)
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(millis.max(1));
        let (set,): (Option<String>,) = self.link.pipeline(&pipeline).await?;
        Ok(set.is_some())
    }

    async fn pause(&self, pause: &Pause, enough_ms: i64, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        self.set_pause(pause.what.name(), pause.until_ms, enough_ms, now_ms)
            .await
    }

    async fn resume(&self, what: &Paused, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        self.set_pause(what.name(), 0, 0, now_ms).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, Unavailable> {
        let mut pipeline = ::redis::pipe();
        pipeline.hgetall(self.link.key(0, PAUSES));
        let (kept,): (HashMap<String, i64>,) = self.link.pipeline(&pipeline).await?;
        let pause = |(name, until_ms): (String, i64)| {
            let what = Paused::of_name(&name)?;
            Some(Pause { what, until_ms })
        };
        Ok(kept.into_iter().filter_map(pause).collect())
    }

    async fn look(&self, counters: &[Counter]) -> Result<Vec<QuotaStatus>, Unavailable> {
        let calls = self.calls(counters.iter());
        let answers: Vec<(i64, i64, i64)> = self.link.eval_each(&LOOK, &calls).await?;
        let standing = |(remaining, wait_us, full_in_us)| QuotaStatus {
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

/// Adds the keys of counters that a script spends (`gcra_all`). [`pack_rules`] is the argument that goes with them.
pub fn key_counters(call: &mut Call<'_>, counters: &[Counter]) {
    for counter in counters {
        call.key(counter.partition, [counter.key.as_str()]);
    }
}

/// Adds the keys of what a script gives back (`gcra_refund_all`). [`pack_refund`] is the argument that goes with them.
pub fn key_refund(call: &mut Call<'_>, refund: &Refund) {
    call.key(refund.marker.partition, [refund.marker.key.as_str()]);
    key_counters(call, &refund.counters);
}

/// What is given back, as `gcra_refund_all` has it.
pub fn pack_refund(refund: &Refund) -> Vec<u8> {
    let mut rules = Vec::with_capacity(1 + RULE_BYTES * refund.counters.len());
    rules.push(refund.earns.into());
    for counter in &refund.counters {
        pack(counter, counter.enforce, &mut rules);
    }
    rules
}

/// The rules of counters that a script spends.
pub fn pack_rules(counters: &[Counter]) -> Vec<u8> {
    let mut rules = Vec::with_capacity(RULE_BYTES * counters.len());
    for counter in counters {
        pack(counter, counter.enforce, &mut rules);
    }
    rules
}

/// What a rule takes in the argument of `gcra_all`.
const RULE_BYTES: usize = 26;
/// What a verdict takes in its answer.
const VERDICT_BYTES: usize = 7;

fn pack(counter: &Counter, enforce: bool, rules: &mut Vec<u8>) {
    let tag = match counter.shadow_tag() {
        Some(tag) => tag.bytes(),
        None if enforce => [0; 4],
        None => *b"----",
    };
    // One piece: to add ten small ones takes several times as long.
    let mut rule = [0; RULE_BYTES];
    rule[..6].copy_from_slice(&counter.emission_us.to_be_bytes()[2..]);
    rule[6..10].copy_from_slice(&counter.burst.to_be_bytes());
    rule[10..14].copy_from_slice(&tag);
    rule[14..17].copy_from_slice(&counter.units.to_be_bytes()[1..]);
    rule[17] = counter.by_message.into();
    rule[18..22].copy_from_slice(&counter.grows_by.to_be_bytes());
    rule[22..].copy_from_slice(&counter.worked_by.to_be_bytes());
    rules.extend_from_slice(&rule);
}

/// What the counters said.
pub struct Verdicts(pub Vec<Verdict>);

impl Verdicts {
    /// Reads what `gcra_all` gives, at the beginning of an answer. Gives what comes after it, too.
    pub fn read(answer: &[u8]) -> Option<(Self, &[u8])> {
        let (&count, answer) = answer.split_first()?;
        let (verdicts, rest) = answer.split_at_checked(usize::from(count) * VERDICT_BYTES)?;
        let verdict = |verdict: &[u8]| {
            let (allowed, rest) = verdict.split_first().unwrap_or((&0, &[]));
            let rest = rest.iter().fold(0, |rest, &byte| rest << 8 | i64::from(byte));
            match allowed {
                1 => Verdict::Admitted {
                    remaining: u32::try_from(rest).unwrap_or(u32::MAX),
                },
                _ => Verdict::Refused { retry_after_us: rest },
            }
        };
        let verdicts = verdicts.chunks(VERDICT_BYTES).map(verdict).collect();
        Some((Self(verdicts), rest))
    }
}

impl FromRedisValue for Verdicts {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let answer = Vec::<u8>::from_redis_value(value)?;
        let (verdicts, _) = Self::read(&answer).ok_or("not the verdicts of counters")?;
        Ok(verdicts)
    }
}
