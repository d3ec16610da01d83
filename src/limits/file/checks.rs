//! What the keys of a rule must be together.

use std::{fmt, ops::Range, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::super::{
    key::{KeyDimension, RuleKey},
    operation::Operation,
    pauses::RESERVED_IDS,
    rule::{Counts, Mode, Scope},
};
use crate::channel::Channel;

const MAX_ID_CHARS: usize = 64;
/// Costs are whole microseconds: at this rate rounding them up takes 10 % of a quota at most, below it far less.
const MAX_PER_SECOND: u64 = 100_000;
/// Of a quota, what a burst may grow to: what is spent stays exact in the numbers of Lua.
const MAX_GROWTH: u32 = 100;

/// Bytes of the file, and what is wrong there.
pub(super) type Found = (Range<usize>, String);

type Value<'a> = Spanned<DeValue<'a>>;

/// The seconds of a time such as 90s, 30m, 2h or 1d: a whole number and a unit.
pub fn seconds_of(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// What is wrong with the id of a rule.
pub(super) fn check_id(id: &str) -> Option<String> {
    let is_sound = (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == b'-'
        });
    if !is_sound {
        return Some(format!(
            "id {id:?}; allowed: 1 to {MAX_ID_CHARS} of a-z, 0-9 and -"
        ));
    }
    let is_reserved = RESERVED_IDS.contains(&id);
    is_reserved.then(|| format!("id {id:?}: refusals of the service's own have this name; take another one"))
}

/// What of a rule could be read.
pub(super) struct Draft {
    /// The inner `None` is `any`.
    pub on: Option<Option<Operation>>,
    pub by: Option<RuleKey>,
    /// The inner `None` is none.
    pub channel: Option<Option<Channel>>,
    pub counts: Option<Counts>,
    pub quota: Option<u32>,
    pub per: Option<Duration>,
    pub burst: Option<u32>,
    pub grows_to: Option<u32>,
    pub ceiling: Option<u32>,
    pub scope: Option<Scope>,
    pub mode: Option<Mode>,
}

/// What doesn't go together in a rule, which `table` is.
pub(super) fn check(draft: &Draft, table: &DeTable<'_>) -> Vec<Found> {
    let mut checks = Checks(Vec::new());
    checks.check(draft, table);
    checks.0
}

struct Checks(Vec<Found>);

impl Checks {
    fn fault(&mut self, span: &Range<usize>, what: impl fmt::Display) {
        self.0.push((span.clone(), what.to_string()));
    }

    fn check(&mut self, draft: &Draft, table: &DeTable<'_>) {
        let field = |name: &str| table.get(name);
        let Draft {
            on,
            by,
            channel,
            counts,
            quota,
            per,
            burst,
            grows_to,
            ceiling,
            scope,
            mode,
        } = *draft;
        if let (Some(mode), Some(on), Some(scope)) = (mode, on, scope) {
            self.check_mode(mode, on, scope, field("mode"), field("ceiling"));
        }
        if let (Some(quota), Some(burst), Some(ceiling), Some(place)) =
            (quota, burst, ceiling, field("ceiling"))
        {
            self.check_ceiling(ceiling, burst, quota, place);
        }
        if let (Some(on), Some(by), Some(scope), Some(counts), Some(place)) =
            (on, by, scope, counts, field("counts"))
        {
            self.check_counts(on, by, scope, counts, place);
            if counts == Counts::Money && channel == Some(Some(Channel::Email)) {
                self.fault(
                    &place.span(),
                    "no e-mail costs money that is counted; allowed for sms",
                );
            }
        }
        if let (Some(by), Some(place)) = (by, field("claimants")) {
            self.check_claimants(by, place);
        }
        if let (Some(quota), Some(burst), Some(counts), Some(to), Some(place)) =
            (quota, burst, counts, grows_to, field("grows_to"))
        {
            self.check_growth(counts, to, burst, quota, place);
        }
        if let (Some(Some(on)), Some(by), Some(place)) = (on, by, field("by"))
            && let Some(by) = by.parts().find(|&by| !on.can_be_counted(by))
        {
            self.never_applies(on, by, place);
        }
        if let (Some(on), Some(by), Some(Some(channel)), Some(place)) = (on, by, channel, field("channel")) {
            self.check_channel(on, by, channel, place);
        }
        if let (Some(quota), Some(per), Some(place)) = (quota, per, field("quota"))
            && u64::from(quota) > per.as_secs() * MAX_PER_SECOND
        {
            self.fault(
                &place.span(),
                format!("quota {quota} is too much; allowed: {MAX_PER_SECOND} a second"),
            );
        }
        if let (Some(quota), Some(burst), Some(place)) = (quota, burst, field("burst"))
            && burst > quota
        {
            self.fault(
                &place.span(),
                format!("burst {burst} is more than the quota; allowed: 1 to {quota}"),
            );
        }
    }

    fn never_applies(&mut self, on: Operation, by: KeyDimension, place: &Value<'_>) {
        let allowed: Vec<_> = KeyDimension::KINDS
            .into_iter()
            .filter(|&by| on.can_be_counted(by))
            .map(KeyDimension::kind)
            .collect();
        let (by, on, allowed) = (by.kind(), on.name(), allowed.join(", "));
        self.fault(
            &place.span(),
            format!("this rule can never apply: {on:?} knows no {by}; allowed on it: {allowed}"),
        );
    }

    /// A channel is that of a code, and has addresses of its own kind.
    fn check_channel(&mut self, on: Option<Operation>, by: RuleKey, channel: Channel, place: &Value<'_>) {
        if let Some(on) = on.filter(|on| !on.has_channel()) {
            let on = on.name();
            self.fault(
                &place.span(),
                format!("this rule can never apply: {on:?} has no channel; allowed on otp.send, otp.verify, notice and any"),
            );
        } else if let Some(by) = by.parts().find(|by| !by.is_carried_by(channel)) {
            let (by, channel) = (by.kind(), channel.name());
            self.fault(
                &place.span(),
                format!("this rule can never apply: no code by {channel} has a {by}"),
            );
        }
    }

    /// Messages go out at a send alone, and are counted for all instances by what no asker controls.
    fn check_counts(
        &mut self,
        on: Option<Operation>,
        by: RuleKey,
        scope: Scope,
        counts: Counts,
        place: &Value<'_>,
    ) {
        let is_shared = |by| {
            let shared = [KeyDimension::Country, KeyDimension::Network, KeyDimension::Global];
            shared.contains(&by) || matches!(by, KeyDimension::Prefix(_))
        };
        let is_sound = on == Some(Operation::OtpSend) && scope == Scope::Cluster && by.parts().all(is_shared);
        if counts.by_message() && !is_sound {
            let counts = counts.name();
            let what = format!(
                "no rule like this counts {counts}; allowed: on otp.send, by prefix, country, network or global, scope cluster"
            );
            self.fault(&place.span(), what);
        }
    }

    fn check_claimants(&mut self, by: RuleKey, place: &Value<'_>) {
        let is_address = |by| [KeyDimension::Phone, KeyDimension::Email].contains(&by);
        if !by.parts().any(is_address) {
            self.fault(
                &place.span(),
                "nobody claims what this rule counts by; allowed with by = \"phone\" or \"email\", alone or in a pair",
            );
        }
    }

    /// Proofs of work are asked for where a code is, and there is an end to what they open.
    fn check_mode(
        &mut self,
        mode: Mode,
        on: Option<Operation>,
        scope: Scope,
        place: Option<&Value<'_>>,
        ceiling: Option<&Value<'_>>,
    ) {
        match (mode, place, ceiling) {
            (Mode::Prove, Some(place), _) if on != Some(Operation::OtpSend) || scope != Scope::Cluster => {
                self.fault(
                    &place.span(),
                    "no rule like this proves; allowed: on otp.send, scope cluster",
                );
            }
            (Mode::Prove, Some(place), None) => {
                let what = "a rule in mode \"prove\" has no `ceiling`: what is refused beyond it though work was proven";
                self.fault(&place.span(), what);
            }
            (Mode::Enforce, _, Some(ceiling)) => {
                self.fault(&ceiling.span(), "only a rule in mode \"prove\" has a ceiling");
            }
            _ => {}
        }
    }

    fn check_ceiling(&mut self, ceiling: u32, burst: u32, quota: u32, place: &Value<'_>) {
        let most = quota.saturating_mul(MAX_GROWTH);
        if !(burst..=most.max(burst)).contains(&ceiling) {
            let what = format!(
                "ceiling {ceiling}; allowed: {burst} (the burst) to {most} ({MAX_GROWTH} times the quota)"
            );
            self.fault(&place.span(), what);
        }
    }

    fn check_growth(&mut self, counts: Counts, to: u32, burst: u32, quota: u32, place: &Value<'_>) {
        let most = quota.saturating_mul(MAX_GROWTH);
        if counts != Counts::Unverified {
            let what =
                "only a rule that counts unverified messages grows; allowed with counts = \"unverified\"";
            self.fault(&place.span(), what);
        } else if !(burst..=most.max(burst)).contains(&to) {
            let what = format!(
                "grows_to {to}; allowed: {burst} (the burst) to {most} ({MAX_GROWTH} times the quota)"
            );
            self.fault(&place.span(), what);
        }
    }
}
