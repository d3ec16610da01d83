//! What everyone calls: admits a request, or says which rule refuses it and for how long.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Admission, ClusterCounters, Counter, Denied, Mode, Operation, Refusal, Rule, RuleSet, Scope, Shadowed,
    Subject, Verdict, actor::Housekeeper, decision::longest, in_force::InForce, rule::IfStoreLost,
    shadow::RuleTag, shards::Shards,
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
    /// Keys of instance rules that are held at most.
    pub max_keys: usize,
    /// Instances of the service: they share a cluster rule's quota while its counters are away.
    pub instances: u32,
}

/// Admits requests by the rules in force. Clones share everything.
#[derive(Clone)]
pub struct Limiter(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub shards: Arc<Shards>,
    housekeeper: Housekeeper,
    pub counters: Arc<dyn ClusterCounters>,
    instances: u32,
    rules: RwLock<Arc<InForce>>,
    /// When the cluster's counters are asked again by rules that can do without.
    store_lost_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// Starts the limiter, with the actor that keeps house for it.
    pub fn start(
        supervision: &Supervision,
        options: LimiterOptions,
        rules: RuleSet,
        counters: Arc<dyn ClusterCounters>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shards = Arc::new(Shards::new(options.max_keys, clock));
        let in_force = InForce::new(rules, options.instances, counters.lie_together());
        Self(Arc::new(Inner {
            housekeeper: Housekeeper::start(supervision, Arc::clone(&shards)),
            shards,
            counters,
            instances: options.instances,
            rules: RwLock::new(Arc::new(in_force)),
            store_lost_until: Mutex::default(),
        }))
    }

    /// Puts other rules in force. Counters of rules that keep their id and what they count by are kept.
    pub fn replace(&self, rules: RuleSet) {
        let in_force = InForce::new(rules, self.0.instances, self.0.counters.lie_together());
        let in_process = in_force.in_process();
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_force);
        self.0.housekeeper.keep(in_process);
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
    /// rule that is enforced can't be counted: there is no room for its key, or its store is lost and it says `refuse`
    /// to that ([`Rule::if_store_lost`]).
    pub async fn admit(&self, operation: Operation, subject: &Subject) -> Result<Admission, Denied> {
        let in_force = self.in_force();
        let mut admission = Admission::new(operation, Arc::clone(&in_force));
        let (mut asks, mut counted) = (Vec::new(), Vec::new());
        let applying = in_force.on(operation);
        if applying.iter().any(|applying| applying.rides) {
            admission.riders.reserve(applying.len());
            admission.riding.reserve(applying.len());
        }
        for (at, applying) in applying.iter().enumerate() {
            let rule = &applying.rule;
            if rule.scope == Scope::Instance {
                asks.extend(rule.key(subject).map(|key| (at, key)));
            } else if let Some(counter) = applying.counter(subject) {
                if applying.rides {
                    admission.riders.push(counter);
                    admission.riding.push(at);
                } else {
                    counted.push((at, counter));
                }
            }
        }
        self.ask_instance(asks, &mut admission)?;
        if !counted.is_empty()
            && let Err(denied) = self.ask_cluster(subject, counted, &mut admission).await
        {
            self.give_back_instance(&admission, 0);
            return Err(denied);
        }
        Ok(admission)
    }

    /// Takes the riders' verdicts, in the order of [`Admission::riders`], from the script that counted them. When an
    /// enforced one refused, the request is refused, and what the admission had spent is given back.
    pub async fn settle(&self, admission: Admission, verdicts: &[Verdict]) -> Option<Refusal> {
        let mut refusal = None;
        for (&at, &verdict) in admission.riding.iter().zip(verdicts) {
            let rider = admission.applying(at);
            if let Some(refused) = rider.tally.count(&rider.rule, verdict) {
                refusal = longest(refusal, refused);
            }
        }
        if refusal.is_some() {
            self.give_back(admission).await;
        }
        refusal
    }

    /// Gives back what an admission spent. If Redis is away it stays spent, and drains.
    pub async fn give_back(&self, admission: Admission) {
        self.give_back_instance(&admission, 0);
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

    /// Gives back what was spent in this process, but for the first so many rules.
    fn give_back_instance(&self, admission: &Admission, but: usize) {
        for (at, key) in admission.instance.iter().skip(but) {
            self.0.shards.give_back(&admission.applying(*at).rule, key);
        }
    }

    /// Asks this process's counters, and notes in the admission what was spent. Rules of the cluster are asked for its
    /// share.
    fn ask_instance(&self, asks: Vec<(usize, String)>, admission: &mut Admission) -> Result<(), Denied> {
        if asks.is_empty() {
            return Ok(());
        }
        let (now_us, in_force) = (self.0.shards.now_us(), Arc::clone(&admission.in_force));
        let spent_before = admission.instance.len();
        let (mut refusal, mut failure) = (None, None);
        for (at, key) in asks {
            let applying = &in_force.on(admission.operation)[at];
            let rule = applying.share.as_ref().unwrap_or(&applying.rule);
            match self.0.shards.check(rule, &key, now_us) {
                Ok(verdict) => {
                    if let Some(refused) = applying.tally.count(rule, verdict) {
                        refusal = longest(refusal, refused);
                    }
                    note_shadow(rule, verdict, admission);
                    if !verdict.is_refused() {
                        admission.instance.push((at, key));
                    }
                }
                Err(full) if admission.operation.is_strict() => failure = Some(full),
                Err(_) => applying.tally.uncounted.increment(1),
            }
        }
        let failure = failure.map(|full| Unavailable::new(Part::RateLimiter, full));
        let refused = refusal.map(Denied::Refused).or(failure.map(Denied::Unavailable));
        refused.map_or(Ok(()), |denied| {
            self.give_back_instance(admission, spent_before);
            Err(denied)
        })
    }

    /// Asks the cluster's counters, or while they are away this instance for its share, and notes in the admission
    /// what was spent.
    async fn ask_cluster(
        &self,
        subject: &Subject,
        asked: Vec<(usize, Counter)>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let operation = admission.operation;
        let needs_store = |at: usize| {
            let rule = &admission.applying(at).rule;
            rule.mode == Mode::Enforce && rule.if_store_lost(operation) == IfStoreLost::Refuse
        };
        let needed = asked.iter().any(|(at, _)| needs_store(*at));
        let (places, counters): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
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
                return self.ask_shares(subject, places, admission);
            }
        };
        let (mut refusal, in_force) = (None, Arc::clone(&admission.in_force));
        for ((at, counter), &verdict) in places.into_iter().zip(counters).zip(&verdicts) {
            let applying = &in_force.on(operation)[at];
            if let Some(refused) = applying.tally.count(&applying.rule, verdict) {
                refusal = longest(refusal, refused);
            }
            note_shadow(&applying.rule, verdict, admission);
            if !verdict.is_refused() {
                admission.cluster.push((at, counter));
            }
        }
        refusal.map_or(Ok(()), |refusal| Err(Denied::Refused(refusal)))
    }

    /// Counts cluster rules in this process, against its share of their quotas.
    fn ask_shares(
        &self,
        subject: &Subject,
        places: Vec<usize>,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        let mut asks = Vec::new();
        for at in places {
            let (rule, tally) = (&admission.applying(at).rule, &admission.applying(at).tally);
            let is_local = rule.if_store_lost(admission.operation) == IfStoreLost::Local;
            if let (true, Some(key)) = (is_local, rule.key(subject)) {
                tally.local.increment(1);
                asks.push((at, key));
            } else {
                tally.uncounted.increment(1);
            }
        }
        self.ask_instance(asks, admission)
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

fn note_shadow(rule: &Rule, verdict: Verdict, admission: &mut Admission) {
    if rule.mode == Mode::Shadow && verdict.is_refused() {
        admission.shadowed.push(RuleTag::of(&rule.id));
    }
}
