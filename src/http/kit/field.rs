//! One field of a request, and what is wrong with it. Whoever reads a request collects all faults, so that they are said
//! at once.

use std::{borrow::Cow, collections::btree_map::Entry, fmt, ops::RangeInclusive};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    http::kit::{problem::ApiError, rejection::Rejection},
    problem::FieldErrors,
};

/// One field of a request, before anybody asked whether it may be so.
#[derive(Default, Clone)]
pub enum Field {
    #[default]
    Missing,
    Null,
    Text(String),
    Flag(bool),
    Number(i64),
    List(Vec<Field>),
    /// Text of a query string, where flags and numbers are written as text too.
    Word(String),
    /// An object, or a number that is no whole one.
    Other,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Field(•••)")
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Field, E> {
        Ok(Field::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(i64::try_from(number).map_or(Field::Other, Field::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Field::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

/// Collects what is wrong with a request's fields.
///
/// Each method gives the field's value, or `None`: then it was missing and may be, or something was noted.
#[derive(Default)]
pub struct Faults(FieldErrors);

impl Faults {
    /// A text that has to be there, judged by `parse`.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if matches!(field, Field::Missing) {
            self.note(name, "This field is required.");
            return None;
        }
        self.judge(name, field, parse)
    }

    /// The same for a text that may be missing or null.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match field {
            Field::Missing | Field::Null => None,
            field => self.judge(name, field, parse),
        }
    }

    fn judge<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match field {
            Field::Text(text) | Field::Word(text) => match parse(&text) {
                Ok(value) => return Some(value),
                Err(error) => self.note(name, error.to_string()),
            },
            Field::Null => self.note(name, "This field may not be null."),
            _ => self.note(name, "This field has to be a string."),
        }
        None
    }

    /// Notes a fault of a field.
    pub fn note(&mut self, name: &'static str, fault: impl Into<Cow<'static, str>>) {
        match self.0.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(vec![fault.into()]);
            }
            Entry::Occupied(mut entry) => entry.get_mut().push(fault.into()),
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The error that says all of it. Handlers ask for it when a value they need is not there.
    pub fn into_error(self) -> ApiError {
        Rejection::Fields(self.0).into()
    }
}

/// Fields of other kinds than text, for routes that change a part of something, or list many.
#[allow(dead_code, reason = "the kit is whole before each of its parts has a route")]
impl Faults {
    /// A text that a change may leave as it is (missing), take away (`Some(None)`), or set.
    pub fn change<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match field {
            Field::Missing => None,
            Field::Null => Some(None),
            field => self.judge(name, field, parse).map(Some),
        }
    }

    /// `true` or `false`; may be missing or null.
    pub fn flag(&mut self, name: &'static str, field: Field) -> Option<bool> {
        match field {
            Field::Missing | Field::Null => return None,
            Field::Flag(flag) => return Some(flag),
            Field::Word(text) if ["true", "false"].contains(&&*text) => return Some(text == "true"),
            _ => self.note(name, "This field has to be true or false."),
        }
        None
    }

    /// A whole number within bounds; may be missing or null.
    pub fn number(&mut self, name: &'static str, field: Field, bounds: RangeInclusive<i64>) -> Option<i64> {
        let number = match field {
            Field::Missing | Field::Null => return None,
            Field::Number(number) => Some(number),
            Field::Word(text) => text.parse().ok(),
            _ => None,
        };
        let within = number.filter(|number| bounds.contains(number));
        if within.is_none() {
            let (least, most) = bounds.into_inner();
            self.note(
                name,
                format!("This field has to be a whole number from {least} to {most}."),
            );
        }
        within
    }

    /// A list of texts, `most` at most; may be missing or null. In a query string it is one text, with commas.
    pub fn list<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        field: Field,
        most: usize,
        mut parse: impl FnMut(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = match field {
            Field::Missing | Field::Null => return None,
            Field::List(items) => items,
            Field::Word(text) => text.split(',').map(|item| Field::Word(item.to_owned())).collect(),
            _ => {
                self.note(name, "This field has to be a list.");
                return None;
            }
        };
        if items.len() > most {
            self.note(name, format!("This list may have {most} items at most."));
            return None;
        }
        // All of them are judged, so that all faults are said.
        let values: Vec<_> = items
            .into_iter()
            .map(|item| self.judge(name, item, &mut parse))
            .collect();
        values.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn field(value: Value) -> Field {
        serde_json::from_value(value).unwrap()
    }

    fn word(text: &str) -> Field {
        Field::Word(text.to_owned())
    }

    fn said<T>(read: impl FnOnce(&mut Faults) -> T) -> (T, Vec<String>) {
        let mut faults = Faults::default();
        let value = read(&mut faults);
        let said = faults.0.into_values().flatten().map(Cow::into_owned).collect();
        (value, said)
    }

    fn short(text: &str) -> Result<String, &'static str> {
        if text.len() > 3 {
            Err("Too long.")
        } else {
            Ok(text.to_owned())
        }
    }

    #[test]
    fn a_change_tells_to_leave_from_to_take_away() {
        let change = |field| said(|faults| faults.change("x", field, short));
        assert_eq!(change(Field::Missing), (None, vec![]));
        assert_eq!(change(field(json!(null))), (Some(None), vec![]));
        assert_eq!(
            change(field(json!("new"))),
            (Some(Some("new".to_owned())), vec![])
        );
        assert_eq!(change(field(json!("much"))), (None, vec!["Too long.".to_owned()]));
        let (value, faults) = change(field(json!({ "a": [1] })));
        assert_eq!((value, &*faults[0]), (None, "This field has to be a string."));
    }

    #[test]
    fn flags_and_numbers_are_of_their_kind_in_json_and_are_words_in_a_query() {
        let flag = |field| said(|faults| faults.flag("x", field));
        assert_eq!(flag(field(json!(true))), (Some(true), vec![]));
        assert_eq!(flag(word("false")), (Some(false), vec![]));
        for wrong in [field(json!("true")), field(json!(1)), word("1"), word("")] {
            assert_eq!(
                flag(wrong),
                (None, vec!["This field has to be true or false.".to_owned()])
            );
        }
        let number = |field| said(|faults| faults.number("x", field, 1..=100));
        assert_eq!(number(field(json!(100))), (Some(100), vec![]));
        assert_eq!(number(word("7")), (Some(7), vec![]));
        assert_eq!(number(Field::Missing), (None, vec![]));
        for wrong in [
            json!(0),
            json!(101),
            json!(1.5),
            json!("7"),
            json!(u64::MAX),
            json!([1]),
            json!(false),
        ] {
            let (value, faults) = number(field(wrong));
            assert_eq!(value, None);
            assert_eq!(faults, ["This field has to be a whole number from 1 to 100."]);
        }
        assert_eq!(number(word("seven")).0, None);
    }

    #[test]
    fn a_list_is_judged_item_by_item_and_has_a_bound() {
        let list = |field| said(|faults| faults.list("x", field, 3, short));
        let pair = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(list(field(json!(["a", "b"]))), (Some(pair.clone()), vec![]));
        assert_eq!(list(word("a,b")), (Some(pair), vec![]));
        assert_eq!(list(field(json!([]))), (Some(vec![]), vec![]));
        let (value, faults) = list(field(json!(["long", 1, null])));
        assert_eq!(value, None);
        assert_eq!(
            faults,
            [
                "Too long.",
                "This field has to be a string.",
                "This field may not be null."
            ]
        );
        let (value, faults) = list(field(json!(["a", "b", "c", "d"])));
        assert_eq!(
            (value, &*faults[0]),
            (None, "This list may have 3 items at most.")
        );
        assert_eq!(list(field(json!("a"))).1, ["This field has to be a list."]);
    }
}
