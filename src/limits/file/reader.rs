//! From TOML to rules: every fault is noted with its place, and nothing stops at the first.

use std::{collections::HashMap, fmt, ops::Range, sync::Arc, time::Duration};

use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    super::{
        asker::Claimants,
        fault::{Fault, MAX_BYTES},
        key::{KeyDimension, RuleKey},
        money::{Currency, parse_amount},
        operation::Operation,
        rule::{Counts, IfStoreLost, Mode, Rule, RuleSet, Scope},
        tag::RuleTag,
    },
    checks::{Draft, check, check_id, seconds_of},
};
use crate::channel::Channel;

const MAX_PER: Duration = Duration::from_secs(30 * 24 * 3600);
const KEYS: [&str; 15] = [
    "id",
    "on",
    "by",
    "quota",
    "per",
    "burst",
    "scope",
    "mode",
    "channel",
    "if_store_lost",
    "counts",
    "grows_to",
    "claimants",
    "ceiling",
    "except",
];
const BY: &str = "ip (or ip:16 to ip:64, bits of IPv6), phone, email, user, country, prefix (or prefix:1 to prefix:15), network, global, or two of them: [\"ip\", \"phone\"]";

pub(super) struct Reader<'a> {
    text: &'a str,
    faults: Vec<Fault>,
    /// The ids seen so far, and their lines.
    ids: HashMap<Arc<str>, usize>,
    has_list: Box<dyn Fn(&str) -> bool + 'a>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    /// The rules of a text, or all that is wrong with it, in its order.
    ///
    /// `has_list` says which lists of networks there are.
    pub fn read(text: &'a str, has_list: impl Fn(&str) -> bool + 'a) -> Result<RuleSet, Vec<Fault>> {
        let mut reader = Self {
            text,
            faults: Vec::new(),
            ids: HashMap::new(),
            has_list: Box::new(has_list),
        };
        let rules = if text.len() as u64 > MAX_BYTES {
            reader.fault(&(0..0), "larger than 1 MiB");
            Vec::new()
        } else {
            reader.document()
        };
        if reader.faults.is_empty() {
            return Ok(RuleSet::new(rules));
        }
        Err(reader.faults)
    }

    fn document(&mut self) -> Vec<Rule> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            for error in errors {
                self.fault(
                    &error.span().unwrap_or(0..0),
                    format!("not TOML: {}", error.message()),
                );
            }
            return Vec::new();
        }
        let mut rules = Vec::new();
        for (key, value) in document.get_ref() {
            match value.get_ref() {
                DeValue::Array(tables) if key.get_ref() == "rule" => {
                    for table in tables.iter() {
                        rules.extend(self.rule(table));
                    }
                }
                _ if key.get_ref() == "rule" => {
                    self.fault(&key.span(), "`rule` is written [[rule]], with two brackets");
                }
                _ => self.fault(
                    &key.span(),
                    format!("unknown key {:?}; allowed: [[rule]] tables", key.get_ref()),
                ),
            }
        }
        rules
    }

    /// A rule, or the faults in it.
    fn rule(&mut self, value: &Value<'_>) -> Option<Rule> {
        let DeValue::Table(table) = value.get_ref() else {
            self.fault(&value.span(), "a rule is a table: [[rule]]");
            return None;
        };
        for key in table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            self.fault(
                &key.span(),
                format!("unknown key {name:?}; allowed: {}", KEYS.join(", ")),
            );
        }
        let field = |name: &str| table.get(name);
        for name in KEYS.iter().take(5).filter(|name| field(name).is_none()) {
            self.fault(&value.span(), format!("this rule has no `{name}`"));
        }
        let id = field("id").and_then(|id| self.id(id));
        let on = field("on").and_then(|on| self.on(on));
        let by = field("by").and_then(|by| self.by(by));
        let kinds = Counts::ALL.map(|counts| (counts.name(), counts));
        let counts = field("counts").map_or(Some(Counts::Requests), |counts| {
            self.one_of(counts, "counts", &kinds)
        });
        let (currency, [quota, burst, ceiling]) = self.numbers(table, counts);
        let quota = quota.flatten();
        let per = field("per").and_then(|per| self.duration(per));
        let scopes = Scope::ALL.map(|scope| (scope.name(), scope));
        let scope = field("scope").map_or(Some(Scope::Cluster), |scope| self.one_of(scope, "scope", &scopes));
        let modes = Mode::ALL.map(|mode| (mode.name(), mode));
        let mode = field("mode").map_or(Some(Mode::Enforce), |mode| self.one_of(mode, "mode", &modes));
        let channels = Channel::ALL.map(|channel| (channel.name(), Some(channel)));
        let channel =
            field("channel").map_or(Some(None), |channel| self.one_of(channel, "channel", &channels));
        let answers = IfStoreLost::ALL.map(|answer| (answer.name(), Some(answer)));
        let if_store_lost = field("if_store_lost").map_or(Some(None), |answer| {
            self.one_of(answer, "if_store_lost", &answers)
        });
        let claimants = Claimants::ALL.map(|claimants| (claimants.name(), claimants));
        let claimants = field("claimants").map_or(Some(Claimants::Apart), |given| {
            self.one_of(given, "claimants", &claimants)
        });
        let except = field("except").map_or(Some(Arc::default()), |except| self.except(except));
        let grows_to = field("grows_to").map(|grows_to| self.count(grows_to, "grows_to"));

        let burst = burst.unwrap_or(quota);
        let draft = Draft {
            on,
            by,
            channel,
            counts,
            quota,
            per,
            burst,
            grows_to: grows_to.unwrap_or(burst),
            ceiling: ceiling.unwrap_or(burst),
            scope,
            mode,
        };
        for (span, what) in check(&draft, table) {
            self.fault(&span, what);
        }
        Some(Rule {
            id: id?,
            on: on?,
            by: by?,
            channel: channel?,
            counts: counts?,
            claimants: claimants?,
            currency,
            except: except?,
            quota: quota?,
            per: per?,
            burst: burst?,
            grows_to: draft.grows_to?,
            ceiling: draft.ceiling?,
            scope: scope?,
            mode: mode?,
            if_store_lost: if_store_lost?,
        })
    }

    fn id(&mut self, value: &Value<'_>) -> Option<Arc<str>> {
        let id = self.string(value, "id")?;
        if let Some(what) = check_id(id) {
            self.fault(&value.span(), what);
            return None;
        }
        let line = Fault::at(self.text, &value.span(), String::new()).line;
        let is_taken = |known: &&Arc<str>| ***known != *id && RuleTag::of(known) == RuleTag::of(id);
        if let Some(known) = self.ids.keys().find(is_taken) {
            let fault = format!("id {id:?}: {known:?} would be counted as the same; change one of them");
            self.fault(&value.span(), fault);
        }
        if let Some(first) = self.ids.insert(id.into(), line) {
            self.fault(
                &value.span(),
                format!("duplicate id {id:?}: line {first} has it already"),
            );
        }
        Some(id.into())
    }

    /// The outer `None` is a fault, the inner one is `any`.
    fn on(&mut self, value: &Value<'_>) -> Option<Option<Operation>> {
        let mut choices = Operation::ALL
            .map(|operation| (operation.name(), Some(operation)))
            .to_vec();
        choices.push(("any", None));
        self.one_of(value, "on", &choices)
    }

    /// One thing in quotes, or two in brackets.
    fn by(&mut self, value: &Value<'_>) -> Option<RuleKey> {
        let DeValue::Array(pair) = value.get_ref() else {
            return self.one_by(value).map(RuleKey::from);
        };
        if pair.len() != 2 {
            self.fault(&value.span(), format!("by names one thing or two; allowed: {BY}"));
            return None;
        }
        let [first, second] = [0, 1].map(|part| self.one_by(&pair[part]));
        let (first, second) = (first?, second?);
        let by = RuleKey::pair(first, second);
        if by.is_none() {
            let what =
                format!("{first} and {second} are no pair; allowed: two different ones, without global");
            self.fault(&value.span(), what);
        }
        by
    }

    fn one_by(&mut self, value: &Value<'_>) -> Option<KeyDimension> {
        let text = self.string(value, "by")?;
        let by = KeyDimension::parse(text);
        if by.is_none() {
            self.fault(&value.span(), format!("unknown by {text:?}; allowed: {BY}"));
        }
        by
    }

    /// Names of lists of networks, in brackets.
    fn except(&mut self, value: &Value<'_>) -> Option<Arc<[Arc<str>]>> {
        let DeValue::Array(names) = value.get_ref() else {
            self.fault(
                &value.span(),
                "except is a list of names; allowed: those of limits.networks, such as [\"office\"]",
            );
            return None;
        };
        let mut except = Vec::new();
        for name in names.iter() {
            let text = self.string(name, "a name in except")?;
            if !(self.has_list)(text) {
                self.fault(
                    &name.span(),
                    format!("no list {text:?}; allowed: the names in the file of limits.networks"),
                );
            }
            except.push(Arc::from(text));
        }
        Some(except.into())
    }

    fn one_of<T: Copy>(&mut self, value: &Value<'_>, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(value, name)?;
        if let Some(&(_, choice)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Some(choice);
        }
        let allowed: Vec<_> = choices.iter().map(|&(choice, _)| choice).collect();
        self.fault(
            &value.span(),
            format!("unknown {name} {text:?}; allowed: {}", allowed.join(", ")),
        );
        None
    }

    fn count(&mut self, value: &Value<'_>, name: &str) -> Option<u32> {
        let parsed = match value.get_ref() {
            DeValue::Integer(number) => integer(number),
            _ => None,
        };
        if parsed.is_none() {
            let written = self.written(value);
            self.fault(
                &value.span(),
                format!("{name} {written}; allowed: a whole number, 1 to {}", u32::MAX),
            );
        }
        parsed
    }

    /// Quota, burst and ceiling, of those that are there: amounts where money is counted.
    fn numbers(
        &mut self,
        table: &DeTable<'_>,
        counts: Option<Counts>,
    ) -> (Option<Currency>, [Option<Option<u32>>; 3]) {
        let mut currency = None;
        let numbers = ["quota", "burst", "ceiling"].map(|name| {
            let value = table.get(name)?;
            Some(match counts {
                Some(Counts::Money) => self.amount(value, name, &mut currency),
                _ => self.count(value, name),
            })
        });
        (currency, numbers)
    }

    /// Amounts of one rule are in one currency.
    fn amount(&mut self, value: &Value<'_>, name: &str, currency: &mut Option<Currency>) -> Option<u32> {
        let read = value.get_ref().as_str().and_then(parse_amount);
        let Some((units, of)) = read else {
            self.fault(
                &value.span(),
                format!("{name} is an amount, where money is counted; allowed: a number and a currency, such as \"25 USD\""),
            );
            return None;
        };
        let first = *currency.get_or_insert(of);
        if first != of {
            self.fault(
                &value.span(),
                format!("{name} is in {of}, and the quota in {first}"),
            );
        }
        Some(units)
    }

    fn duration(&mut self, value: &Value<'_>) -> Option<Duration> {
        let text = self.string(value, "per")?;
        let parsed = seconds_of(text).map(Duration::from_secs);
        let allowed = Duration::from_secs(1)..=MAX_PER;
        if let Some(per) = parsed.filter(|per| allowed.contains(per)) {
            return Some(per);
        }
        self.fault(
            &value.span(),
            format!("per {text:?}; allowed: a whole number and a unit (s, m, h, d), \"1s\" to \"30d\""),
        );
        None
    }

    /// A value as it stands in the file; of one of several lines what kind it is.
    fn written(&self, value: &Value<'_>) -> &'a str {
        let written = self.text.get(value.span()).filter(|text| !text.contains('\n'));
        written.unwrap_or(value.get_ref().type_str())
    }

    fn string<'v>(&mut self, value: &'v Value<'_>, name: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let written = self.written(value);
            self.fault(
                &value.span(),
                format!("{name} {written}; allowed: a text in quotes"),
            );
        }
        text
    }

    fn fault(&mut self, span: &Range<usize>, message: impl fmt::Display) {
        self.faults.push(Fault::at(self.text, span, message.to_string()));
    }
}

/// A positive number, if it is one and fits.
fn integer(number: &DeInteger<'_>) -> Option<u32> {
    let digits = number.as_str().trim_start_matches('+');
    u32::from_str_radix(digits, number.radix())
        .ok()
        .filter(|&number| number > 0)
}
