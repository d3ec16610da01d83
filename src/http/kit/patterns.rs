//! What texts look like, as the OpenAPI document says it: no text that fits is refused for its form.
//!
//! A schema says `pattern = "{email}"`, and the document has what that stands for. They keep to what JSON Schema (2020-12, core
//! 6.4) advises, so that a validator of any language takes them: classes of characters by their numbers, groups, repetitions;
//! nothing that looks ahead or back, no classes of Unicode by name. So they are a little narrower than what is taken: scripts
//! beside those here, and what only a table of Unicode can say, are left out.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::phone::PhoneCheck;

/// A phone in international form (E.164).
const PHONE: &str = r"^\+[1-9][0-9]{6,14}$";

/// Letters of the scripts that people are named in, but those that another one stands for by NFKC.
const LETTERS: &str = concat!(
    r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u0180-\u01C3\u01CD-\u01F0",
    r"\u01F4-\u024F\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03CF",
    r"\u03D7-\u03EF\u03F3\u03F7\u03F8\u03FA-\u0481\u048A-\u052F\u0531-\u0556\u0559\u0560-\u0586\u05D0-\u05EA",
    r"\u0620-\u064A\u066E\u066F\u0671-\u0674\u0679-\u06D3\u06D5\u06E5\u06E6\u06EE\u06EF\u06FA-\u06FC\u06FF",
    r"\u0904-\u0939\u093D\u0950\u0960\u0961\u0971-\u0980\u0985-\u098C\u098F\u0990\u0993-\u09A8\u09AA-\u09B0\u09B2",
    r"\u09B6-\u09B9\u09BD\u09CE\u09E0\u09E1\u09F0\u09F1\u09FC\u0A05-\u0A0A\u0A0F\u0A10\u0A13-\u0A28\u0A2A-\u0A30",
    r"\u0A32\u0A35\u0A38\u0A39\u0A5C\u0A72-\u0A74\u0A85-\u0A8D\u0A8F-\u0A91\u0A93-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3",
    r"\u0AB5-\u0AB9\u0ABD\u0AD0\u0AE0\u0AE1\u0AF9\u0B05-\u0B0C\u0B0F\u0B10\u0B13-\u0B28\u0B2A-\u0B30\u0B32\u0B33",
    r"\u0B35-\u0B39\u0B3D\u0B5F-\u0B61\u0B71\u0B83\u0B85-\u0B8A\u0B8E-\u0B90\u0B92-\u0B95\u0B99\u0B9A\u0B9C\u0B9E",
    r"\u0B9F\u0BA3\u0BA4\u0BA8-\u0BAA\u0BAE-\u0BB9\u0BD0\u0C05-\u0C0C\u0C0E-\u0C10\u0C12-\u0C28\u0C2A-\u0C39\u0C3D",
    r"\u0C58-\u0C5A\u0C5D\u0C60\u0C61\u0C80\u0C85-\u0C8C\u0C8E-\u0C90\u0C92-\u0CA8\u0CAA-\u0CB3\u0CB5-\u0CB9\u0CBD",
    r"\u0CDD\u0CDE\u0CE0\u0CE1\u0CF1\u0CF2\u0D04-\u0D0C\u0D0E-\u0D10\u0D12-\u0D3A\u0D3D\u0D4E\u0D54-\u0D56",
    r"\u0D5F-\u0D61\u0D7A-\u0D7F\u0D85-\u0D96\u0D9A-\u0DB1\u0DB3-\u0DBB\u0DBD\u0DC0-\u0DC6\u0E01-\u0E30\u0E32",
    r"\u0E40-\u0E46\u0E81\u0E82\u0E84\u0E86-\u0E8A\u0E8C-\u0EA3\u0EA5\u0EA7-\u0EB0\u0EB2\u0EBD\u0EC0-\u0EC4\u0EC6",
    r"\u1000-\u102A\u103F\u1050-\u1055\u105A-\u105D\u1061\u1065\u1066\u106E-\u1070\u1075-\u1081\u108E\u10A0-\u10C5",
    r"\u10C7\u10CD\u10D0-\u10FA\u10FD-\u10FF\u1200-\u1248\u124A-\u124D\u1250-\u1256\u1258\u125A-\u125D",
    r"\u1260-\u1288\u128A-\u128D\u1290-\u12B0\u12B2-\u12B5\u12B8-\u12BE\u12C0\u12C2-\u12C5\u12C8-\u12D6",
    r"\u12D8-\u1310\u1312-\u1315\u1318-\u135A\u1780-\u17B3\u1E00-\u1E99\u1E9C-\u1EFF\u3041-\u3096\u30A1-\u30FA",
    r"\u30FC\u4E00-\u9FFF\uAC00-\uD7A3",
);

/// The same, with the marks that stand on them.
const LETTERS_AND_MARKS: &str = concat!(
    r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u0180-\u01C3\u01CD-\u01F0",
    r"\u01F4-\u024F\u0300-\u034E\u0350-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1",
    r"\u03A3-\u03CF\u03D7-\u03EF\u03F3\u03F7\u03F8\u03FA-\u0481\u0483-\u0487\u048A-\u052F\u0531-\u0556\u0559",
    r"\u0560-\u0586\u05B0-\u05BC\u05D0-\u05EA\u0620-\u065F\u066E-\u0674\u0679-\u06D3\u06D5-\u06DC\u06DF-\u06E8",
    r"\u06EA-\u06EF\u06FA-\u06FC\u06FF\u0900-\u0957\u0960-\u0963\u0971-\u0983\u0985-\u098C\u098F\u0990",
    r"\u0993-\u09A8\u09AA-\u09B0\u09B2\u09B6-\u09B9\u09BC-\u09C4\u09C7\u09C8\u09CB-\u09CE\u09D7\u09E0-\u09E3\u09F0",
    r"\u09F1\u09FC\u09FE\u0A01-\u0A03\u0A05-\u0A0A\u0A0F\u0A10\u0A13-\u0A28\u0A2A-\u0A30\u0A32\u0A35\u0A38\u0A39",
    r"\u0A3C\u0A3E-\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A5C\u0A70-\u0A75\u0A81-\u0A83\u0A85-\u0A8D\u0A8F-\u0A91",
    r"\u0A93-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3\u0AB5-\u0AB9\u0ABC-\u0AC5\u0AC7-\u0AC9\u0ACB-\u0ACD\u0AD0",
    r"\u0AE0-\u0AE3\u0AF9-\u0AFF\u0B01-\u0B03\u0B05-\u0B0C\u0B0F\u0B10\u0B13-\u0B28\u0B2A-\u0B30\u0B32\u0B33",
    r"\u0B35-\u0B39\u0B3C-\u0B44\u0B47\u0B48\u0B4B-\u0B4D\u0B55-\u0B57\u0B5F-\u0B63\u0B71\u0B82\u0B83\u0B85-\u0B8A",
    r"\u0B8E-\u0B90\u0B92-\u0B95\u0B99\u0B9A\u0B9C\u0B9E\u0B9F\u0BA3\u0BA4\u0BA8-\u0BAA\u0BAE-\u0BB9\u0BBE-\u0BC2",
    r"\u0BC6-\u0BC8\u0BCA-\u0BCD\u0BD0\u0BD7\u0C00-\u0C0C\u0C0E-\u0C10\u0C12-\u0C28\u0C2A-\u0C39\u0C3C-\u0C44",
    r"\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C58-\u0C5A\u0C5D\u0C60-\u0C63\u0C80-\u0C83\u0C85-\u0C8C",
    r"\u0C8E-\u0C90\u0C92-\u0CA8\u0CAA-\u0CB3\u0CB5-\u0CB9\u0CBC-\u0CC4\u0CC6-\u0CC8\u0CCA-\u0CCD\u0CD5\u0CD6",
    r"\u0CDD\u0CDE\u0CE0-\u0CE3\u0CF1\u0CF2\u0D00-\u0D0C\u0D0E-\u0D10\u0D12-\u0D44\u0D46-\u0D48\u0D4A-\u0D4E",
    r"\u0D54-\u0D57\u0D5F-\u0D63\u0D7A-\u0D7F\u0D81-\u0D83\u0D85-\u0D96\u0D9A-\u0DB1\u0DB3-\u0DBB\u0DBD",
    r"\u0DC0-\u0DC6\u0DCA\u0DCF-\u0DD4\u0DD6\u0DD8-\u0DDF\u0DF2\u0DF3\u0E01-\u0E32\u0E34-\u0E3A\u0E40-\u0E4E\u0E81",
    r"\u0E82\u0E84\u0E86-\u0E8A\u0E8C-\u0EA3\u0EA5\u0EA7-\u0EB2\u0EB4-\u0EBD\u0EC0-\u0EC4\u0EC6\u0EC8-\u0ECD",
    r"\u1000-\u103F\u1050-\u108F\u109A-\u109D\u10A0-\u10C5\u10C7\u10CD\u10D0-\u10FA\u10FD-\u10FF\u1200-\u1248",
    r"\u124A-\u124D\u1250-\u1256\u1258\u125A-\u125D\u1260-\u1288\u128A-\u128D\u1290-\u12B0\u12B2-\u12B5",
    r"\u12B8-\u12BE\u12C0\u12C2-\u12C5\u12C8-\u12D6\u12D8-\u1310\u1312-\u1315\u1318-\u135A\u1780-\u17B3",
    r"\u17B6-\u17D3\u1E00-\u1E99\u1E9C-\u1EFF\u3041-\u3096\u30A1-\u30FA\u30FC\u4E00-\u9FFF\uAC00-\uD7A3",
);

/// Letters of labels of domains: lower case, and from left to right.
const LABEL_LETTERS: &str = concat!(
    r"\u00DF-\u00F6\u00F8-\u00FF\u0101\u0103\u0105\u0107\u0109\u010B\u010D\u010F\u0111\u0113\u0115\u0117\u0119",
    r"\u011B\u011D\u011F\u0121\u0123\u0125\u0127\u0129\u012B\u012D\u012F\u0131\u0135\u0137\u0138\u013A\u013C\u013E",
    r"\u0142\u0144\u0146\u0148\u014B\u014D\u014F\u0151\u0153\u0155\u0157\u0159\u015B\u015D\u015F\u0161\u0163\u0165",
    r"\u0167\u0169\u016B\u016D\u016F\u0171\u0173\u0175\u0177\u017A\u017C\u017E\u03B1-\u03C9\u0430-\u045F",
    r"\u3041-\u3096\u30A1-\u30FA\u4E00-\u9FFF\uAC00-\uD7A3",
);

/// Two halves of letters: no two that are one in upper and lower case are in different ones.
const HALF_OF_LETTERS: &str = concat!(
    r"\u0391-\u03A1\u03B1-\u03C1\u0410-\u0417\u0430-\u0437\u05D0-\u05DC\u0620-\u0633\u0905-\u091C\u0E01-\u0E18",
    r"\u3041-\u3060\u4E00-\u6FFF\uAC00-\uBFFF",
);
const OTHER_HALF_OF_LETTERS: &str = concat!(
    r"\u03A3-\u03A9\u03C3-\u03C9\u0418-\u042F\u0438-\u044F\u05DD-\u05EA\u0634-\u063A\u0641-\u064A\u091D-\u0939",
    r"\u0E19-\u0E30\u3061-\u3096\u7000-\u9FFF\uC000-\uD7A3",
);

/// What a local part has of ASCII.
const LOCAL: &str = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-";

/// An address: before the @ 64 bytes, in the domain labels of letters, digits and single hyphens, the last with a letter
/// first.
fn email() -> String {
    let local = format!("[{LOCAL}]{{1,64}}|[{LOCAL}{LETTERS}]{{1,16}}");
    let label = format!("[A-Za-z0-9]{{1,31}}(?:-[A-Za-z0-9]{{1,15}}){{0,2}}|[a-z{LABEL_LETTERS}]{{1,12}}");
    let last = format!("[A-Za-z]{{2,31}}|[a-z{LABEL_LETTERS}]{{2,12}}");
    // Of long labels as many as a domain has room for, of short ones more.
    format!(r"^(?:{local})@(?:(?:(?:{label})\.){{1,3}}|(?:[A-Za-z0-9]{{1,15}}\.){{4,8}})(?:{last})$")
}

/// Those that a keyboard hasn't, as in ʻOkina and O’Neil.
const APOSTROPHES: &str = r"\u02BB\u02BC\u2019";

/// A name begins with something that can be seen; joiners stand where Persian and Indic scripts have them; no other
/// invisible character is in it.
fn name() -> String {
    const PERSIAN: &str = r"[\u0633-\u063A\u0641-\u0647\u064A\u06A9\u06AF\u06CC]\u200C";
    const INDIC: &str = r"[\u094D\u09CD\u0BCD\u0C4D\u0CCD\u0D4D\u0DCA][\u200C\u200D]";
    format!("^[!-~{APOSTROPHES}{LETTERS}](?:[ -~{APOSTROPHES}{LETTERS_AND_MARKS}]|{PERSIAN}|{INDIC})*$")
}

/// The same, or nothing.
fn last_name() -> String {
    ["^$|", &name()].concat()
}

/// A password is not one character again and again, be it in upper or lower case: it has two that differ.
fn password() -> String {
    let letters = [HALF_OF_LETTERS, OTHER_HALF_OF_LETTERS].concat();
    let pairs = [
        (HALF_OF_LETTERS, OTHER_HALF_OF_LETTERS),
        (letters.as_str(), "!-~"),
        ("A-Za-z0-9", r"!-/:-@\[-`{-~"),
    ];
    let either = pairs.map(|(one, other)| format!("[{one}].*[{other}]|[{other}].*[{one}]"));
    let letters = ('a'..='z').map(|letter| {
        let (small, capital) = (
            all_but(letter, 'a'..='z'),
            all_but(letter.to_ascii_uppercase(), 'A'..='Z'),
        );
        format!("[{letter}{}].*[{small}{capital}]", letter.to_ascii_uppercase())
    });
    let digits = ('0'..='9').map(|digit| format!("{digit}.*[{}]", all_but(digit, '0'..='9')));
    let any: Vec<_> = either.into_iter().chain(letters).chain(digits).collect();
    format!("^.*(?:{}).*$", any.join("|"))
}

/// The others of a range of ASCII.
fn all_but(one: char, of: RangeInclusive<char>) -> String {
    let code = u32::from(one);
    let [before, after] = [code - 1, code + 1].map(|code| char::from_u32(code).unwrap_or(one));
    let sides = [(*of.start(), before), (after, *of.end())];
    let ranges = sides.into_iter().filter(|(first, last)| first <= last);
    ranges.map(|(first, last)| format!("{first}-{last}")).collect()
}

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
                email()
            }
            Some("{name}") => name(),
            Some("{last_name}") => last_name(),
            Some("{password}") => {
                schema.insert("minLength".to_owned(), self.password.into());
                password()
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
                               "c": { "pattern": password(), "minLength": 15 }, "d": { "pattern": email(), "format": "idn-email" },
                               "e": { "pattern": PHONE, "description": "The country has to have assigned such numbers: else 400 `validation_failed`, with a word at `errors.phone`." } });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_people_have_fits() {
        for (pattern, texts) in [
            (
                email(),
                &[
                    "a@sub.sub.sub.example.co.uk",
                    "josé@example.com",
                    "用户@例子.公司",
                ][..],
            ),
            (name(), &["O’Neil", "ʻOkina", "O'Neil", "李", "José María"]),
            (
                password(),
                &[
                    "nopqrstuvw",
                    "abcdefghijkl",
                    "5678956789",
                    "zoo-zoo-zoo",
                    "lalalalalala",
                    "пароль",
                ],
            ),
        ] {
            let pattern = regex_lite::Regex::new(&pattern).unwrap();
            for text in texts {
                assert!(pattern.is_match(text), "{text}");
            }
        }
        let password = regex_lite::Regex::new(&password()).unwrap();
        for text in ["aaaaaaaaaa", "AAaaAAaa", "1111111111", "zZzZzZzZ"] {
            assert!(!password.is_match(text), "{text}");
        }
    }

    /// JSON Schema 2020-12, core, 6.4: what validators of all languages understand.
    #[test]
    fn no_pattern_asks_more_of_a_validator_than_json_schema_advises() {
        for pattern in [email(), name(), last_name(), password(), PHONE.to_owned()] {
            for beyond in [
                "(?=", "(?!", "(?<", r"\p", r"\P", r"\1", r"\w", r"\d", r"\s", r"\b",
            ] {
                assert!(!pattern.contains(beyond), "{beyond}: {pattern}");
            }
            let opened = pattern.matches('(').count() - pattern.matches("(?:").count();
            assert_eq!(opened, 0, "groups that keep what they found: {pattern}");
        }
    }
}
