//! From the text of a body to its fields.

use serde::de::DeserializeOwned;

use crate::http::kit::rejection::Rejection;

/// How deep unknown parts of a body may nest; ours don't nest at all.
const MAX_DEPTH: usize = 32;

/// Reads a JSON object. Unknown fields are ignored.
///
/// # Errors
/// When it is none, or a field comes twice.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    // The whole of it: serde_json doesn't look into texts that are ignored.
    let text = str::from_utf8(body).map_err(|_| Rejection::MalformedJson)?;
    // Some editors and libraries put a byte order mark before it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_ascii_start().starts_with('{') || is_deep(text.as_bytes()) {
        return Err(Rejection::MalformedJson);
    }
    parse_in_range(text, 0).map_err(|error| {
        // It has no other way to tell. The key is one of ours: of others, the last value would be ignored like the first.
        let told = error.to_string();
        let key = told
            .strip_prefix("duplicate field `")
            .and_then(|rest| rest.split('`').next());
        key.map_or(Rejection::MalformedJson, |key| {
            Rejection::DuplicateKey(key.to_owned())
        })
    })
}

/// How many numbers of a body may be too large for every type.
const MAX_HUGE_NUMBERS: u8 = 16;

/// The parser refuses a number such as 1e400, though it is JSON. A large one is read in its place: so its field is
/// found wrong, or is ignored, as with any other number.
fn parse_in_range<T: DeserializeOwned>(text: &str, replaced: u8) -> serde_json::Result<T> {
    let error = match serde_json::from_str(text) {
        Err(error) if replaced < MAX_HUGE_NUMBERS && error.to_string().starts_with("number out of range") => {
            error
        }
        done => return done,
    };
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let line_at: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let noticed_at = (line_at + error.column()).min(text.len());
    let (before, after) = text.as_bytes().split_at(noticed_at);
    let begin = before
        .iter()
        .rposition(|byte| !is_of_number(byte))
        .map_or(0, |at| at + 1);
    let end = noticed_at + after.iter().take_while(|byte| is_of_number(byte)).count();
    match (text.get(..begin), text.get(end..)) {
        (Some(head), Some(tail)) if begin < end => {
            parse_in_range(&format!("{head}1e308{tail}"), replaced + 1)
        }
        _ => Err(error),
    }
}

fn is_deep(body: &[u8]) -> bool {
    // What hardly opens anything is no deeper, and that is quick to see.
    let opens = |byte: &&u8| matches!(byte, b'{' | b'[');
    if body.iter().filter(opens).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{http::kit::field::Field, problem::Problem};

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default)]
        phone: Field,
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(!is_deep(br#"{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#));
        assert!(!is_deep(
            br#"{"a": "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#
        ));
        assert!(is_deep(&b"[".repeat(MAX_DEPTH + 1)));
        assert!(!is_deep(&b"[]".repeat(MAX_DEPTH + 1)));
    }

    #[test]
    fn a_number_that_is_too_large_is_a_number_like_any_other() {
        for text in [
            r#"{"phone": 1e400}"#,
            "{\n\n  \"é\": -1.5E+999,\r\n \"phone\":-12345E+6789 , \"x\": [1e999]}",
        ] {
            let body: Body = parse(text.as_bytes()).unwrap();
            assert!(matches!(body.phone, Field::Number(_) | Field::Other), "{body:?}");
        }
        let most = |count: u8| format!("{{\"phone\": [{}0]}}", "1e400,".repeat(count.into()));
        assert!(parse::<Body>(most(MAX_HUGE_NUMBERS).as_bytes()).is_ok());
        for bad in [
            most(MAX_HUGE_NUMBERS + 1),
            r#"{"phone": 1e400"#.to_owned(),
            r#"{"phone": 1e4e400}"#.to_owned(),
        ] {
            assert!(parse::<Body>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let body: Body = parse("\u{feff}{\"phone\": \"+1\"}".as_bytes()).unwrap();
        assert!(matches!(body.phone, Field::Text(text) if text == "+1"));
        assert!(parse::<Body>("\u{feff}\u{feff}{}".as_bytes()).is_err());
    }

    #[test]
    fn a_key_that_comes_twice_is_named() {
        let error = parse::<Body>(br#"{"phone": "+1", "x": 1, "x": 2, "phone": "+2"}"#).unwrap_err();
        let told = error.details();
        assert_eq!((told.status, told.code), (400, "malformed_json"));
        assert_eq!(told.detail, "The body has the key `phone` more than once.");
    }
}
