//! The fields of a line, as they are read.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::accounts::passwords::PasswordHash;

/// An object of JSON, and which of its keys came more than once: of two values neither is known to be the right one.
pub(super) struct Members {
    pub object: Map<String, Value>,
    pub repeated: Vec<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let (mut object, mut repeated) = (Map::new(), Vec::new());
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if object.insert(key.clone(), value).is_some() {
                repeated.push(key);
            }
        }
        Ok(Members { object, repeated })
    }
}

/// Those of a line, taken one by one, and what is wrong with them.
pub(super) struct Fields {
    pub object: Map<String, Value>,
    pub faults: Vec<String>,
}

impl Fields {
    /// A time that is not in the future, and not before the year 1: PostgreSQL reads no year 0, and an export could not write
    /// what an offset puts before it.
    pub fn time(&mut self, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.text(name, |text| {
            let Ok(time) = DateTime::parse_from_rfc3339(text) else {
                return Err("must be a time such as 2026-11-26T10:00:00Z");
            };
            match time.with_timezone(&Utc) {
                time if time > now => Err("lies in the future"),
                time if time.year() < 1 => Err("lies before the year 1"),
                time => Ok(time),
            }
        })
    }

    /// A text that may be missing, null or empty.
    pub fn text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => match parse(&text) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.fault(name, &error.to_string());
                    None
                }
            },
            Some(_) => {
                self.fault(name, "must be a text");
                None
            }
        }
    }

    /// True or false, as JSON or as SQLite has them; missing or null is false.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.object.remove(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::Number(number)) if number.as_u64().is_some_and(|number| number < 2) => {
                number.as_u64() == Some(1)
            }
            Some(_) => {
                self.fault(name, "must be true or false");
                false
            }
        }
    }

    /// Django has `!` and random characters for accounts without a password.
    pub fn password(&mut self) -> Option<PasswordHash> {
        let hash = self.text("password_hash", |text| match text.starts_with('!') {
            true => Ok(None),
            false => PasswordHash::take_over(text.to_owned()).map(Some),
        });
        hash.flatten()
    }

    pub fn fault(&mut self, name: &str, reason: &str) {
        self.faults.push(format!("{name}: {reason}"));
    }

    pub fn has_fault(&self, name: &str) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    }
}
