//! What everyone calls: admits a request, or says which rule refuses it and for how long.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    Admission, ClusterCounters, Counter, Denied, Mode, Operation, Refusal, Rider, Rule, RuleSet, Scope,
    Shadowed, Subject, Verdict,
    actor::Shards,
    decision::longest,
    in_force::{Applying, InForce},
    rule::IfStoreLost,
    shadow::RuleTag,
    shard::Ask,
};
use crate::{
    clock::Clock,
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};

/// When the cluster's counters gave no answer, rules that can do without them don't ask again for so long: each would
/// wait for a time-out.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How large the limiter may grow.
#[derive(Debug, Clone, Copy)]
pub struct LimiterOptions {
    /// Actors that share the instance rules' counters; each has a thread of its own if there are several.
    pub shards: usize,
    /// Requests that may wait for one shard.
    pub queue: usize,
    /// Keys of instance rules that are held at most, over all shards.
    pub max_keys: usize,
    /// Instances of the service: they share a cluster rule's quota while its counters are away.
    pub instances: u32,
}

/// Admits requests by the rules in force. Clones share everything.
#[derive(Clone)]
pub struct Limiter(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub shards: Shards,
    pub counters: Arc<dyn ClusterCounters>,
    instances: u32,
    rules: RwLock<Arc<InForce>>,
    hasher: RandomState,
    /// When the cluster's counters are asked again by rules that can do without.
    store_lost_until: Mutex<Option<Instant>>,
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
            instances: options.instances,
            rules: RwLock::new(Arc::new(InForce::new(rules, options.instances))),
            hasher: RandomState::new(),
            store_lost_until: Mutex::default(),
        }))
    }

    /// Puts other rules in force. Counters of rules that keep their id and what they count by are kept.
    pub fn replace(&self, rules: RuleSet) {
        let in_force = Arc::new(InForce::new(rules, self.0.instances));
        let in_process = in_force.in_process();
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = in_force;
        self.0.shards.keep(&in_process);
    }

    /// The rules in force.
    pub fn rules(&self) -> RuleSet {
        self.in_force().rules().clone()
    }

    pub(super) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks every rule that applies; the instance's first, so that what they refuse costs no I/O.
    ///
    /// # Errors
    /// [`Denied::Refused`] when a rule that is enforced refuses: nothing is spent then. [`Denied::Unavailable`] when a
    /// limiter actor is busy, or a rule that is enforced can't be counted and says `refuse` to that
    /// ([`Rule::if_store_lost`]).
    pub async fn admit(&self, operation: Operation, subject: &Subject) -> Result<Admission, Denied> {
        let in_force = self.in_force();
        let mut admission = Admission::default();
        let (mut asks, mut counted) = (Vec::new(), Vec::new());
        for applying in in_force.on(operation) {
            let rule = &applying.rule;
            if rule.scope == Scope::Instance {
                asks.extend(rule.key(subject).map(|key| (ask(rule, key), applying)));
            } else if let Some(counter) = rule.counter(subject) {
                if rule.rides(operation) {
                    admission.riders.push(Rider {
                        rule: Arc::clone(rule),
                        counter,
                        tally: Arc::clone(&applying.tally),
                    });
                } else {
                    counted.push((counter, applying));
                }
            }
        }
        if !asks.is_empty() {
            self.ask_shards(operation, asks, &mut admission).await?;
        }
        if !counted.is_empty()
            && let Err(denied) = self
                .ask_cluster(operation, subject, counted, &mut admission)
                .await
        {
            self.give_back_instance(&admission.instance);
            return Err(denied);
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

    /// Gives back what an admission spent. If Redis is away it stays spent, and drains.
    pub async fn give_back(&self, admission: Admission) {
        self.give_back_instance(&admission.instance);
        if admission.cluster.is_empty() {
            return;
        }
        let counters: Vec<_> = admission
            .cluster
            .into_iter()
            .map(|(_, counter)| counter)
            .collect();
        if let Err(error) = self.0.counters.give_back(&counters).await {
            tracing::warn!(%error, "a request stays counted though it should cost nothing");
        }
    }

    /// A challenge was issued though these shadow rules would have refused it.
    pub fn shadowed_issued(&self, shadowed: &Shadowed) {
        if !shadowed.is_empty() {
            let in_force = self.in_force();
            in_force
                .tagged(|tag| shadowed.names(tag))
                .for_each(|tally| tally.shadow_issued.increment(1));
        }
    }

    /// A right code followed to such a challenge.
    pub fn shadowed_verified(&self, shadowed: &Shadowed) {
        if !shadowed.is_empty() {
            let in_force = self.in_force();
            in_force
                .tagged(|tag| shadowed.names(tag))
                .for_each(|tally| tally.shadow_verified.increment(1));
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
        for (shard, asks) in spent.iter().filter(|(_, asks)| !asks.is_empty()) {
            self.0.shards.give_back(*shard, Arc::clone(asks));
        }
    }

    /// Asks the shards, each once, and notes in the admission what was spent where.
    async fn ask_shards(
        &self,
        operation: Operation,
        asked: Vec<(Ask, &Applying)>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let mut by_shard: BTreeMap<usize, (Vec<Ask>, Vec<&Applying>)> = BTreeMap::new();
        for (ask, applying) in asked {
            let (asks, rules) = by_shard.entry(self.shard_of(&ask)).or_default();
            asks.push(ask);
            rules.push(applying);
        }
        let questions = by_shard.into_iter().map(|(shard, (asks, rules))| async move {
            let asks: Arc<[Ask]> = asks.into();
            let answer = self
                .0
                .shards
                .check(shard, Arc::clone(&asks), operation.is_strict())
                .await;
            (shard, asks, rules, answer)
        });
        let (mut spent, mut refusal, mut failure) = (Vec::new(), None, None);
        for (shard, asks, rules, answer) in join_all(questions).await {
            let verdicts = match answer {
                Ok(Ok(verdicts)) => verdicts,
                Ok(Err(full)) => {
                    failure = Some(Unavailable::new(Part::RateLimiter, full));
                    continue;
                }
                Err(error) => {
                    failure = Some(Unavailable::new(Part::RateLimiter, error));
                    continue;
                }
            };
            let mut here = None;
            for ((ask, applying), &verdict) in asks.iter().zip(rules).zip(&verdicts) {
                here = longest(here, applying.tally.count(&ask.rule, verdict));
                note_shadow(&ask.rule, verdict, admission);
            }
            if here.is_none() {
                spent.push((shard, only_admitted(asks, &verdicts)));
            }
            refusal = longest(refusal, here); // a shard that refuses has spent nothing itself
        }
        let refused = refusal.map(Denied::Refused).or(failure.map(Denied::Unavailable));
        let Some(denied) = refused else {
            admission.instance.extend(spent);
            return Ok(());
        };
        self.give_back_instance(&spent);
        Err(denied)
    }

    /// Asks the cluster's counters, or while they are away this instance for its share, and notes in the admission
    /// what was spent.
    async fn ask_cluster(
        &self,
        operation: Operation,
        subject: &Subject,
        asked: Vec<(Counter, &Applying)>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let needs_store = |applying: &Applying| {
            applying.rule.mode == Mode::Enforce
                && applying.rule.if_store_lost(operation) == IfStoreLost::Refuse
        };
        let needed = asked.iter().any(|(_, applying)| needs_store(applying));
        let counters: Vec<_> = asked.iter().map(|(counter, _)| counter.clone()).collect();
        let answer = match needed || !self.store_is_lost() {
            true => Some(self.0.counters.check(&counters).await),
            false => None,
        };
        let verdicts = match answer {
            Some(Ok(verdicts)) => verdicts,
            Some(Err(error)) if needed => return Err(Denied::Unavailable(error)),
            lost => {
                if lost.is_some() {
                    *self.store_lost_until() = Some(Instant::now() + STORE_PAUSE);
                }
                let rules = asked.into_iter().map(|(_, applying)| applying);
                return self.ask_shares(operation, subject, rules, admission).await;
            }
        };
        let mut refusal = None;
        for ((counter, applying), &verdict) in asked.iter().zip(&verdicts) {
            refusal = longest(refusal, applying.tally.count(&applying.rule, verdict));
            note_shadow(&applying.rule, verdict, admission);
            if !verdict.is_refused() {
                admission
                    .cluster
                    .push((Arc::clone(&applying.rule), counter.clone()));
            }
        }
        refusal.map_or(Ok(()), |refusal| Err(Denied::Refused(refusal)))
    }

    /// Counts cluster rules in this process, against its share of their quotas.
    async fn ask_shares(
        &self,
        operation: Operation,
        subject: &Subject,
        rules: impl Iterator<Item = &Applying>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let mut asks = Vec::new();
        for applying in rules {
            let share = applying
                .share
                .as_ref()
                .filter(|share| share.if_store_lost(operation) == IfStoreLost::Local);
            if let (Some(share), Some(key)) = (share, applying.rule.key(subject)) {
                applying.tally.local.increment(1);
                asks.push((ask(share, key), applying));
            } else {
                applying.tally.uncounted.increment(1);
            }
        }
        self.ask_shards(operation, asks, admission).await
    }

    fn store_is_lost(&self) -> bool {
        let mut until = self.store_lost_until();
        if until.is_some_and(|until| until <= Instant::now()) {
            *until = None;
        }
        until.is_some()
    }

    fn store_lost_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0
            .store_lost_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shard_of(&self, ask: &Ask) -> usize {
        match self.0.shards.count() {
            1 => 0,
            count => (self.0.hasher.hash_one((&ask.rule.id, &ask.key)) % count as u64) as usize,
        }
    }
}

pub(super) fn ask(rule: &Arc<Rule>, key: String) -> Ask {
    Ask {
        rule: Arc::clone(rule),
        key: key.into_boxed_str(),
    }
}

fn note_shadow(rule: &Rule, verdict: Verdict, admission: &mut Admission) {
    if rule.mode == Mode::Shadow && verdict.is_refused() {
        admission.shadowed.push(RuleTag::of(&rule.id));
    }
}

/// What was spent: a shadow rule that would have refused has taken nothing.
fn only_admitted(asks: Arc<[Ask]>, verdicts: &[Verdict]) -> Arc<[Ask]> {
    if !verdicts.iter().any(|verdict| verdict.is_refused()) {
        return asks;
    }
    let admitted = asks
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| !verdict.is_refused());
    admitted.map(|(ask, _)| ask.clone()).collect()
}
