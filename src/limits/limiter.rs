//! What everyone calls: admits a request, or says which rule refuses it and for how long.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::future::join_all;
use thiserror::Error;

use super::{
    ClusterCounters, Counter, Mode, Operation, Rule, RuleSet, Scope, Subject, Verdict, actor::Shards,
    shard::Ask,
};
use crate::{
    clock::Clock,
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};

/// How large the limiter may grow.
#[derive(Debug, Clone, Copy)]
pub struct LimiterOptions {
    /// Actors that share the instance rules' counters; each has a thread of its own if there are several.
    pub shards: usize,
    /// Requests that may wait for one shard.
    pub queue: usize,
    /// Keys of instance rules that are held at most, over all shards.
    pub max_keys: usize,
}

/// Why a request isn't admitted.
#[derive(Debug, Error)]
pub enum Denied {
    /// A rule's quota is spent (429).
    #[error("refused by rule {}", .0.rule)]
    Refused(Refusal),
    /// It can't be counted (503).
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A rule's refusal; of several, the one to wait longest for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's id.
    pub rule: Arc<str>,
    pub scope: Scope,
    /// Until a request may pass.
    pub retry_after: Duration,
    pub quota: u32,
    pub per: Duration,
    pub burst: u32,
}

impl Refusal {
    fn new(rule: &Rule, retry_after_us: i64) -> Self {
        Self {
            rule: Arc::clone(&rule.id),
            scope: rule.scope,
            retry_after: Duration::from_micros(u64::try_from(retry_after_us).unwrap_or_default()),
            quota: rule.quota,
            per: rule.per,
            burst: rule.burst,
        }
    }

    /// The wait for `Retry-After`: whole seconds, rounded up, 1 at least.
    pub fn retry_after_seconds(&self) -> u64 {
        let whole = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        whole.max(1)
    }
}

/// A cluster rule of the phone's own, to be counted by the script that issues or judges a code.
#[derive(Debug, Clone)]
pub struct Rider {
    pub rule: Arc<Rule>,
    /// In the phone's partition.
    pub counter: Counter,
    tally: Arc<Tally>,
}

/// An admitted request: what it has spent, and what is still to be counted.
#[must_use]
#[derive(Debug, Default)]
pub struct Admission {
    /// To be counted in one step with the code: all of them, and spent only if no enforced one refuses.
    pub riders: Vec<Rider>,
    instance: Vec<(usize, Arc<[Ask]>)>,
    cluster: Vec<Counter>,
}

/// Admits requests by the rules in force. Clones share everything.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    shards: Shards,
    counters: Arc<dyn ClusterCounters>,
    rules: RwLock<Arc<InForce>>,
    hasher: RandomState,
}

/// The rules that are looked at for each operation, in the order of [`Operation::ALL`].
struct InForce([Vec<(Arc<Rule>, Arc<Tally>)>; Operation::ALL.len()]);

/// A rule's metrics.
#[derive(Debug)]
struct Tally {
    admitted: metrics::Counter,
    refused: metrics::Counter,
    shadow_refused: metrics::Counter,
    uncounted: metrics::Counter,
}

impl Limiter {
    /// Starts the limiter's actors.
    pub async fn start(
        supervision: &Supervision,
        options: LimiterOptions,
        rules: RuleSet,
        counters: Arc<dyn ClusterCounters>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            shards: Shards::start(supervision, options, clock).await,
            counters,
            rules: RwLock::new(Arc::new(InForce::new(&rules))),
            hasher: RandomState::new(),
        }))
    }

    /// Puts other rules in force. Counters of rules that keep their id and what they count by are kept.
    pub fn replace(&self, rules: RuleSet) {
        let in_force = Arc::new(InForce::new(&rules));
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = in_force;
        self.0.shards.keep(&rules);
    }

    /// Asks every rule that applies; the instance's first, so that what they refuse costs no I/O.
    ///
    /// # Errors
    /// [`Denied::Refused`] when a rule that is enforced refuses: nothing is spent then. [`Denied::Unavailable`] when a
    /// limiter actor is busy, or a request of a strict operation can't be counted ([`Operation::is_strict`]).
    pub async fn admit(&self, operation: Operation, subject: &Subject) -> Result<Admission, Denied> {
        let rules = Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner));
        let mut asks = Vec::new();
        let mut counters = Vec::new();
        let mut admission = Admission::default();
        for (rule, tally) in &rules.0[operation as usize] {
            match rule.scope {
                Scope::Instance => asks.extend(rule.key(subject).map(|key| {
                    let (rule, key) = (Arc::clone(rule), key.into_boxed_str());
                    (Ask { rule, key }, tally)
                })),
                Scope::Cluster => {
                    let Some(counter) = rule.counter(subject) else {
                        continue;
                    };
                    if rule.rides(operation) {
                        admission.riders.push(Rider {
                            rule: Arc::clone(rule),
                            counter,
                            tally: Arc::clone(tally),
                        });
                    } else {
                        counters.push((rule, tally, counter));
                    }
                }
            }
        }
        if !asks.is_empty() {
            admission.instance = self.ask_shards(operation, asks).await?;
        }
        if !counters.is_empty() {
            match self.ask_cluster(operation, counters).await {
                Ok(spent) => admission.cluster = spent,
                Err(denied) => {
                    self.give_back_instance(&admission.instance);
                    return Err(denied);
                }
            }
        }
        Ok(admission)
    }

    /// Takes the riders' verdicts, in the order of [`Admission::riders`], from the script that counted them. When an
    /// enforced one refused, the request is refused, and what the admission had spent is given back.
    pub async fn settle(&self, admission: Admission, verdicts: &[Verdict]) -> Option<Refusal> {
        let mut refusal = None;
        for (rider, &verdict) in admission.riders.iter().zip(verdicts) {
            refusal = longest(refusal, rider.tally.count(&rider.rule, verdict));
        }
        if refusal.is_some() {
            self.give_back(admission).await;
        }
        refusal
    }

    /// Gives back what an admission spent, for a request that was refused for a reason of its own before it did any
    /// work. If Redis is away it stays spent, and drains.
    pub async fn give_back(&self, admission: Admission) {
        self.give_back_instance(&admission.instance);
        if admission.cluster.is_empty() {
            return;
        }
        if let Err(error) = self.0.counters.give_back(&admission.cluster).await {
            tracing::warn!(%error, "a refused request stays counted by the rules that admitted it");
        }
    }

    /// The same for the cluster's rules alone, which count what costs money: the instance's, which shed floods, stay
    /// spent.
    pub async fn give_back_cluster(&self, admission: Admission) {
        let instance = Vec::new();
        self.give_back(Admission {
            instance,
            ..admission
        })
        .await;
    }

    fn give_back_instance(&self, spent: &[(usize, Arc<[Ask]>)]) {
        for (shard, asks) in spent {
            self.0.shards.give_back(*shard, Arc::clone(asks));
        }
    }

    /// Asks the shards, each once. Answers what was spent where.
    async fn ask_shards(
        &self,
        operation: Operation,
        asks: Vec<(Ask, &Arc<Tally>)>,
    ) -> Result<Vec<(usize, Arc<[Ask]>)>, Denied> {
        let mut by_shard: BTreeMap<usize, (Vec<Ask>, Vec<&Tally>)> = BTreeMap::new();
        for (ask, tally) in asks {
            let (asks, tallies) = by_shard.entry(self.shard_of(&ask)).or_default();
            asks.push(ask);
            tallies.push(tally);
        }
        let questions = by_shard.into_iter().map(|(shard, (asks, tallies))| async move {
            let asks: Arc<[Ask]> = asks.into();
            let answer = self
                .0
                .shards
                .check(shard, Arc::clone(&asks), operation.is_strict())
                .await;
            (shard, asks, tallies, answer)
        });
        let (mut spent, mut refusal, mut failure) = (Vec::new(), None, None);
        for (shard, asks, tallies, answer) in join_all(questions).await {
            match answer {
                Ok(Ok(verdicts)) => {
                    let mut here = None;
                    for ((ask, tally), &verdict) in asks.iter().zip(tallies).zip(&verdicts) {
                        here = longest(here, tally.count(&ask.rule, verdict));
                    }
                    if here.is_some() {
                        refusal = longest(refusal, here); // the shard itself has spent nothing then
                    } else {
                        let all = !verdicts.iter().any(|verdict| verdict.is_refused());
                        let admitted = if all {
                            asks
                        } else {
                            only_admitted(&asks, &verdicts).into()
                        };
                        spent.push((shard, admitted));
                    }
                }
                Ok(Err(full)) => failure = Some(Unavailable::new(Part::RateLimiter, full)),
                Err(error) => failure = Some(Unavailable::new(Part::RateLimiter, error)),
            }
        }
        if refusal.is_none() && failure.is_none() {
            return Ok(spent);
        }
        self.give_back_instance(&spent);
        match (refusal, failure) {
            (None, Some(failure)) => Err(Denied::Unavailable(failure)),
            (Some(refusal), _) => Err(Denied::Refused(refusal)),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Asks the cluster's counters. Answers what was spent.
    async fn ask_cluster(
        &self,
        operation: Operation,
        asked: Vec<(&Arc<Rule>, &Arc<Tally>, Counter)>,
    ) -> Result<Vec<Counter>, Denied> {
        let counters: Vec<_> = asked.iter().map(|(_, _, counter)| counter.clone()).collect();
        let verdicts = match self.0.counters.check(&counters).await {
            Ok(verdicts) => verdicts,
            Err(error) if operation.is_strict() => return Err(Denied::Unavailable(error)),
            Err(_) => {
                for (_, tally, _) in &asked {
                    tally.uncounted.increment(1);
                }
                return Ok(Vec::new());
            }
        };
        let mut refusal = None;
        for ((rule, tally, _), &verdict) in asked.iter().zip(&verdicts) {
            refusal = longest(refusal, tally.count(rule, verdict));
        }
        match refusal {
            Some(refusal) => Err(Denied::Refused(refusal)),
            None => Ok(only_admitted(&counters, &verdicts)),
        }
    }

    fn shard_of(&self, ask: &Ask) -> usize {
        match self.0.shards.count() {
            1 => 0,
            count => (self.0.hasher.hash_one((&ask.rule.id, &ask.key)) % count as u64) as usize,
        }
    }
}

impl InForce {
    fn new(rules: &RuleSet) -> Self {
        let rules: Vec<_> = rules
            .rules()
            .iter()
            .map(|rule| (Arc::clone(rule), Arc::new(Tally::new(rule))))
            .collect();
        Self(Operation::ALL.map(|operation| {
            let applying = rules.iter().filter(|(rule, _)| rule.applies_to(operation));
            applying.cloned().collect()
        }))
    }
}

impl Tally {
    fn new(rule: &Rule) -> Self {
        let decisions = |outcome: &'static str| metrics::counter!("ringback_limiter_decisions_total", "rule" => rule.id.to_string(), "outcome" => outcome);
        Self {
            admitted: decisions("admitted"),
            refused: decisions("refused"),
            shadow_refused: decisions("shadow_refused"),
            uncounted: metrics::counter!("ringback_limiter_uncounted_total", "rule" => rule.id.to_string()),
        }
    }

    /// Counts a rule's own verdict, whatever the others say. Answers its refusal if it is enforced.
    fn count(&self, rule: &Rule, verdict: Verdict) -> Option<Refusal> {
        match (verdict, rule.mode) {
            (Verdict::Admitted { .. }, _) => self.admitted.increment(1),
            (Verdict::Refused { retry_after_us }, Mode::Enforce) => {
                self.refused.increment(1);
                return Some(Refusal::new(rule, retry_after_us));
            }
            (Verdict::Refused { .. }, Mode::Shadow | Mode::Off) => {
                self.shadow_refused.increment(1);
                tracing::info!(limits.rule = &*rule.id, "a shadow rule would have refused");
            }
        }
        None
    }
}

/// Of two refusals the one to wait longer for: who comes back earlier is refused again.
fn longest(one: Option<Refusal>, other: Option<Refusal>) -> Option<Refusal> {
    one.into_iter()
        .chain(other)
        .max_by_key(|refusal| refusal.retry_after)
}

/// What was spent: a shadow rule that would have refused has taken nothing.
fn only_admitted<T: Clone>(asked: &[T], verdicts: &[Verdict]) -> Vec<T> {
    let admitted = asked
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| !verdict.is_refused());
    admitted.map(|(asked, _)| asked.clone()).collect()
}
