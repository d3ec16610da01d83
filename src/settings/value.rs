//! One value of a layer, before it has a type of ours.

use std::{borrow::Cow, fmt, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// What a layer holds for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// The text of an environment variable: what it means depends on the key.
    Untyped(String),
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Value>),
    /// A table in a list.
    Record(Vec<(String, Value)>),
    Table,
    /// Floats, dates and integers beyond 64 bits, as they were written: no key wants one.
    Other(String),
}

/// What a key wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Flag,
    List,
    /// A list of tables; a variable has it as TOML writes one.
    Records,
}

impl Value {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| Self::Other(integer.to_string()), Self::Integer),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Array(items) => Self::List(items.iter().map(Spanned::get_ref).map(Self::item).collect()),
            DeValue::Table(_) => Self::Table,
            DeValue::Float(float) => Self::Other(float.to_string()),
            DeValue::Datetime(date) => Self::Other(date.to_string()),
        }
    }

    /// What stands in a list.
    fn item(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Table(fields) => {
                let field = |(name, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                    (name.get_ref().to_string(), Self::from_toml(value.get_ref()))
                };
                Self::Record(fields.iter().map(field).collect())
            }
            value => Self::from_toml(value),
        }
    }

    /// Reads an environment variable's text as what the key wants; text that can't be read so stays untyped.
    pub(super) fn into_kind(self, kind: Kind) -> Self {
        let Self::Untyped(text) = self else {
            return self;
        };
        match kind {
            Kind::Text => Self::Text(text),
            Kind::Integer => text.parse().map_or(Self::Untyped(text), Self::Integer),
            Kind::Flag => text.parse().map_or(Self::Untyped(text), Self::Flag),
            Kind::Records => {
                let document = format!("list = {text}");
                let (table, faults) = DeTable::parse_recoverable(&document);
                let list = table.get_ref().get("list").filter(|_| faults.is_empty());
                match list.map(|list| Self::from_toml(list.get_ref())) {
                    Some(list) => list,
                    None => Self::Untyped(text),
                }
            }
            Kind::List if text.trim().is_empty() => Self::List(Vec::new()),
            Kind::List => {
                let items = text.split(',').map(|item| Self::Text(item.trim().to_owned()));
                Self::List(items.collect())
            }
        }
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// As TOML writes it, in one line whatever it holds.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untyped(text) | Self::Text(text) => f.write_str(&quoted(text)),
            Self::Integer(integer) => integer.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Record(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name} = {value}"))
                    .collect();
                write!(f, "{{ {} }}", fields.join(", "))
            }
            Self::Table => f.write_str("{…}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// A basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text in which nothing can break a line, or turn the direction of what follows, or end a quotation.
pub(super) fn escaped(text: &str) -> String {
    let escape = |character: char| match character {
        '"' => Cow::from("\\\""),
        '\\' => Cow::from("\\\\"),
        '\n' => Cow::from("\\n"),
        '\t' => Cow::from("\\t"),
        '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Cow::from(format!("\\u{:04X}", u32::from(character)))
        }
        _ if character.is_control() => Cow::from(format!("\\u{:04X}", u32::from(character))),
        _ => Cow::from(character.to_string()),
    };
    text.chars().map(escape).collect()
}

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a whole number with one unit: `500ms`, `60s`, `10m`, `1h`, `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// Writes a duration with the largest unit that leaves it whole.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fits = |unit: &&(&str, u64)| millis != 0 && millis.is_multiple_of(u128::from(unit.1));
    match UNITS.iter().rev().find(fits) {
        Some((name, unit)) => format!("{}{name}", millis / u128::from(*unit)),
        None => "0s".to_owned(),
    }
}

/// `a, b or c`.
pub(super) fn one_of(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_one_unit() {
        for (text, millis) in [("500ms", 500), ("0s", 0), ("60s", 60_000), ("30d", 2_592_000_000)] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "10",
            "s",
            "1.5h",
            "-1s",
            " 1s",
            "1 s",
            "1S",
            "1h30m",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_a_person_would_write_it() {
        for text in ["0s", "1ms", "1500ms", "90s", "10m", "1h", "30d"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(show_duration(Duration::from_secs(60)), "1m");
    }

    #[test]
    fn whatever_text_holds_it_is_one_line_that_toml_reads_back() {
        let text = "a\"b\\c\nd\te\u{7}f\u{202E}g\r";
        let line = format!("key = {}", quoted(text));
        assert_eq!(line.lines().count(), 1);
        let table: toml::Table = line.parse().unwrap();
        assert_eq!(table["key"].as_str(), Some(text));
    }
}
