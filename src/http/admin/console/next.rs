//! Where a sign-in goes on: to the page that was asked for. An address may say anything, so only pages of this console, as they
//! are listed here, are gone to.

use actix_web::{HttpRequest, http::Method};
use url::form_urlencoded::{Serializer, byte_serialize};
use uuid::Uuid;

use super::error::SIGN_IN;

/// Where somebody comes who asked for nothing else.
pub const OVERVIEW: &str = "/admin/";

const PAGES: [&str; 5] = [
    OVERVIEW,
    "/admin/users/",
    "/admin/events/",
    "/admin/messages/",
    "/admin/limits/",
];

const MAX_BYTES: usize = 1000;

/// A page of the console to go on to; none where it is no page, or the overview, which is gone to anyway.
pub fn next_of(text: &str) -> &str {
    let path = text.split('?').next().unwrap_or_default();
    let is_plain =
        text.len() <= MAX_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_next = is_plain && text != OVERVIEW && (PAGES.contains(&path) || is_account(path));
    if is_next { text } else { "" }
}

fn is_account(path: &str) -> bool {
    let id = path
        .strip_prefix("/admin/users/")
        .and_then(|rest| rest.strip_suffix('/'));
    id.is_some_and(|id| Uuid::parse_str(id).is_ok())
}

/// The page that a request is about: the one that it asks for, or the one that the form was on that it sends.
pub fn page_behind(request: &HttpRequest) -> String {
    let path = format!("{}/", request.path().trim_end_matches('/'));
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let asked = match (is_read, request.query_string()) {
        (true, query) if !query.is_empty() => format!("{path}?{query}"),
        (true, _) => path,
        // A form's own address is that of its page with a word behind it.
        (false, _) => path
            .trim_end_matches('/')
            .rsplit_once('/')
            .map_or_else(String::new, |(page, _)| format!("{page}/")),
    };
    match next_of(
        &asked
            .replace("/events.csv/", "/events/")
            .replace("/events.json/", "/events/"),
    ) {
        "" => OVERVIEW.to_owned(),
        next => next.to_owned(),
    }
}

/// The sign-in page that goes on to another.
pub fn sign_in_for(next: &str) -> String {
    match next_of(next) {
        "" => SIGN_IN.to_owned(),
        next => format!(
            "{SIGN_IN}?next={}",
            byte_serialize(next.as_bytes()).collect::<String>()
        ),
    }
}

/// The page on which a code is typed: of this challenge, where it is known.
pub fn prove_for(challenge: Option<Uuid>, next: &str) -> String {
    let mut query = Serializer::new(String::new());
    if let Some(id) = challenge {
        query.append_pair("challenge_id", &id.to_string());
    }
    match next_of(next) {
        "" => {}
        next => drop(query.append_pair("next", next)),
    }
    match query.finish().as_str() {
        "" => "/admin/prove/".to_owned(),
        query => format!("/admin/prove/?{query}"),
    }
}
