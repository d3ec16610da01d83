//! Typed reading of the layers. Nothing stops at a fault: all are collected, in every layer, overridden ones too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    num::NonZero,
    ops::RangeInclusive,
    time::Duration,
};

use super::{
    fault::{Fault, Source},
    layers::Entry,
    mask,
    unknown::{Meant, allowed_instead},
    value::{Kind, Value, one_of, parse_duration, show_duration},
};

/// A key's value in force, ready to be shown.
#[derive(Debug, Clone)]
pub(super) struct Effective {
    pub(super) key: &'static str,
    /// As TOML, secrets masked.
    pub(super) shown: String,
    pub(super) source: Source,
    /// What became of it, where that is something else.
    pub(super) note: Option<String>,
}

/// Why a value is refused, beyond what is allowed in general.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// The part of the value that is wrong, where it is a list.
    part: Option<Value>,
    why: Option<String>,
}

impl Refused {
    /// With a reason of its own, which repeats nothing of a secret.
    pub(super) fn because(why: impl Display) -> Self {
        Self {
            part: None,
            why: Some(why.to_string()),
        }
    }
}

/// Reads keys, remembers what is wrong and which keys there are.
#[derive(Debug)]
pub(super) struct Reader {
    entries: BTreeMap<String, Vec<Entry>>,
    effective: Vec<Effective>,
    faulty: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn new(entries: BTreeMap<String, Vec<Entry>>, faults: Vec<Fault>) -> Self {
        Self {
            entries,
            effective: Vec::new(),
            faulty: faults.iter().filter_map(|fault| fault.key.clone()).collect(),
            faults,
        }
    }

    /// A whole number within bounds.
    pub(super) fn integer<T>(&mut self, key: &'static str, bounds: RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.read(key, Kind::Integer, &allowed, |value| match value {
            Value::Integer(integer) => T::try_from(*integer)
                .ok()
                .filter(|integer| bounds.contains(integer))
                .ok_or_else(Refused::default),
            _ => Err(Refused::default()),
        })
    }

    /// A number of threads, where 0 stands for the number of cores.
    pub(super) fn cores(&mut self, key: &'static str, most: usize) -> usize {
        match self.integer(key, 0..=most) {
            0 => {
                let cores = std::thread::available_parallelism()
                    .map_or(1, NonZero::get)
                    .min(most);
                self.note(key, format!("in force: {cores}, the number of cores"));
                cores
            }
            number => number,
        }
    }

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        self.read(key, Kind::Flag, "true or false", |value| match value {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(Refused::default()),
        })
    }

    /// A length of time within bounds.
    pub(super) fn duration(&mut self, key: &'static str, bounds: RangeInclusive<Duration>) -> Duration {
        let (least, most) = (show_duration(*bounds.start()), show_duration(*bounds.end()));
        let allowed = format!(
            "a duration in quotes, a whole number with ms, s, m, h or d, from \"{least}\" to \"{most}\""
        );
        self.text(key, &allowed, |text| {
            parse_duration(text)
                .filter(|duration| bounds.contains(duration))
                .ok_or_else(Refused::default)
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> T {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.text(key, &one_of(&words), |text| {
            let chosen = choices.iter().find(|(word, _)| *word == text);
            chosen.map(|(_, choice)| *choice).ok_or_else(Refused::default)
        })
    }

    /// A text that `parse` accepts.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, Refused>,
    ) -> T {
        self.read(key, Kind::Text, allowed, |value| match value {
            Value::Text(text) => parse(text),
            _ => Err(Refused::because("not a text in quotes")),
        })
    }

    /// A text that `parse` accepts, or an empty one, which stands for none.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, Refused>,
    ) -> Option<T> {
        self.text(key, &format!("{allowed}, or empty"), |text| match text {
            "" => Ok(None),
            text => parse(text).map(Some),
        })
    }

    /// Texts that `parse` accepts; a variable has them separated by commas.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, Refused>,
    ) -> Vec<T> {
        let item = |item: &Value| match item {
            Value::Text(text) => parse(text),
            _ => Err(Refused::default()),
        };
        self.read(key, Kind::List, allowed, |value| match value {
            Value::List(items) => items
                .iter()
                .map(|part| {
                    item(part).map_err(|refused| Refused {
                        part: Some(part.clone()),
                        ..refused
                    })
                })
                .collect(),
            _ => Err(Refused::because("not a list")),
        })
    }

    /// Tables that `parse` accepts.
    pub(super) fn records<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&[(String, Value)]) -> Result<T, Refused>,
    ) -> Vec<T> {
        self.read(key, Kind::Records, allowed, |value| {
            let Value::List(items) = value else {
                return Err(Refused::because("not a list of tables"));
            };
            let (mut read, mut faulty) = (Vec::new(), Vec::new());
            for (place, item) in (1..).zip(items) {
                let parsed = match item {
                    Value::Record(fields) => parse(fields),
                    _ => return Err(Refused::default()),
                };
                match parsed {
                    Ok(parsed) => read.push(parsed),
                    Err(Refused { why, .. }) => {
                        faulty.push(format!("table {place}: {}", why.unwrap_or_default()));
                    }
                }
            }
            match faulty.is_empty() {
                true => Ok(read),
                false => Err(Refused::because(faulty.join("; "))),
            }
        })
    }

    /// Reads a key in every layer; the value of the highest is in force.
    fn read<T>(
        &mut self,
        key: &'static str,
        kind: Kind,
        allowed: &str,
        parse: impl Fn(&Value) -> Result<T, Refused>,
    ) -> T {
        let mut in_force = None;
        for Entry { source, value } in self.entries.remove(key).unwrap_or_default() {
            let value = value.into_kind(kind);
            match parse(&value) {
                Ok(parsed) => {
                    let shown = mask::shown(key, &value);
                    in_force = Some((parsed, shown, source));
                }
                Err(Refused { part, why }) => {
                    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                    let shown = mask::shown(key, part.as_ref().unwrap_or(&value));
                    self.faulty.insert(key.to_owned());
                    self.faults.push(
                        Fault::new(source, Some(key), format!("must be {allowed}{why}")).with_value(shown),
                    );
                }
            }
        }
        let Some((parsed, shown, source)) = in_force else {
            unreachable!("config/default.toml has a good value for {key}: tests hold that")
        };
        self.effective.push(Effective {
            key,
            shown,
            source,
            note: None,
        });
        parsed
    }

    /// The smaller of two durations: `key` can't sensibly last longer than `limit`.
    pub(super) fn at_most(
        &mut self,
        key: &'static str,
        value: Duration,
        limit_key: &str,
        limit: Duration,
    ) -> Duration {
        if value > limit {
            let limit = show_duration(limit);
            self.note(
                key,
                format!("in force: {limit}, since it lasts no longer than {limit_key}"),
            );
        }
        value.min(limit)
    }

    /// Remembers what a key's value came to, for `config show` and the log.
    pub(super) fn note(&mut self, key: &'static str, note: String) {
        if let Some(effective) = self.effective.iter_mut().find(|effective| effective.key == key) {
            effective.note = Some(note);
        }
    }

    /// Where the value in force was read.
    pub(super) fn source(&self, key: &str) -> Source {
        self.find(key)
            .map_or(Source::BuiltIn, |effective| effective.source.clone())
    }

    /// Refuses a value that was well formed by itself.
    pub(super) fn refuse(&mut self, key: &'static str, allowed: impl Into<String>) {
        let mut fault = Fault::new(self.source(key), Some(key), allowed);
        if let Some(effective) = self.find(key) {
            fault = fault.with_value(effective.shown.clone());
        }
        self.faulty.insert(key.to_owned());
        self.faults.push(fault);
    }

    /// Adds a fault that no value of a known key causes.
    pub(super) fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Whether something is wrong with a key in some layer.
    pub(super) fn is_faulty(&self, key: &str) -> bool {
        self.faulty.contains(key)
    }

    /// What is in force, and what is wrong; whatever nobody read is unknown.
    pub(super) fn finish(mut self) -> (Vec<Effective>, Vec<Fault>) {
        let known: Vec<&str> = self.effective.iter().map(|effective| effective.key).collect();
        for (name, entries) in std::mem::take(&mut self.entries) {
            for Entry { source, value } in entries {
                let meant = Meant::by(&known, &name, &source);
                if let Some(allowed) = allowed_instead(&known, &name, &source, &value, meant.as_ref()) {
                    let shown = mask::shown_unknown(meant.map(|meant| meant.key), &value);
                    self.faults
                        .push(Fault::new(source, Some(&name), allowed).with_value(shown));
                }
            }
        }
        (self.effective, self.faults)
    }

    fn find(&self, key: &str) -> Option<&Effective> {
        self.effective.iter().find(|effective| effective.key == key)
    }
}
