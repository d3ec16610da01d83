//! What was just done, said once, on the next page. It travels in a cookie of its own that is signed for the sign-in: an address says
//! nothing, and what goes back or loads anew says it no more.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use super::cookie::{Cookie, TAG_BYTES, attributes, mac, name, value_of};
use crate::{http::api::Api, secrets::SecretKeys};

const MAX_BYTES: usize = 600;

/// The header that has it said: plain text, without anything personal.
pub fn say(api: &Api, cookie: Cookie, text: &str) -> (HeaderName, String) {
    let keys = api.flows.codes.challenges.keyring.current();
    let tag = tag(keys, cookie, text);
    let value = BASE64_URL_SAFE_NO_PAD.encode([&tag, text.as_bytes()].concat());
    let (name, attributes) = (name_of_it(api), attributes(api));
    (
        header::SET_COOKIE,
        format!("{name}={value}; Max-Age=60; {attributes}"),
    )
}

/// What is to be said, and the header that has it said no more.
pub fn said(api: &Api, request: &HttpRequest, cookie: Cookie) -> Option<(String, (HeaderName, String))> {
    let value = value_of(request, &name_of_it(api))?;
    let forget = (
        header::SET_COOKIE,
        format!("{}=; Max-Age=0; {}", name_of_it(api), attributes(api)),
    );
    Some((read(api, cookie, value)?, forget))
}

fn read(api: &Api, cookie: Cookie, value: &str) -> Option<String> {
    if value.len() > MAX_BYTES {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
    let (shown, text) = bytes.split_at_checked(TAG_BYTES)?;
    let text = str::from_utf8(text).ok()?;
    let keyring = &api.flows.codes.challenges.keyring;
    let is_ours = |keys: &SecretKeys| tag(keys, cookie, text).ct_eq(shown).into();
    keyring.all().iter().any(is_ours).then(|| text.to_owned())
}

fn tag(keys: &SecretKeys, cookie: Cookie, text: &str) -> [u8; TAG_BYTES] {
    mac(
        keys,
        "said",
        &[cookie.told().as_slice(), text.as_bytes()].concat(),
    )
}

fn name_of_it(api: &Api) -> String {
    format!("{}-said", name(api))
}
