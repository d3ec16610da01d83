//! Texts that every request needs, written quickly: JSON, and bytes in base64url. The crates for them do more than is needed
//! here, and take several times as long (`docs/performance.md`).

use std::fmt::Write;

use uuid::Uuid;

/// Which character stands for six bits (RFC 4648, section 5).
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// What 16 bytes take, unpadded.
const CHARACTERS: usize = 22;

/// Adds 16 bytes in base64url, unpadded: 22 characters.
pub fn push_base64_url(text: &mut String, bytes: [u8; 16]) {
    let number = u128::from_be_bytes(bytes);
    let mut characters = [0; CHARACTERS];
    for (at, character) in characters.iter_mut().enumerate() {
        // The last one has two bits of the bytes, and four zeros behind them.
        let six_bits = match at {
            21 => number << 4,
            _ => number >> (122 - 6 * at),
        };
        *character = BASE64_URL[(six_bits & 63) as usize];
    }
    text.push_str(str::from_utf8(&characters).unwrap_or_default());
}

/// 16 bytes in base64url, unpadded.
pub fn base64_url(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(CHARACTERS);
    push_base64_url(&mut text, bytes);
    text
}

/// Adds a text between quotes, escaped as RFC 8259, section 7, has it.
pub fn push_json_text(json: &mut String, text: &str) {
    json.push('"');
    match has_special(text.as_bytes()) {
        // Hardly any text.
        true => push_escaped(json, text),
        false => json.push_str(text),
    }
    json.push('"');
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn push_escaped(json: &mut String, mut rest: &str) {
    while let Some(at) = rest.bytes().position(is_special) {
        json.push_str(&rest[..at]);
        // A string takes everything.
        let _ = match rest.as_bytes()[at] {
            byte @ (b'"' | b'\\') => write!(json, "\\{}", char::from(byte)),
            b'\n' => json.write_str("\\n"),
            byte => write!(json, "\\u{byte:04x}"),
        };
        rest = &rest[at + 1..];
    }
    json.push_str(rest);
}

/// Whether a byte has to be escaped; looks at eight at a time.
fn has_special(bytes: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    let (words, rest) = bytes.as_chunks::<WORD>();
    let in_words = words
        .iter()
        .fold(0, |found, word| found | special_in(u64::from_ne_bytes(*word)));
    let last = match bytes.last_chunk::<WORD>() {
        _ if rest.is_empty() => 0,
        // Some of them once more.
        Some(last) => special_in(u64::from_ne_bytes(*last)),
        None => u64::from(rest.iter().any(|&byte| is_special(byte))),
    };
    (in_words | last) != 0
}

/// Not 0 if one of a word's bytes is special. The usual arithmetic of words: the highest bit of a byte is set where taking one
/// (of what should be zero) or 32 from it borrowed, and it was not set before.
const fn special_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    const QUOTE: u64 = ONES * b'"' as u64;
    const BACKSLASH: u64 = ONES * b'\\' as u64;
    let (quote, backslash) = (word ^ QUOTE, word ^ BACKSLASH);
    let control = word.wrapping_sub(ONES * 32) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHEST
}

/// A JSON object that is being written. Names are written as they stand: each is one of ours.
pub struct JsonObject {
    json: String,
}

impl JsonObject {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut json = String::with_capacity(bytes);
        json.push('{');
        Self { json }
    }

    fn name(&mut self, name: &'static str) {
        let before = if self.json.len() > 1 { ",\"" } else { "\"" };
        for part in [before, name, "\":"] {
            self.json.push_str(part);
        }
    }

    #[must_use]
    pub fn text(mut self, name: &'static str, value: &str) -> Self {
        self.name(name);
        push_json_text(&mut self.json, value);
        self
    }

    #[must_use]
    pub fn number(mut self, name: &'static str, value: impl itoa::Integer) -> Self {
        self.name(name);
        self.json.push_str(itoa::Buffer::new().format(value));
        self
    }

    #[must_use]
    pub fn id(mut self, name: &'static str, value: Uuid) -> Self {
        self.name(name);
        let mut room = Uuid::encode_buffer();
        for part in ["\"", value.as_hyphenated().encode_lower(&mut room), "\""] {
            self.json.push_str(part);
        }
        self
    }

    /// What is JSON already.
    #[must_use]
    pub fn raw(mut self, name: &'static str, value: &str) -> Self {
        self.name(name);
        self.json.push_str(value);
        self
    }

    /// Adds nothing where there is no value.
    #[must_use]
    pub fn maybe<V>(self, value: Option<V>, add: impl FnOnce(Self, V) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self,
        }
    }

    pub fn close(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_written_as_base64_has_them(bytes: [u8; 16]) {
            prop_assert_eq!(base64_url(bytes), BASE64_URL_SAFE_NO_PAD.encode(bytes));
        }

        #[test]
        fn a_text_reads_back_as_it_was(text: String, at in 0_usize..24, special in 0_u8..128) {
            // One byte of every kind at every place, in texts of every length.
            let mut plain = "x".repeat(at);
            plain.push(char::from(special));
            for text in [text, plain.clone(), plain.repeat(3)] {
                let mut json = String::new();
                push_json_text(&mut json, &text);
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            }
        }
    }

    #[test]
    fn an_object_is_what_serde_reads() {
        let id = Uuid::from_u128(7);
        let json = JsonObject::with_capacity(64)
            .id("id", id)
            .text("text", "a \"b\"")
            .number("number", 7)
            .maybe(None::<&str>, |object, value| object.text("none", value))
            .maybe(Some("c"), |object, value| object.text("some", value))
            .raw("raw", "null")
            .close();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected =
            serde_json::json!({ "id": id, "text": "a \"b\"", "number": 7, "some": "c", "raw": null });
        assert_eq!(read, expected);
        assert_eq!(JsonObject::with_capacity(0).close(), "{}");
    }
}
