//! From bytes to judged fields: a body is taken whole or refused, with a word on each field.

use std::{borrow::Cow, collections::btree_map::Entry, fmt, future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header,
    web::{self, BytesMut},
};
use futures_util::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::http::{
    api::Api,
    kit::{problem::ApiError, rejection::Rejection},
};
use crate::problem::FieldErrors;

/// What a body may weigh.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// How deep unknown parts of a body may nest; ours don't nest at all.
const MAX_DEPTH: usize = 32;

/// A JSON object of the shape `T`, whose fields are [`Field`]s. Unknown fields are ignored.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !declares_json(&request) {
                return Err(Rejection::UnsupportedMediaType.into());
            }
            let body = read(&request, payload).await?;
            // The whole of it: serde_json doesn't look into texts that are ignored.
            let text = str::from_utf8(&body).map_err(|_| Rejection::MalformedJson)?;
            if !text.trim_ascii_start().starts_with('{') || is_deep(&body) {
                return Err(Rejection::MalformedJson.into());
            }
            serde_json::from_str(text)
                .map(Self)
                .map_err(|_| Rejection::MalformedJson.into())
        })
    }
}

/// The fields of a form, in their order. What is no form has none.
pub struct FormBody(pub Vec<(String, String)>);

impl FromRequest for FormBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, payload).await?;
            Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
        })
    }
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<BytesMut, ApiError> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
        return Err(Rejection::PayloadTooLarge.into());
    }
    let all = async {
        let mut body = BytesMut::with_capacity(declared.unwrap_or(512));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Rejection::MalformedJson)?;
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Rejection::PayloadTooLarge.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let patience = request
        .app_data::<web::Data<Api>>()
        .map(|api| api.server.request_timeout)
        .unwrap_or_default();
    tokio::time::timeout(patience, all)
        .await
        .unwrap_or(Err(Rejection::RequestTimeout.into()))
}

/// `application/json`, in UTF-8 and as it is.
fn declares_json(request: &HttpRequest) -> bool {
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let Some(declared) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = declared.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}

fn is_deep(body: &[u8]) -> bool {
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

/// One field of a body, before anybody asked whether it may be so.
#[derive(Default)]
pub enum Field {
    #[default]
    Missing,
    Null,
    Text(String),
    Mistyped,
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

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Mistyped)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
        Ok(Field::Mistyped)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Field, E> {
        Ok(Field::Mistyped)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Mistyped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Mistyped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Mistyped)
    }
}

/// Collects what is wrong with a body's fields, so that all of it is said at once.
#[derive(Default)]
pub struct Faults(FieldErrors);

impl Faults {
    /// The field's value, judged by `parse`; `None` when something was noted.
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

    /// The same for a field that may be missing or null.
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
            Field::Text(text) => parse(&text)
                .map_err(|error| self.note(name, error.to_string()))
                .ok(),
            Field::Missing | Field::Null => {
                self.note(name, "This field may not be null.");
                None
            }
            Field::Mistyped => {
                self.note(name, "This field must be a string.");
                None
            }
        }
    }

    /// Notes a fault.
    pub fn note(&mut self, name: &'static str, fault: impl Into<Cow<'static, str>>) {
        match self.0.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(vec![fault.into()])),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(!is_deep(
            br#"{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#
        ));
        assert!(!is_deep(
            br#"{"a": "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#
        ));
        assert!(is_deep(&b"[".repeat(MAX_DEPTH + 1)));
        assert!(!is_deep(&b"[]".repeat(MAX_DEPTH + 1)));
    }
}
