//! What a rule is, which requests it applies to, and which counter it asks for one.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    asker::Claimants,
    key::{KeyDimension, RuleKey},
    money::{Currency, PER_ONE, amount_text},
    networks::Networks,
    operation::Operation,
    subject::Subject,
};
use crate::channel::Channel;

pub use super::kinds::{Counts, IfStoreLost, Mode, Scope};

/// One rule of the limits file. Made by [`super::file::parse`], which alone knows that the numbers are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; named in answers, logs and metrics. Letters, digits and `-`: safe in keys and headers.
    pub id: Arc<str>,
    /// `None` is `any`.
    pub on: Option<Operation>,
    pub by: RuleKey,
    /// The channel that the code goes by; with none the rule counts all channels together, and requests without a code.
    pub channel: Option<Channel>,
    pub counts: Counts,
    /// How it counts accounts that ask about an address that they have not proven.
    pub claimants: Claimants,
    /// Of the amounts that follow, where it counts money; they are in ten-thousandths of it.
    pub currency: Option<Currency>,
    /// Lists of networks to whose clients it doesn't apply.
    pub except: Arc<[Arc<str>]>,
    /// Requests per [`Rule::per`].
    pub quota: u32,
    pub per: Duration,
    /// Requests that may come at once, `1..=quota`.
    pub burst: u32,
    /// What the burst of one key may grow to, by codes that are typed; the burst itself where it doesn't grow.
    pub grows_to: u32,
    /// What the burst is for a request with a proof of work; the burst itself where none is asked for.
    pub ceiling: u32,
    pub scope: Scope,
    pub mode: Mode,
    /// `None` leaves it to the operation: see [`Rule::if_store_lost`].
    pub if_store_lost: Option<IfStoreLost>,
}

impl Rule {
    /// Microseconds that one request costs: `per / quota`, rounded up, so that no quota is ever exceeded.
    pub fn emission_us(&self) -> i64 {
        let per_us = i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX);
        let quota = i64::from(self.quota.max(1));
        per_us / quota + i64::from(per_us % quota != 0)
    }

    /// Its quota for clients: of money, in whole units of the currency.
    pub fn whole_quota(&self) -> u32 {
        match self.counts {
            Counts::Money => (self.quota / PER_ONE).max(1),
            _ => self.quota,
        }
    }

    /// By how much its burst is larger for a request with a proof of work.
    pub fn worked_by(&self) -> u32 {
        match self.mode {
            Mode::Prove => self.ceiling.saturating_sub(self.burst),
            Mode::Enforce | Mode::Shadow | Mode::Off => 0,
        }
    }

    /// The same as a time, in microseconds: who waits so long without a proof passes with one.
    pub fn worked_room_us(&self) -> i64 {
        self.emission_us() * i64::from(self.worked_by())
    }

    /// Whether it is looked at for `operation`. What codes may cost, notices spend as well.
    pub fn applies_to(&self, operation: Operation) -> bool {
        let applies = match (self.on, operation) {
            (on, Operation::Notice) => {
                on == Some(operation) || (on == Some(Operation::OtpSend) && self.counts == Counts::Money)
            }
            (on, _) => on.is_none_or(|on| on == operation),
        };
        applies && self.mode != Mode::Off
    }

    /// Whether the script that issues or judges a code counts it, in one step with the challenge: every cluster rule
    /// where all counters lie `together`, and elsewhere those of the address alone.
    pub fn is_attached(&self, operation: Operation, together: bool) -> bool {
        let is_address = [KeyDimension::Phone, KeyDimension::Email].map(RuleKey::from);
        let is_near = together || is_address.contains(&self.by);
        self.scope == Scope::Cluster && is_near && operation.attaches_counters()
    }

    /// What becomes of a request of this kind while it can't be counted; unless the rule says otherwise, strict
    /// operations are refused and the others go on.
    pub fn if_store_lost(&self, operation: Operation) -> IfStoreLost {
        self.if_store_lost.unwrap_or(match operation.is_strict() {
            true => IfStoreLost::Refuse,
            false => IfStoreLost::Local,
        })
    }

    /// The rule that one of `instances` processes counts by while the cluster's counters are unavailable: all of them
    /// together admit no more than this one, if each has room for a request at all.
    pub fn share_of(&self, instances: u32) -> Self {
        let share = |number: u32| (number / instances.max(1)).max(1);
        Self {
            quota: share(self.quota),
            burst: share(self.burst),
            grows_to: share(self.burst),
            ceiling: share(self.burst),
            scope: Scope::Instance,
            ..self.clone()
        }
    }

    /// Which counter `subject` spends from; `None` where the rule doesn't apply to it.
    pub fn key(&self, subject: &Subject) -> Option<String> {
        self.fits(subject)
            .then(|| subject.key(self.by, self.claimants))
            .flatten()
    }

    /// Whether the rule is for the channel that the request's code goes by, and for the client's network. An e-mail costs nothing
    /// that is counted.
    pub(super) fn fits(&self, subject: &Subject) -> bool {
        let is_excepted = || {
            let network = subject.network();
            self.except.iter().any(|name| Some(&**name) == network)
        };
        let channel = subject.channel();
        (self.channel.is_none() || self.channel == channel)
            && (self.counts != Counts::Money
                || (channel == Some(Channel::Sms) && subject.phone_digest().is_some()))
            && (self.except.is_empty() || !is_excepted())
    }

    /// Whether it has to be known which list of networks a client is in.
    pub(super) fn asks_for_network(&self) -> bool {
        !self.except.is_empty() || self.by.parts().any(|by| by == KeyDimension::Network)
    }

    /// A number of it in words: an amount, where it counts money.
    pub fn told(&self, number: u32) -> String {
        self.currency
            .map_or_else(|| number.to_string(), |currency| amount_text(number, currency))
    }

    /// The same as a value of the limits file.
    fn value(&self, number: u32) -> String {
        let told = self.told(number);
        match self.currency {
            Some(_) => format!("{told:?}"),
            None => told,
        }
    }
}

/// As a table of the limits file, with every key but those that are left as they are by default.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.map_or("any", Operation::name);
        let by: Vec<_> = self
            .by
            .parts()
            .map(|by| format!("{by:?}", by = by.to_string()))
            .collect();
        let by = match by.as_slice() {
            [one] => one.clone(),
            pair => format!("[{}]", pair.join(", ")),
        };
        writeln!(f, "[[rule]]\nid    = {:?}\non    = {on:?}\nby    = {by}", self.id)?;
        writeln!(
            f,
            "quota = {}\nper   = {:?}\nburst = {}",
            self.value(self.quota),
            per_text(self.per),
            self.value(self.burst)
        )?;
        writeln!(
            f,
            "scope = {:?}\nmode  = {:?}",
            self.scope.name(),
            self.mode.name()
        )?;
        if let Some(channel) = self.channel {
            writeln!(f, "channel = {:?}", channel.name())?;
        }
        if self.counts != Counts::Requests {
            writeln!(f, "counts = {:?}", self.counts.name())?;
        }
        if self.claimants != Claimants::Apart {
            writeln!(f, "claimants = {:?}", self.claimants.name())?;
        }
        if !self.except.is_empty() {
            let names: Vec<_> = self.except.iter().map(|name| format!("{name:?}")).collect();
            writeln!(f, "except = [{}]", names.join(", "))?;
        }
        if self.grows_to != self.burst {
            writeln!(f, "grows_to = {}", self.grows_to)?;
        }
        if self.mode == Mode::Prove || self.ceiling != self.burst {
            writeln!(f, "ceiling = {}", self.value(self.ceiling))?;
        }
        if let Some(if_store_lost) = self.if_store_lost {
            writeln!(f, "if_store_lost = {:?}", if_store_lost.name())?;
        }
        Ok(())
    }
}

/// A rule's time as the file has it, in the largest unit that fits.
pub fn per_text(per: Duration) -> String {
    let seconds = per.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let fitting = units
        .into_iter()
        .find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (name, unit) = fitting.unwrap_or(("s", 1));
    format!("{}{name}", seconds / unit)
}

/// The rules in force. Empty means no limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
    networks: Arc<Networks>,
}

impl RuleSet {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            networks: Arc::default(),
        }
    }

    /// The same with the lists of networks that rules may name.
    #[must_use]
    pub fn with_networks(self, networks: Networks) -> Self {
        Self {
            networks: Arc::new(networks),
            ..self
        }
    }

    /// The lists of networks that rules may name.
    pub fn networks(&self) -> &Arc<Networks> {
        &self.networks
    }

    /// In the order of the file.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// A line for each rule whose amounts are in another currency than prices are.
    pub fn unfit(&self, prices: Currency) -> Vec<String> {
        let foreign = self.rules.iter().filter_map(|rule| {
            let currency = rule.currency.filter(|currency| *currency != prices)?;
            Some(format!(
                "rule {:?} counts {currency}, and the prices are in {prices}",
                rule.id
            ))
        });
        foreign.collect()
    }

    /// The rule with this id.
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }
}

/// As a limits file.
impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
pub(super) mod tests;
