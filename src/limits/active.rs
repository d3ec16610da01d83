//! The rules in force, sorted by what they are looked at for, each with its metrics.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    counting::CounterTemplate,
    money::Prices,
    operation::Operation,
    refusal::Refusal,
    rule::{Counts, Mode, Rule, RuleSet, Scope},
    shadow_counts::{ShadowCounts, Shadows},
    store::{Counter, Verdict},
    subject::Subject,
    tag::RuleTag,
};

/// A rule as the limiter goes by it.
#[derive(Debug, Clone)]
pub(super) struct ActiveRule {
    pub rule: Arc<Rule>,
    counting: Arc<CounterTemplate>,
    pub metrics: Arc<RuleMetrics>,
    /// What a cluster rule becomes while the cluster's counters are unavailable.
    pub share: Option<Arc<Rule>>,
    /// Whether the script that does the work of the operation counts it in the same step.
    pub is_attached: bool,
}

impl ActiveRule {
    /// The rule that this process counts by: its share of a cluster rule.
    pub fn counted_here(&self) -> &Arc<Rule> {
        self.share.as_ref().unwrap_or(&self.rule)
    }

    /// The cluster's counter that `subject` spends from; `None` where the rule doesn't apply to it.
    pub fn counter(&self, subject: &Subject) -> Option<Counter> {
        self.counting.counter(&self.rule, subject)
    }
}

/// All rules that are in force.
pub(super) struct ActiveRules {
    rules: RuleSet,
    all: Vec<ActiveRule>,
    /// In the order of [`Operation::ALL`].
    by_operation: [Vec<ActiveRule>; Operation::ALL.len()],
    /// Those that count unverified messages.
    unverified: Vec<ActiveRule>,
    /// Whether a rule asks which list of networks a client is in.
    asks_for_networks: bool,
}

impl ActiveRules {
    /// `instances` share the quotas of cluster rules while their counters are unavailable; `together` says whether all of these
    /// lie in one place otherwise. `prices` are for those that count money.
    pub fn new(
        rules: RuleSet,
        instances: u32,
        together: bool,
        prices: &Arc<Prices>,
        shadows: &Shadows,
    ) -> Self {
        let applying = |rule: &Arc<Rule>| ActiveRule {
            rule: Arc::clone(rule),
            counting: Arc::new(CounterTemplate::priced(rule, prices)),
            metrics: Arc::new(RuleMetrics::new(rule, shadows)),
            share: (rule.scope == Scope::Cluster).then(|| Arc::new(rule.share_of(instances))),
            is_attached: false,
        };
        let all: Vec<_> = rules.rules().iter().map(applying).collect();
        let by_operation = Operation::ALL.map(|operation| {
            let applying = all.iter().filter(|applying| applying.rule.applies_to(operation));
            let is_attached = |applying: &ActiveRule| ActiveRule {
                is_attached: applying.rule.is_attached(operation, together),
                ..applying.clone()
            };
            applying.map(is_attached).collect()
        });
        let is_unverified =
            |active: &&ActiveRule| active.rule.counts == Counts::Unverified && active.rule.mode != Mode::Off;
        Self {
            asks_for_networks: rules.rules().iter().any(|rule| rule.asks_for_network()),
            rules,
            unverified: all.iter().filter(is_unverified).cloned().collect(),
            all,
            by_operation,
        }
    }

    /// In the order of the file.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// What is asked for a request of this kind, in the order of the file.
    pub fn on(&self, operation: Operation) -> &[ActiveRule] {
        &self.by_operation[operation as usize]
    }

    /// Whether a rule asks for proofs of work.
    pub fn asks_for_work(&self) -> bool {
        self.all.iter().any(|active| active.rule.mode == Mode::Prove)
    }

    /// Looks for the list of networks that a client is in, if a rule asks for it.
    pub fn prepare(&self, subject: &Subject) {
        if self.asks_for_networks {
            subject.note_network(self.rules.networks());
        }
    }

    /// Those that count unverified messages.
    pub fn unverified(&self) -> &[ActiveRule] {
        &self.unverified
    }

    /// All rules as they are counted in this process: cluster rules as their shares.
    pub fn in_process(&self) -> RuleSet {
        let rule = |applying: &ActiveRule| Rule::clone(applying.counted_here());
        RuleSet::new(self.all.iter().map(rule).collect())
    }

    /// The tallies of the rules that a tag stands for.
    pub fn tagged(&self, is_named: impl Fn(RuleTag) -> bool) -> impl Iterator<Item = &RuleMetrics> {
        let named = self
            .all
            .iter()
            .filter(move |applying| is_named(RuleTag::of(&applying.rule.id)));
        named.map(|applying| applying.metrics.as_ref())
    }
}

impl fmt::Debug for ActiveRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActiveRules({} rules)", self.all.len())
    }
}

/// A rule's metrics.
#[derive(Debug)]
pub(super) struct RuleMetrics {
    admitted: metrics::Counter,
    refused: metrics::Counter,
    proof_required: metrics::Counter,
    shadow_refused: metrics::Counter,
    /// Asked for in this process, since the cluster's counters were away.
    pub local: metrics::Counter,
    /// Not asked, for the same reason.
    pub uncounted: metrics::Counter,
    /// Challenges that were issued though the rule, as a shadow, would have refused.
    shadow_issued: metrics::Counter,
    /// Those of them that a right code followed: people whom the rule would have wronged.
    shadow_verified: metrics::Counter,
    /// The same for operators, if it is a shadow.
    shadow: Option<Arc<ShadowCounts>>,
}

impl RuleMetrics {
    fn new(rule: &Rule, shadows: &Shadows) -> Self {
        let decisions = |outcome: &'static str| metrics::counter!("ringback_limiter_decisions_total", "rule" => rule.id.to_string(), "outcome" => outcome);
        let challenges = |outcome: &'static str| metrics::counter!("ringback_limiter_shadow_challenges_total", "rule" => rule.id.to_string(), "outcome" => outcome);
        Self {
            admitted: decisions("admitted"),
            refused: decisions("refused"),
            proof_required: decisions("proof_required"),
            shadow_refused: decisions("shadow_refused"),
            local: metrics::counter!("ringback_limiter_local_total", "rule" => rule.id.to_string()),
            uncounted: metrics::counter!("ringback_limiter_uncounted_total", "rule" => rule.id.to_string()),
            shadow_issued: challenges("issued"),
            shadow_verified: challenges("verified"),
            shadow: shadows.of(&rule.id),
        }
    }

    /// A challenge was issued though the rule, as a shadow, would have refused.
    pub fn count_shadow_issued(&self) {
        self.shadow_issued.increment(1);
        if let Some(shadow) = &self.shadow {
            shadow.issued.fetch_add(1, Relaxed);
        }
    }

    /// A right code followed to such a challenge.
    pub fn count_shadow_verified(&self) {
        self.shadow_verified.increment(1);
        if let Some(shadow) = &self.shadow {
            shadow.verified.fetch_add(1, Relaxed);
        }
    }

    /// Counts a rule's own verdict, whatever the others say. Answers its refusal if it is enforced. `has_worked` says that the
    /// request brought a proof of work.
    pub fn count(&self, rule: &Rule, verdict: Verdict, has_worked: bool) -> Option<Refusal> {
        match (verdict, rule.mode) {
            (Verdict::Admitted { .. }, _) => self.admitted.increment(1),
            (Verdict::Refused { retry_after_us }, Mode::Enforce | Mode::Prove) => {
                let refusal = Refusal::new(rule, retry_after_us, has_worked);
                match refusal.work {
                    Some(_) => self.proof_required.increment(1),
                    None => self.refused.increment(1),
                }
                return Some(refusal);
            }
            (Verdict::Refused { .. }, Mode::Shadow | Mode::Off) => {
                self.shadow_refused.increment(1);
                if let Some(shadow) = &self.shadow {
                    shadow.refused.fetch_add(1, Relaxed);
                }
                tracing::info!(limits.rule = &*rule.id, "a shadow rule would have refused");
            }
        }
        None
    }
}
