//! The cluster's counters in Redis: a small key for all that is counted of one subject, gone by itself when its buckets are empty.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ::redis::Script;
use async_trait::async_trait;

use super::{
    gcra::QuotaStatus,
    pauses::{MAX_PAUSES, Pause, Paused},
    records::{Records, Signed, read_verdicts},
    store::{ClusterCounters, Counter, Marker, Refund, Verdict, refuses},
    unrolled::unrolled,
};
use crate::{
    outage,
    redis::{Call, RedisLink, lua},
    unavailable::{Part, Unavailable},
};

/// The hash with the pauses: until when each lasts.
const PAUSES: &str = "pauses";

/// The algorithm as a Lua chunk of local functions, for scripts that count attached themselves.
pub const GCRA_LUA: &str = include_str!("gcra.lua");

/// Where a script spends from counters, and where it begins its answer by that.
const SPEND: &str = "--spend\n";
const ANSWER: &str = "--spend and answer\n";

/// Puts what spends from counters, whatever their rules are, where a script has a line for it.
pub fn with_spend(script: &str) -> String {
    const BEGIN: &str =
        "attached = pack('>c1I6', refused and 'm' or letter, refused and 0 or number) .. attached\n";
    let spend = include_str!("spend.lua");
    script
        .replace(ANSWER, &[spend, BEGIN].concat())
        .replace(SPEND, spend)
}

/// The same for counters of these rules alone. `None` where there are none, or too many.
pub fn with_spend_of(signature: &[u8], script: &str) -> Option<String> {
    let answers = script.contains(ANSWER);
    let spend = unrolled(signature, answers)?;
    Some(script.replace(if answers { ANSWER } else { SPEND }, &spend))
}

/// A script with counters: one that reads what their rules are, and more that are each written for rules that it has met.
pub struct RuledScript {
    text: String,
    /// A script of a text.
    script: fn(&str) -> Script,
    reads: Arc<Script>,
    /// With the rules of each. A list, since requests meet few sets of rules: to hash them takes longer.
    written: RwLock<Vec<(Vec<u8>, Arc<Script>)>>,
}

/// Sets of rules that a script is written for at a time.
const MOST_WRITTEN: usize = 64;

impl RuledScript {
    /// The script of a text with a line where it spends; its rules are in the variable `rules` there.
    pub fn new(text: String, script: fn(&str) -> Script) -> Self {
        Self {
            reads: Arc::new(script(&with_spend(&text))),
            text,
            script,
            written: RwLock::default(),
        }
    }

    /// The script for the rules of these records, and what it is to be told of them.
    pub fn of(&self, records: &Records<'_>) -> (Arc<Script>, Vec<u8>) {
        let Signed { signature, varying } = records.signed();
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, script)) = written.iter().find(|(rules, _)| *rules == signature) {
            return (Arc::clone(script), varying);
        }
        drop(written);
        let Some(text) = with_spend_of(&signature, &self.text) else {
            return (Arc::clone(&self.reads), records.rules().to_vec());
        };
        let script = Arc::new((self.script)(&text));
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= MOST_WRITTEN {
            written.clear();
        }
        // Another thread may have written it meanwhile.
        written.retain(|(rules, _)| *rules != signature);
        written.push((signature, Arc::clone(&script)));
        (script, varying)
    }
}

/// What a script is told of one counter: the offset of the time, five numbers of its rule, and its tag.
type AboutOne = (i64, i64, i64, i64, i64, i64, String);

/// A script of this room, with the algorithm before it.
macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| lua::script(&[GCRA_LUA], &with_spend(include_str!($file))))
    };
}

/// Of counters that lie together, and of those that don't.
static CHECK_ALL: LazyLock<RuledScript> = LazyLock::new(|| {
    RuledScript::new(include_str!("check.lua").to_owned(), |text| {
        lua::script(&[GCRA_LUA], text)
    })
});
static CHECK: LazyLock<Script> = script!("check.lua");
static GIVE_BACK: LazyLock<Script> = script!("give_back.lua");
static REFUND: LazyLock<Script> = script!("refund.lua");
static REFUND_FIRST: LazyLock<Script> = script!("refund_first.lua");
static REFUND_ONE: LazyLock<Script> = script!("refund_one.lua");
static LOOK: LazyLock<Script> = script!("look.lua");
static RESET: LazyLock<Script> = script!("reset.lua");

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

    /// The key of the record that a counter is in.
    fn key_of(&self, counter: &Counter) -> String {
        self.link.key(counter.partition, &counter.record())
    }

    /// Calls that each are about one counter.
    fn calls<'a>(&self, counters: impl Iterator<Item = &'a Counter>) -> Vec<(String, AboutOne)> {
        let call = |counter: &Counter| {
            let numbers = [counter.burst, counter.units, counter.grows_by, counter.worked_by].map(i64::from);
            let [burst, units, grows_by, worked_by] = numbers;
            let tag = counter.name.rule.as_str().to_owned();
            let about = (
                self.offset(),
                counter.emission_us,
                burst,
                units,
                grows_by,
                worked_by,
                tag,
            );
            (self.key_of(counter), about)
        };
        counters.map(call).collect()
    }

    /// Counters that lie apart: those of each record are asked together, and given back when another refuses.
    async fn check_apart(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        let (mut calls, mut places) = (Vec::new(), Vec::new());
        for (key, together) in self.by_record(counters) {
            let rules = Records::each(counters, &together, message).into_rules();
            calls.push((key, (self.offset(), rules)));
            places.push(together);
        }
        let answers: Vec<Vec<u8>> = self.link.eval_each(&CHECK, &calls).await?;
        let mut verdicts = vec![Verdict::Admitted { remaining: 0 }; counters.len()];
        for (answer, together) in answers.iter().zip(places) {
            let asked: Vec<_> = together.iter().map(|&at| counters[at].clone()).collect();
            for (at, verdict) in together.into_iter().zip(verdicts_of(answer, &asked)?) {
                verdicts[at] = verdict;
            }
        }
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

    /// The places of counters that are in one record, by its key.
    fn by_record(&self, counters: &[Counter]) -> Vec<(String, Vec<usize>)> {
        let mut records: Vec<(String, Vec<usize>)> = Vec::new();
        for (at, counter) in counters.iter().enumerate() {
            let key = self.key_of(counter);
            match records.iter_mut().find(|(known, _)| *known == key) {
                Some((_, places)) => places.push(at),
                None => records.push((key, vec![at])),
            }
        }
        records
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
        let earned = if refund.earns { last_typed } else { 0 };
        let call = |(key, together): (String, Vec<usize>)| {
            let counters = together.iter().map(|&at| &refund.counters[at]);
            let rules = Records::given_back(counters, None).into_rules();
            (key, (self.offset(), rules, earned, i64::from(has_worked)))
        };
        let records = self.by_record(&refund.counters).into_iter();
        let calls: Vec<_> = records.map(call).collect();
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
        let records = Records::asked(counters, message);
        let (script, rules) = CHECK_ALL.of(&records);
        let ask_all = |call: &mut Call<'_>| {
            records.add_keys(call);
            call.arg(self.offset()).arg(rules);
        };
        let answer: Vec<u8> = self.link.eval(&script, records.len(), ask_all).await?;
        verdicts_of(&answer, counters)
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        self.give_back_each(counters.iter()).await
    }

    async fn refund(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable> {
        if !self.are_colocated() {
            return self.refund_apart(refund, has_worked).await;
        }
        let records = refund.records();
        let keys = 1 + records.len();
        let give = |call: &mut Call<'_>| {
            refund.marker.add_key(call);
            records.add_keys(call);
            call.arg(self.offset())
                .arg(records.into_rules())
                .arg(i64::from(has_worked));
        };
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
        let answers: Vec<(i64, i64, i64, i64)> = self.link.eval_each(&LOOK, &calls).await?;
        let standing = |(remaining, wait_us, full_in_us, raised_us)| QuotaStatus {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            wait_us,
            full_in_us,
            raised_us,
        };
        Ok(answers.into_iter().map(standing).collect())
    }

    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable> {
        let forget = |call: &mut Call<'_>| {
            call.key(counter.partition, [counter.record().as_str()]);
            call.arg(self.offset()).arg(counter.name.rule.as_str());
        };
        self.link.eval::<i64>(&RESET, 1, forget).await.map(drop)
    }
}

fn verdicts_of(answer: &[u8], counters: &[Counter]) -> Result<Vec<Verdict>, Unavailable> {
    let read = read_verdicts(answer, counters);
    let (verdicts, _) = read.ok_or_else(|| Unavailable::new(Part::Redis, "not the verdicts of counters"))?;
    Ok(verdicts)
}
