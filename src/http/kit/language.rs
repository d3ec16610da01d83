//! `Accept-Language`: what a client would read, the dearest first (RFC 9110, section 12.5.4).

use actix_web::{
    HttpRequest,
    http::header::{ACCEPT_LANGUAGE, HeaderMap},
};

use crate::{channel::Channel, http::api::Api, language::Language};

/// Browsers send some dozens of bytes; what is longer than this is not read.
const MAX_BYTES: usize = 1024;

/// What a message by this channel is to be written in: the first language that the client accepts and that its texts have.
pub fn language_for(api: &Api, request: &HttpRequest, channel: Channel) -> Language {
    let accepted = accepted(request.headers());
    let ranges = accepted.iter().map(String::as_str);
    match channel {
        Channel::Sms => api.sms_texts.best_for(ranges),
        Channel::Email => api.mail_texts.best_for(ranges),
    }
}

/// The language ranges that a client accepts, by falling preference, in lower case. What is not one is passed over.
fn accepted(headers: &HeaderMap) -> Vec<String> {
    let mut list = String::new();
    for line in headers.get_all(ACCEPT_LANGUAGE) {
        // Several lines are one list (RFC 9110, section 5.3).
        match line.to_str() {
            Ok(line) if list.len() + line.len() < MAX_BYTES => {
                list.push_str(line);
                list.push(',');
            }
            _ => return Vec::new(),
        }
    }
    ranked(&list)
}

fn ranked(list: &str) -> Vec<String> {
    let mut weighed: Vec<_> = list.split(',').filter_map(weigh).collect();
    // A stable sort: of the same weight, the first is the dearest.
    weighed.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    weighed.into_iter().map(|(range, _)| range).collect()
}

/// A range and its weight in thousandths; none if there is no such range, or it isn't wanted at all.
fn weigh(element: &str) -> Option<(String, u16)> {
    let (range, weight) = match element.split_once(';') {
        None => (element, 1000),
        Some((range, parameter)) => (range, quality(parameter.trim_matches([' ', '\t']))?),
    };
    let range = range.trim_matches([' ', '\t']);
    let is_range = range.split('-').all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|character| character.is_ascii_alphanumeric())
    });
    (is_range && weight > 0).then(|| (range.to_ascii_lowercase(), weight))
}

/// `q=0.7` as 700: at most three digits behind the point, and nothing over 1 (section 12.4.2).
fn quality(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    if !["0", "1"].contains(&whole)
        || part.len() > 3
        || !part.bytes().all(|character| character.is_ascii_digit())
    {
        return None;
    }
    let weight = format!("{whole}{part:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_come_by_their_weight_then_as_they_stand() {
        for (list, ranges) in [
            ("", &[][..]),
            ("de", &["de"]),
            ("pt-BR, pt;q=0.9, en;q=0.5", &["pt-br", "pt", "en"]),
            ("en;q=0.5,pt ;Q=0.9\t,  fr", &["fr", "pt", "en"]),
            ("a;q=0.001, b;q=1.000, c;q=1, d;q=1.", &["b", "c", "d", "a"]),
            ("en;q=0, de;q=0.000, ja;q=0.1", &["ja"]),
            ("*, ja;q=0.1, *;q=0.2", &["ja"]),
            // What is no range is passed over, and the rest taken.
            (
                "en_US, de;q=2, fr;q=1.001, es;q=0.1234, pt;q, hi;q=.5, ar;level=1, ja;q=0.5;x, sv",
                &["sv"],
            ),
            (",, ;q=1, -, en-, toolonglanguage, \u{e9}, fr", &["fr"]),
        ] {
            assert_eq!(ranked(list), ranges, "{list}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_text_says_nothing() {
        let accepted = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(
                    ACCEPT_LANGUAGE,
                    actix_web::http::header::HeaderValue::from_bytes(line).unwrap(),
                );
            }
            accepted(&headers)
        };
        assert_eq!(accepted(&[b"de;q=0.5", b"fr"]), ["fr", "de"]);
        assert_eq!(accepted(&[b"fr", b"\xff"]), [""; 0]);
        assert_eq!(accepted(&["fr,".repeat(341).as_bytes()]).len(), 341);
        assert_eq!(accepted(&["fr,".repeat(342).as_bytes()]), [""; 0]);
        assert_eq!(accepted(&[&b"fr,".repeat(300), &b"de,".repeat(300)]), [""; 0]);
    }

    proptest! {
        /// Whatever is sent, ranges come out that are ranges.
        #[test]
        fn any_list_is_answered(list in "\\PC{0,80}|([a-zA-Z]{1,3}(-[A-Z]{2})?(;q=[01](\\.[0-9]{0,4})?)?, ?){0,9}") {
            for range in ranked(&list) {
                prop_assert!(range.bytes().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == b'-'));
            }
        }
    }
}
