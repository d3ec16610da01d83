//! What texts look like, as the OpenAPI document says it: no text that fits is refused for its form.
//!
//! A schema says `pattern = "{email}"`, and the document has what that stands for. They are for ECMA-262 with the flag `u`,
//! as JSON Schema asks for, and are a little narrower than what is taken: what only a table of Unicode can say is left out.

use serde_json::{Map, Value};

use crate::phone::PhoneCheck;

/// An address: before the @ 64 bytes, in the domain labels of letters, digits and single hyphens, the last with a letter
/// first.
const EMAIL: &str = r"^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}|[\p{L}\p{N}!#$%&'*+/=?^_`{|}~.\-]{1,16})@(?:(?:[A-Za-z0-9]{1,31}(?:-[A-Za-z0-9]{1,15}){0,2}|[\p{Ll}\p{Lo}]{1,12})\.){1,3}(?:[A-Za-z]{2,31}|[\p{Ll}\p{Lo}]{2,12})$";

/// A phone in international form (E.164).
const PHONE: &str = r"^\+[1-9][0-9]{6,14}$";

/// A name begins with something that can be seen; joiners stand where Persian and Indic scripts have them; no other
/// invisible character is in it.
const NAME: &str = r"^(?!.*[\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u2800\u3164\uFE00-\uFE0F\uFFA0])[\p{L}\p{N}\p{P}\p{S}](?:[\p{L}\p{M}\p{N}\p{P}\p{S} ]|[\u0633-\u063A\u0641-\u0647\u064A\u06A9\u06AF\u06CC]\u200C|[\u094D\u09CD\u0BCD\u0C4D\u0CCD\u0D4D\u0DCA][\u200C\u200D])*$";

/// The same, or nothing.
const LAST_NAME: &str = r"^$|";

/// A password is not one character again and again, with or without spaces between.
const PASSWORD: &str =
    r"^(?! *([\p{L}\p{N}\p{P}\p{S}])(?: |\1)*$)(?=.*[\p{L}\p{N}\p{P}\p{S}])[\p{L}\p{N}\p{P}\p{S} ]*$";

/// A code in examples, and where those of another length come from.
const CODE: &str = "123456";
const DIGITS: &str = "1234567890";

/// What the configuration says of texts.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    /// Digits of a code.
    pub otp: u8,
    /// Characters that a new password has at least.
    pub password: usize,
    pub phone_check: PhoneCheck,
}

impl Lengths {
    /// Puts into a document what its patterns stand for.
    pub fn fill_in(self, document: &mut Value) {
        match document {
            Value::Array(values) => values.iter_mut().for_each(|value| self.fill_in(value)),
            Value::Object(members) => {
                self.fill_in_pattern(members);
                members.values_mut().for_each(|value| self.fill_in(value));
            }
            Value::String(text) if text == CODE => {
                *text = DIGITS.chars().cycle().take(self.otp.into()).collect();
            }
            _ => {}
        }
    }

    /// Puts into a schema what its pattern stands for.
    fn fill_in_pattern(self, schema: &mut Map<String, Value>) {
        let stands = schema.get("pattern").and_then(Value::as_str);
        let pattern = match stands {
            Some("{phone}") => {
                self.say_what_a_pattern_cannot(schema);
                PHONE.to_owned()
            }
            Some("{email}") => {
                schema.insert("format".to_owned(), "idn-email".into());
                EMAIL.to_owned()
            }
            Some("{name}") => NAME.to_owned(),
            Some("{last_name}") => [LAST_NAME, NAME].concat(),
            Some("{password}") => {
                schema.insert("minLength".to_owned(), self.password.into());
                PASSWORD.to_owned()
            }
            Some("{otp}") => format!("^[0-9]{{{}}}$", self.otp),
            _ => return,
        };
        schema.insert("pattern".to_owned(), pattern.into());
    }
}

impl Lengths {
    /// Which numbers a country has assigned is no pattern.
    fn say_what_a_pattern_cannot(self, schema: &mut Map<String, Value>) {
        let asked = match self.phone_check {
            PhoneCheck::E164 => return,
            PhoneCheck::Possible => "The length has to fit the country",
            PhoneCheck::Valid => "The country has to have assigned such numbers",
        };
        let said = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let text = format!("{said}\n\n{asked}: else 400 `validation_failed`, with a word at `errors.phone`.");
        schema.insert("description".to_owned(), text.trim_start().into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_what_its_patterns_stand_for() {
        let lengths = Lengths {
            otp: 8,
            password: 15,
            phone_check: PhoneCheck::Valid,
        };
        let mut document = json!({ "a": [{ "pattern": "{otp}", "example": "123456" }], "b": { "pattern": { "pattern": "^x$" } },
                                   "c": { "pattern": "{password}" }, "d": { "pattern": "{email}" }, "e": { "pattern": "{phone}" } });
        lengths.fill_in(&mut document);
        let expected = json!({ "a": [{ "pattern": "^[0-9]{8}$", "example": "12345678" }], "b": { "pattern": { "pattern": "^x$" } },
                               "c": { "pattern": PASSWORD, "minLength": 15 }, "d": { "pattern": EMAIL, "format": "idn-email" },
                               "e": { "pattern": PHONE, "description": "The country has to have assigned such numbers: else 400 `validation_failed`, with a word at `errors.phone`." } });
        assert_eq!(document, expected);
    }
}
