//! What the parser of HTTP refuses by itself, as a problem like all others. Its answers never come to a handler or a
//! middleware, and have no body: they are found where they are written.

use actix_web::http::StatusCode;

use crate::{
    entropy::{Entropy, SystemEntropy},
    http::kit::{observe::count_unparsed, problem, rejection::Rejection, request_id},
    problem::Problem,
};

/// An answer of the parser is shorter than this.
const MAX_BYTES: usize = 256;

/// Finds an answer of the parser at the end of what is written: where it begins, and what to write instead.
/// `has_long_uri`: what it refuses is no HTTP because its URI was cut.
pub fn find(bytes: &[u8], has_long_uri: bool) -> Option<(usize, Vec<u8>)> {
    // All others end in a body, or carry a request's id.
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let tail = bytes.len().saturating_sub(MAX_BYTES);
    let place = bytes[tail..].windows(9).rposition(|part| part == b"HTTP/1.1 ")? + tail;
    let head = str::from_utf8(&bytes[place..]).ok()?;
    if head.contains("\r\nx-request-id:") || !head.contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    let rejection = match head.get(9..12)? {
        "400" if has_long_uri => Rejection::UriTooLong,
        "400" => Rejection::MalformedRequest,
        "408" => Rejection::RequestTimeout,
        "431" => Rejection::HeadersTooLarge,
        _ => return None,
    };
    Some((place, answer(&rejection, head)))
}

/// The whole answer, with the lines of the original that still hold.
fn answer(rejection: &Rejection, original: &str) -> Vec<u8> {
    let id = (&SystemEntropy as &dyn Entropy).uuid().simple().to_string();
    let details = rejection.details();
    let status = StatusCode::from_u16(details.status).unwrap_or(StatusCode::BAD_REQUEST);
    count_unparsed(details.status);
    tracing::info!(
        request.id = id,
        http.status = details.status,
        error.code = details.code,
        "request"
    );
    let body = request_id::with_sync(id.clone(), || problem::body(&details));
    let kept = original
        .split("\r\n")
        .skip(1)
        .filter(|line| !line.is_empty() && !line.starts_with("content-length:"));
    let mut answer = format!("HTTP/1.1 {status}\r\n");
    for line in kept {
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    answer.push_str(&format!(
        "content-length: {}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nx-request-id: {id}\r\n\r\n{body}",
        body.len(),
    ));
    answer.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const BARE: &str =
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";

    #[test]
    fn an_answer_of_the_parser_becomes_a_problem() {
        for (status, code) in [
            ("400 Bad Request", "malformed_request"),
            ("408 Request Timeout", "request_timeout"),
            ("431 Request Header Fields Too Large", "headers_too_large"),
        ] {
            let before = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: a\r\n\r\n{}";
            let bytes = format!("{before}{}", BARE.replace("400 Bad Request", status));
            let (place, answer) = find(bytes.as_bytes(), false).unwrap();
            assert_eq!(place, before.len());
            let answer = String::from_utf8(answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\nconnection: close\r\ndate: x\r\n")));
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
            let problem: Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["code"], code);
            assert!(head.ends_with(problem["request_id"].as_str().unwrap()));
        }
    }

    #[test]
    fn a_long_uri_has_a_status_of_its_own() {
        let (_, answer) = find(BARE.as_bytes(), true).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 414 URI Too Long\r\n"), "{answer}");
        assert!(answer.contains("\"code\":\"uri_too_long\""), "{answer}");
    }

    #[test]
    fn answers_of_handlers_are_left_as_they_are() {
        for bytes in [
            "HTTP/1.1 204 No Content\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\ndate: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-request-id: a\r\n\r\n\r\n\r\n",
            "",
            "\r\n\r\n",
        ] {
            assert!(find(bytes.as_bytes(), false).is_none(), "{bytes}");
        }
    }
}
