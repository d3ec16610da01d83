//! Where the cluster's counters are kept.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    gcra::QuotaStatus,
    pauses::{Pause, Paused},
    tag::RuleTag,
};
use crate::unavailable::Unavailable;

/// What a counter is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterName {
    /// The rule that it is of.
    pub rule: RuleTag,
    /// Whom it counts, as the rule's `by` says.
    pub whom: String,
}

impl CounterName {
    /// The counter of a rule's id and of whom it counts.
    pub fn new(rule: &str, whom: impl Into<String>) -> Self {
        Self {
            rule: RuleTag::of(rule),
            whom: whom.into(),
        }
    }
}

/// One counter of one rule, and what a request costs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Which share of the keys it belongs to.
    pub partition: u8,
    pub name: CounterName,
    /// What one unit costs, in microseconds.
    pub emission_us: i64,
    /// How many units may come at once.
    pub burst: u32,
    /// What is spent: 1 where requests or messages are counted.
    pub units: u32,
    /// Whether a message alone spends it. A request without one is asked, and spends nothing.
    pub by_message: bool,
    /// By how much the burst may grow as codes are typed; 0 where it doesn't.
    pub grows_by: u32,
    /// By how much the burst would be larger if the request had brought a proof of work; 0 where that makes no difference.
    pub worked_by: u32,
    /// Whether the request has brought one.
    pub has_worked: bool,
    /// Whether its refusal refuses the request (`enforce`) or is only reported (`shadow`).
    pub enforce: bool,
}

/// What is given back when the code of a message is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Remembers that something was given back for the address.
    pub marker: Marker,
    /// What the message spent that is given back.
    pub counters: Vec<Counter>,
    /// Whether counters that [grow](Counter::grows_by) get more by it than the message spent.
    pub earns: bool,
}

/// The name of something that is remembered for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// That of the address.
    pub partition: u8,
    pub key: String,
}

impl Counter {
    /// The same for a request that brought a proof of work.
    #[must_use]
    pub fn worked(self) -> Self {
        Self {
            burst: self.burst.saturating_add(self.worked_by),
            worked_by: 0,
            has_worked: true,
            ..self
        }
    }

    /// The tag of the rule that it belongs to, if that is a shadow rule: nothing is remembered of the others.
    pub fn shadow_tag(&self) -> Option<RuleTag> {
        (!self.enforce).then_some(self.name.rule)
    }
}

/// What one counter says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Admitted {
        /// Requests that may follow at once.
        remaining: u32,
    },
    Refused {
        /// How long until one may pass, in microseconds.
        retry_after_us: i64,
    },
}

impl Verdict {
    pub fn is_refused(self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// Whether the request is refused: one of the counters that are enforced says so.
pub fn refuses(counters: &[Counter], verdicts: &[Verdict]) -> bool {
    counters
        .iter()
        .zip(verdicts)
        .any(|(counter, verdict)| counter.enforce && verdict.is_refused())
}

/// Counts once for all instances, by the clock of whoever holds the counters.
#[async_trait]
pub trait ClusterCounters: Send + Sync + 'static {
    /// Whether all counters lie together, with the challenges of all phones: then one step may touch any of them.
    fn are_colocated(&self) -> bool;

    /// Asks every counter for one request, in one round trip. The verdicts come in the order of the counters. `message`
    /// says that a message goes out for it.
    ///
    /// MUST decide each counter and write it in one step, so that parallel requests never exceed its quota. MUST
    /// leave every counter as if the request had not come when an enforced one refuses; MUST spend from all that
    /// admit otherwise, without a message from those alone that are not [by message](Counter::by_message). Counters that lie apart may be given back a moment later: until then a refused request counts
    /// in the others, and near its end one of them may refuse a request too many.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't count; whether something was spent is unknown then.
    async fn check(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable>;

    /// Gives one request back to every counter.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't; the request stays spent then, until it drains.
    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable>;

    /// Gives back what a message spent whose code was typed, unless something was given back for its address in the last
    /// 20 hours. If the refund [earns](Refund::earns), a counter that [grows](Counter::grows_by) gets one more than the message
    /// spent; what its bucket has no room for makes that bucket larger, if nothing was given back for the address in the last week, in a day by no more than it was, for a week from when it grew last. Over its burst it gets one more only as far
    /// as that leaves nothing for who proves no work. A message that a proof of work let out (`has_worked`) gives up to four
    /// messages over the burst back, and room below it by no more than a 128th of the burst; and if it earns, such messages find
    /// the burst larger by one more, up to four, until the bucket is empty.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't; the message stays spent then, until it drains.
    async fn refund(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable>;

    /// Remembers for so long that something was used that is good once. Gives whether it was not used before.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't remember it, or has no room.
    async fn use_once(&self, marker: &Marker, remembered: Duration) -> Result<bool, Unavailable>;

    /// Remembers a pause, in place of one for the same, and forgets those that are over at `now_ms`. One for the same that lasts
    /// until `enough_ms` or longer MUST be left as it is. Gives until when one for the same lasted before. MUST do so in one step:
    /// of several who pause the same at once, one finds that it was not paused.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't remember it, or there are too many.
    async fn pause(&self, pause: &Pause, enough_ms: i64, now_ms: i64) -> Result<Option<i64>, Unavailable>;

    /// Forgets a pause; gives until when it would have lasted, if it did at `now_ms`. Of several who end one at once, one MUST
    /// find that there was one.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't.
    async fn resume(&self, what: &Paused, now_ms: i64) -> Result<Option<i64>, Unavailable>;

    /// The pauses that it remembers; some may be over.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't say.
    async fn pauses(&self) -> Result<Vec<Pause>, Unavailable>;

    /// How every counter stands, in the order of the counters. MUST spend nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't say.
    async fn look(&self, counters: &[Counter]) -> Result<Vec<QuotaStatus>, Unavailable>;

    /// MUST leave the counter as if no request had ever come.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't.
    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable>;
}
