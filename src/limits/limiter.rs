//! What everyone calls: admits a request, or says which rule refuses it and for how long.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    active::ActiveRules,
    decision::{Admission, Denied},
    instance::{Ask, Full, InstanceCounters, Request},
    money::Prices,
    pauses::Pause,
    refusal::{Refusal, longest},
    rule::{IfStoreLost, Mode, Rule, RuleSet},
    shadow_counts::Shadows,
    store::{ClusterCounters, Counter, Verdict},
    subject::Subject,
    tag::RuleTag,
    tally::Tally,
    work::Work,
};
use crate::{
    clock::Clock,
    outage,
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};

/// When the cluster's counters gave no answer, rules that can do without them don't ask again for so long: each would
/// wait for a time-out.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How large the limiter may grow.
#[derive(Debug, Clone, Copy)]
pub struct LimiterOptions {
    /// Keys of instance rules that are held at most.
    pub max_keys: usize,
    /// Actors that instance rules are counted by: one for each thread that serves requests.
    pub shards: usize,
    /// Instances of the service: they share a cluster rule's quota while its counters are unavailable.
    pub instances: u32,
}

/// Admits requests by the rules in force. Clones share everything.
#[derive(Clone)]
pub struct Limiter(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub instance: InstanceCounters,
    pub counters: Arc<dyn ClusterCounters>,
    instances: u32,
    rules: RwLock<Arc<ActiveRules>>,
    prices: RwLock<Arc<Prices>>,
    /// As they were when they were looked for last.
    pub pauses: RwLock<Arc<[Pause]>>,
    pub tally: Tally,
    pub shadows: Shadows,
    pub clock: Arc<dyn Clock>,
    /// When the cluster's counters are asked again by rules that can do without.
    store_lost_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// Starts the limiter, with its actors on this thread.
    pub fn start(
        supervision: &Supervision,
        options: LimiterOptions,
        rules: RuleSet,
        counters: Arc<dyn ClusterCounters>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let prices = Arc::new(Prices::shipped());
        let (shadows, together) = (Shadows::default(), counters.are_colocated());
        shadows.follow(&rules, clock.now().timestamp_millis());
        let active = ActiveRules::new(rules, options.instances, together, &prices, &shadows);
        Self(Arc::new(Inner {
            instance: InstanceCounters::start(
                supervision,
                options.shards,
                options.max_keys,
                Arc::clone(&clock),
            ),
            counters,
            instances: options.instances,
            rules: RwLock::new(Arc::new(active)),
            prices: RwLock::new(prices),
            pauses: RwLock::new(Arc::new([])),
            tally: Tally::default(),
            shadows,
            clock,
            store_lost_until: Mutex::default(),
        }))
    }

    /// Puts other rules in force. Counters of rules that keep their id and what they count by are kept.
    pub fn replace(&self, rules: RuleSet) {
        let (shadows, together) = (&self.0.shadows, self.0.counters.are_colocated());
        shadows.follow(&rules, self.now_ms());
        let active = ActiveRules::new(rules, self.0.instances, together, &self.prices(), shadows);
        let in_process = active.in_process();
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(active);
        self.0.instance.retain(&in_process);
    }

    /// Goes by other prices than those that the program carries.
    #[must_use]
    pub fn priced(self, prices: Arc<Prices>) -> Self {
        *self.0.prices.write().unwrap_or_else(PoisonError::into_inner) = prices;
        self.replace(self.rules());
        self
    }

    /// What rules that count money go by.
    pub fn prices(&self) -> Arc<Prices> {
        Arc::clone(&self.0.prices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// In milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> i64 {
        self.0.clock.now().timestamp_millis()
    }

    /// Has an actor live on this thread from now on: each thread that serves requests calls it once.
    pub fn settle_here(&self) {
        self.0.instance.settle_here();
    }

    /// Has all actors live on this thread, with what they have counted, before the threads of others end.
    pub async fn gather_here(&self) {
        self.0.instance.gather_here().await;
    }

    /// The rules in force.
    pub fn rules(&self) -> RuleSet {
        self.active().rules().clone()
    }

    /// Whether there is any rule.
    pub fn has_rules(&self) -> bool {
        !self.active().rules().rules().is_empty()
    }

    pub(super) fn active(&self) -> Arc<ActiveRules> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the attached' verdicts, in the order of [`Admission::attached`], from the script that counted them. When an
    /// enforced one refused, the request is refused, and what the admission had spent is given back.
    pub async fn settle(&self, admission: Admission, verdicts: &[Verdict]) -> Option<Refusal> {
        let mut refusal = None;
        for (&at, &verdict) in admission.attached_rules.iter().zip(verdicts) {
            let attached = admission.rule_at(at);
            if let Some(refused) = attached
                .metrics
                .count(&attached.rule, verdict, admission.has_worked)
            {
                refusal = longest(refusal, refused);
            }
        }
        let refusal = refusal?;
        let asked = admission.attached_rules.iter().zip(verdicts);
        let work = Work::of(
            asked.map(|(&at, &verdict)| (&*admission.rule_at(at).rule, verdict)),
            admission.has_worked,
        );
        self.give_back(admission).await;
        Some(refusal.for_network(work))
    }

    /// Gives back what an admission spent. If Redis is down it stays spent, and drains.
    pub async fn give_back(&self, mut admission: Admission) {
        let spent = std::mem::take(&mut admission.instance);
        self.give_back_instance(&admission, spent);
        if admission.cluster.is_empty() {
            return;
        }
        let counters: Vec<_> = admission
            .cluster
            .into_iter()
            .map(|(_, counter)| counter)
            .collect();
        if let Err(error) = self.0.counters.give_back(&counters).await {
            outage::note(&error);
            tracing::debug!(%error, "a request stays counted though it should cost nothing");
        }
    }

    /// Gives back what an admission spent in the cluster's rules alone, which count what costs money: the instance's, which shed floods, stay
    /// spent.
    pub async fn give_back_cluster(&self, admission: Admission) {
        let instance = Vec::new();
        self.give_back(Admission {
            instance,
            ..admission
        })
        .await;
    }

    /// Gives back what was spent in this process.
    pub(super) fn give_back_instance(&self, admission: &Admission, mut spent: Vec<Ask>) {
        while let Some((at, asks)) = self.of_one_shard(&mut spent) {
            self.0.instance.give_back(at, admission.request(asks, true));
        }
    }

    /// Asks this process's counters, shard by shard, and notes in the admission what was spent. Rules of the cluster are
    /// asked for its share. Once a shard has refused, the next ones spend nothing: they only tell how long they would
    /// refuse.
    pub(super) async fn ask_instance(
        &self,
        mut asks: Vec<Ask>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let spent_before = admission.instance.len();
        let (mut refusal, mut failure) = (None, None);
        while let Some((at, asks)) = self.of_one_shard(&mut asks) {
            let spends = refusal.is_none() && failure.is_none();
            match self.0.instance.decide(at, admission.request(asks, spends)).await {
                Ok(decided) => {
                    let (refused, full) = note_answers(decided, admission);
                    if let Some(refused) = refused {
                        refusal = longest(refusal, refused);
                    }
                    failure = failure.or(full.map(|full| Unavailable::new(Part::RateLimiter, full)));
                }
                Err(unavailable) => failure = Some(unavailable),
            }
        }
        let refused = refusal.map(Denied::Refused).or(failure.map(Denied::Unavailable));
        refused.map_or(Ok(()), |denied| {
            let spent = admission.instance.split_off(spent_before);
            self.give_back_instance(admission, spent);
            Err(denied)
        })
    }

    /// Takes those that lie in one shard out of `asks`; none when all are taken.
    fn of_one_shard(&self, asks: &mut Vec<Ask>) -> Option<(usize, Vec<Ask>)> {
        let shard_of = |ask: &Ask| self.0.instance.shard_of(ask.hash);
        let at = shard_of(asks.first()?);
        let all = std::mem::take(asks);
        if all.iter().all(|ask| shard_of(ask) == at) {
            return Some((at, all));
        }
        let (here, elsewhere) = all.into_iter().partition(|ask| shard_of(ask) == at);
        *asks = elsewhere;
        Some((at, here))
    }

    /// What is asked of a rule that is counted in this process; none where it doesn't apply.
    pub(super) fn ask_of(&self, at: usize, rule: &Rule, subject: &Subject) -> Option<Ask> {
        let key = rule.key(subject)?;
        Some(Ask {
            at,
            hash: self.0.instance.hash_of(rule.by, &key),
            key,
            answer: Err(Full),
        })
    }

    /// Asks the cluster's counters, or while they are away this instance for its share, and notes in the admission
    /// what was spent.
    pub(super) async fn ask_cluster(
        &self,
        subject: &Subject,
        asked: Vec<(usize, Counter)>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let operation = admission.operation;
        let needs_store = |at: usize| {
            let rule = &admission.rule_at(at).rule;
            rule.mode.refuses() && rule.if_store_lost(operation) == IfStoreLost::Refuse
        };
        let needed = asked.iter().any(|(at, _)| needs_store(*at));
        let (places, counters): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let answer = match needed || !self.store_is_lost() {
            true => Some(self.0.counters.check(&counters, false).await),
            false => None,
        };
        let verdicts = match answer {
            Some(Ok(verdicts)) => verdicts,
            Some(Err(error)) if needed => return Err(Denied::Unavailable(error)),
            lost => {
                if lost.is_some() {
                    *self.store_lost_until() = Some(Instant::now() + STORE_PAUSE);
                }
                return self.ask_shares(subject, places, admission).await;
            }
        };
        let (mut refusal, active) = (None, Arc::clone(&admission.active));
        let asked_rules = places.clone();
        for ((at, counter), &verdict) in places.into_iter().zip(counters).zip(&verdicts) {
            let applying = &active.on(operation)[at];
            if let Some(refused) = applying
                .metrics
                .count(&applying.rule, verdict, admission.has_worked)
            {
                refusal = longest(refusal, refused);
            }
            note_shadow(&applying.rule, verdict, admission);
            match (verdict.is_refused(), counter.by_message) {
                (true, _) => {}
                (false, true) => admission.by_message.push((at, counter)),
                (false, false) => admission.cluster.push((at, counter)),
            }
        }
        let Some(refusal) = refusal else {
            return Ok(());
        };
        let asked = asked_rules.into_iter().zip(&verdicts);
        let work = Work::of(
            asked.map(|(at, &verdict)| (&*active.on(operation)[at].rule, verdict)),
            admission.has_worked,
        );
        Err(Denied::Refused(refusal.for_network(work)))
    }

    /// Counts cluster rules in this process, against its share of their quotas.
    async fn ask_shares(
        &self,
        subject: &Subject,
        places: Vec<usize>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let mut asks = Vec::new();
        for at in places {
            let (rule, metrics) = (&admission.rule_at(at).rule, &admission.rule_at(at).metrics);
            let is_local = rule.if_store_lost(admission.operation) == IfStoreLost::Local;
            if is_local && let Some(ask) = self.ask_of(at, rule, subject) {
                metrics.local.increment(1);
                asks.push(ask);
            } else {
                metrics.uncounted.increment(1);
            }
        }
        self.ask_instance(asks, admission).await
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
}

/// Counts what a shard answered, and notes in the admission what it spent. Answers the longest refusal of a rule, and
/// whether a key that has to be counted found no room.
fn note_answers(mut decided: Request, admission: &mut Admission) -> (Option<Refusal>, Option<Full>) {
    let (mut refusal, mut failure) = (None, None);
    for ask in &decided.asks {
        let active = &decided.rules.on(decided.operation)[ask.at];
        let rule = active.counted_here();
        match ask.answer {
            Ok(verdict) => {
                if let Some(refused) = active.metrics.count(rule, verdict, admission.has_worked) {
                    refusal = longest(refusal, refused);
                }
                note_shadow(rule, verdict, admission);
            }
            Err(full) if decided.operation.is_strict() => failure = Some(full),
            Err(Full) => active.metrics.uncounted.increment(1),
        }
    }
    if decided.spends && refusal.is_none() && failure.is_none() {
        decided
            .asks
            .retain(|ask| ask.answer.is_ok_and(|verdict| !verdict.is_refused()));
        match admission.instance.is_empty() {
            true => admission.instance = decided.asks,
            false => admission.instance.append(&mut decided.asks),
        }
    }
    (refusal, failure)
}

fn note_shadow(rule: &Rule, verdict: Verdict, admission: &mut Admission) {
    if rule.mode == Mode::Shadow && verdict.is_refused() {
        admission.shadowed.push(RuleTag::of(&rule.id));
    }
}
