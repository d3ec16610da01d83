//! What operators ask the limiter: what a request would be answered, with nothing spent, and a customer's quota back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    active::ActiveRule,
    gcra::QuotaStatus,
    key::KeyDimension,
    limiter::Limiter,
    operation::Operation,
    refusal::Refusal,
    rule::{IfStoreLost, Mode, Rule, Scope, per_text},
    subject::Subject,
};
use crate::unavailable::Unavailable;

/// What one request would be answered now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Each rule that applies, in the order of the file.
    pub rules: Vec<RuleStatus>,
    /// The rule that would refuse it; of several the one to wait longest for.
    pub refused_by: Option<String>,
    /// Whether it would be answered 503, since a rule can't be counted.
    pub unavailable: bool,
    /// Whether it would be answered 400, since no code goes to such a phone.
    #[serde(default)]
    pub phone_not_supported: bool,
}

impl Explanation {
    fn of(rules: Vec<RuleStatus>) -> Self {
        let refusing = rules
            .iter()
            .filter(|standing| standing.verdict == Preview::Refuse);
        Self {
            refused_by: refusing
                .max_by_key(|standing| standing.wait_ms)
                .map(|standing| standing.rule.clone()),
            unavailable: rules
                .iter()
                .any(|standing| standing.verdict == Preview::Unavailable),
            rules,
            phone_not_supported: false,
        }
    }

    /// The same with further rules, which no limits file has.
    #[must_use]
    pub fn and(mut self, rules: Vec<RuleStatus>) -> Self {
        self.rules.extend(rules);
        Self::of(self.rules)
    }

    /// The same for a phone that no code goes to.
    #[must_use]
    pub fn not_supported(self) -> Self {
        Self {
            phone_not_supported: true,
            ..self
        }
    }

    /// The same for an operation that can't do without Redis, which is down.
    #[must_use]
    pub fn without_store(self) -> Self {
        Self {
            unavailable: true,
            ..self
        }
    }
}

/// How one rule stands towards one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    pub rule: String,
    pub by: String,
    /// Where it is counted now.
    pub scope: String,
    pub mode: String,
    pub quota: u32,
    /// Of the numbers, where they are amounts: in ten-thousandths of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub per: String,
    pub burst: u32,
    /// Requests that may come at once; none if it can't be counted.
    pub remaining: Option<u32>,
    /// Until one may, with a proof of work where the rule asks for one and refuses for now, in milliseconds; 0 if one may now.
    pub wait_ms: Option<u64>,
    /// Until the whole burst may come again, in milliseconds.
    pub full_in_ms: Option<u64>,
    pub verdict: Preview,
}

/// What a rule would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preview {
    Pass,
    /// 429.
    Refuse,
    /// 428: a proof of work lets it pass.
    AskForWork,
    /// It is a shadow: reported, no more.
    WouldRefuse,
    /// It can't be counted, and says `refuse` to that: 503.
    Unavailable,
    /// It can't be counted, and lets the request pass.
    Uncounted,
}

impl Limiter {
    /// What a request would be answered. Nothing is spent.
    pub async fn explain(&self, operation: Operation, subject: &Subject) -> Explanation {
        let active = self.active();
        active.prepare(subject);
        let key = |applying: &ActiveRule| applying.rule.key(subject);
        let keyed = |applying| Some((applying, key(applying)?));
        let applying: Vec<_> = active.on(operation).iter().filter_map(keyed).collect();
        let in_cluster = applying
            .iter()
            .filter(|(applying, _)| applying.rule.scope == Scope::Cluster);
        let counters: Vec<_> = in_cluster
            .filter_map(|(applying, _)| applying.counter(subject))
            .collect();
        let mut in_cluster = match self.0.counters.look(&counters).await {
            Ok(standings) => Some(standings.into_iter()),
            Err(_) => None,
        };
        let mut rules = Vec::with_capacity(applying.len());
        for (applying, key) in applying {
            let rule = &applying.rule;
            rules.push(match (rule.scope, &mut in_cluster, &applying.share) {
                (Scope::Instance, ..) => standing(rule, self.0.instance.look(rule, &key).await.ok()),
                (Scope::Cluster, Some(standings), _) => standing(rule, standings.next()),
                (Scope::Cluster, None, Some(share)) if local_alone(applying, operation) => {
                    standing(share, self.0.instance.look(share, &key).await.ok())
                }
                (Scope::Cluster, None, _) => standing(rule, None),
            });
        }
        Explanation::of(rules)
    }

    /// Gives a key the whole quota of a rule back: in the cluster, and in this process.
    ///
    /// # Errors
    /// [`Unavailable`] when the cluster's counter can't be reached.
    pub async fn reset(&self, rule: &Rule, key: &str) -> Result<(), Unavailable> {
        if rule.scope == Scope::Cluster {
            self.0.counters.reset(&rule.counter_of(key)).await?;
        }
        self.0.instance.reset(rule, key).await
    }
}

fn local_alone(applying: &ActiveRule, operation: Operation) -> bool {
    applying.rule.if_store_lost(operation) == IfStoreLost::Local && !applying.is_attached
}

fn standing(rule: &Rule, standing: Option<QuotaStatus>) -> RuleStatus {
    // Whoever is over the ceiling waits until a proof of work lets it pass.
    let worked_us = standing.map_or(0, |standing| rule.worked_room_us() + standing.raised_us);
    let (verdict, wait_us) = match (standing, rule.mode) {
        (Some(standing), _) if standing.wait_us == 0 => (Preview::Pass, 0),
        (Some(standing), Mode::Prove) if standing.wait_us <= worked_us => {
            (Preview::AskForWork, standing.wait_us)
        }
        (Some(standing), Mode::Prove) => (Preview::Refuse, standing.wait_us - worked_us),
        (Some(standing), mode) if mode.refuses() => (Preview::Refuse, standing.wait_us),
        (Some(standing), _) => (Preview::WouldRefuse, standing.wait_us),
        (None, mode) if mode.refuses() => (Preview::Unavailable, 0),
        (None, _) => (Preview::Uncounted, 0),
    };
    // Rounded up: who waits so long is not refused for a fraction.
    let millis = |us: i64| u64::try_from(us).unwrap_or_default().div_ceil(1000);
    RuleStatus {
        rule: rule.id.to_string(),
        by: rule.by.to_string(),
        scope: rule.scope.name().to_owned(),
        mode: rule.mode.name().to_owned(),
        quota: rule.quota,
        currency: rule.currency.map(|currency| currency.to_string()),
        per: per_text(rule.per),
        // More than the rule's where it has grown.
        burst: standing.map_or(rule.burst, |standing| rule.burst.max(standing.remaining)),
        remaining: standing.map(|standing| standing.remaining),
        wait_ms: standing.map(|_| millis(wait_us)),
        full_in_ms: standing.map(|standing| millis(standing.full_in_us)),
        verdict,
    }
}

impl RuleStatus {
    /// A rule that the limits file doesn't have, by what its refusal says: whole again after `full_in`, and until then
    /// refusing if none remains.
    pub fn of_refusal(rule: &Refusal, by: KeyDimension, remaining: u32, full_in: Duration) -> Self {
        let millis = u64::try_from(full_in.as_millis()).unwrap_or(u64::MAX);
        let refuses = remaining == 0;
        Self {
            rule: rule.rule.to_string(),
            by: by.to_string(),
            scope: rule.scope.name().to_owned(),
            mode: Mode::Enforce.name().to_owned(),
            quota: rule.quota,
            currency: None,
            per: per_text(rule.per),
            burst: rule.burst,
            remaining: Some(remaining),
            wait_ms: Some(if refuses { millis } else { 0 }),
            full_in_ms: Some(millis),
            verdict: if refuses { Preview::Refuse } else { Preview::Pass },
        }
    }
}
