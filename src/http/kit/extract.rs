//! From bytes to fields: a body or a query is taken whole, or refused.

use std::{
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Waker},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

pub use crate::http::kit::field::{Faults, Field};
use crate::http::{
    api::Api,
    kit::{json, problem::ApiError, rejection::Rejection},
};

/// What a body may weigh.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// A JSON object of the shape `T`, whose fields are [`Field`]s. Unknown fields are ignored.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = UnreadJson::new(request, payload);
        Box::pin(async { body.read().await.map(Self) })
    }
}

/// The same, still to be read: where somebody has to be signed in, nobody else is told what is wrong with it.
pub struct UnreadJson<T> {
    request: HttpRequest,
    payload: Payload,
    shape: PhantomData<T>,
}

impl<T: DeserializeOwned> UnreadJson<T> {
    fn new(request: &HttpRequest, payload: &mut Payload) -> Self {
        let (request, payload) = (request.clone(), payload.take());
        let shape = PhantomData;
        Self {
            request,
            payload,
            shape,
        }
    }

    /// The same body, to be read as another shape.
    pub fn of<U>(self) -> UnreadJson<U> {
        UnreadJson {
            request: self.request,
            payload: self.payload,
            shape: PhantomData,
        }
    }

    /// # Errors
    /// When it is no JSON object of the shape, or too large, or doesn't come in time.
    pub async fn read(self) -> Result<T, ApiError> {
        demand_json(&self.request)?;
        let body = read(&self.request, self.payload).await?;
        Ok(json::parse(&body)?)
    }
}

impl<T: DeserializeOwned> FromRequest for UnreadJson<T> {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::new(request, payload)))
    }
}

/// A JSON object where one comes along; none where there is no body, whatever its kind is said to be.
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalJson<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, payload).await?;
            if body.is_empty() {
                return Ok(Self(None));
            }
            demand_json(&request)?;
            Ok(Self(Some(json::parse(&body)?)))
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

/// The fields of a query string, each a [`Field::Word`]; of a name that comes twice, the first. Unknown ones are ignored.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Fields as they came, by their names: to be shown again.
    pub fn shown(&self, names: &[&str]) -> serde_json::Value {
        let shown = |name: &&str| {
            let found = self.0.iter().find(|(found, _)| found == name);
            (
                (*name).to_owned(),
                found.map(|(_, text)| text.clone()).unwrap_or_default().into(),
            )
        };
        serde_json::Value::Object(names.iter().map(shown).collect())
    }

    /// The same without fields that are empty: a browser's form sends all of its fields.
    pub fn without_empty(mut self) -> Self {
        self.0.retain(|(_, text)| !text.is_empty());
        self
    }

    /// The same with another text in a field, if it is there.
    pub fn with(mut self, name: &str, change: impl FnOnce(&str) -> String) -> Self {
        if let Some((_, text)) = self.0.iter_mut().find(|(found, _)| found == name) {
            *text = change(text);
        }
        self
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Field {
        match self.0.iter().position(|(found, _)| found == name) {
            Some(place) => Field::Word(self.0.swap_remove(place).1),
            None => Field::Missing,
        }
    }
}

impl FromRequest for Query {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let fields = url::form_urlencoded::parse(request.query_string().as_bytes());
        std::future::ready(Ok(Self(fields.into_owned().collect())))
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
        while let Some(chunk) = next_part(&mut payload).await {
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

/// The next part of a body. Where the connection feeds it, it has nobody woken: that looks at its request in any case once it
/// has fed it, and woken besides it would look again at everything (`docs/performance.md` has what that costs).
fn next_part(payload: &mut Payload) -> impl Future<Output = Option<Result<Bytes, PayloadError>>> {
    poll_fn(|context| match payload {
        Payload::H1 { .. } => payload.poll_next_unpin(&mut Context::from_waker(Waker::noop())),
        _ => payload.poll_next_unpin(context),
    })
}

/// The names of UTF-8 that browsers know (WHATWG Encoding, 4.2), one that some clients make up, and of ASCII, which is a part
/// of it.
const UTF8: [&str; 10] = [
    "utf-8",
    "utf8",
    "utf_8",
    "unicode-1-1-utf-8",
    "unicode11utf8",
    "unicode20utf8",
    "x-unicode20utf8",
    "us-ascii",
    "ascii",
    "ansi_x3.4-1968",
];

/// `application/json`, in UTF-8 and as it is.
fn demand_json(request: &HttpRequest) -> Result<(), Rejection> {
    let headers = request.headers();
    let is_identity = |value: &header::HeaderValue| {
        let mut encodings = value.as_bytes().split(|&byte| byte == b',');
        encodings.all(|encoding| {
            matches!(
                encoding.trim_ascii().to_ascii_lowercase().as_slice(),
                b"identity" | b""
            )
        })
    };
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .ok_or(Rejection::UnsupportedMediaType)?;
    let mut parts = declared.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let mut is_utf8 = parts.map(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim_ascii().eq_ignore_ascii_case("charset") => {
            let charset = value.trim_ascii().trim_matches(['"', '\'']).trim_ascii();
            charset.is_empty() || UTF8.iter().any(|name| charset.eq_ignore_ascii_case(name))
        }
        _ => true,
    });
    match headers.get_all(header::CONTENT_ENCODING).all(is_identity) {
        _ if !json => Err(Rejection::UnsupportedMediaType),
        false => Err(Rejection::UnsupportedCoding),
        true if !is_utf8.all(|is| is) => Err(Rejection::UnsupportedCharset),
        true => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use actix_web::test::TestRequest;

    #[test]
    fn json_is_declared_in_many_ways() {
        const TYPE: &str = "Send the body as application/json.";
        const CHARSET: &str = "Send the body in UTF-8.";
        const CODING: &str = "Send the body as it is: without Content-Encoding, or with `identity`.";
        for (kind, encoding, refusal) in [
            ("application/json", None, None),
            ("Application/JSON; charset=UTF-8", None, None),
            ("application/json;charset=utf8", None, None),
            ("application/json; Charset=\"utf-8\"", Some("Identity"), None),
            ("application/json", Some("identity"), None),
            (
                "application/json; charset='UTF-8'; x=y",
                Some("identity, identity"),
                None,
            ),
            ("application/json; charset=unicode-1-1-utf-8", Some(""), None),
            ("application/json;charset=", None, None),
            ("application/json;charset=US-ASCII", None, None),
            ("application/json; charset=utf-16", None, Some(CHARSET)),
            ("application/json", Some("gzip"), Some(CODING)),
            ("application/json", Some("identity, gzip"), Some(CODING)),
            ("application/json; charset=latin1", None, Some(CHARSET)),
            ("text/json", None, Some(TYPE)),
            ("text/json", Some("gzip"), Some(TYPE)),
        ] {
            let mut request = TestRequest::default().insert_header((header::CONTENT_TYPE, kind));
            if let Some(encoding) = encoding {
                request = request.insert_header((header::CONTENT_ENCODING, encoding));
            }
            let told = demand_json(&request.to_http_request()).map_err(|refusal| refusal.details());
            let told = told.err().map(|told| (told.status, told.detail.to_string()));
            let expected = refusal.map(|detail| (415, detail.to_owned()));
            assert_eq!(told, expected, "{kind} {encoding:?}");
        }
    }

    #[test]
    fn a_query_gives_each_field_once() {
        let request = TestRequest::with_uri("/?q=a%20b&limit=5&q=c&%ff").to_http_request();
        let mut query = Query::extract(&request).into_inner().unwrap();
        assert!(matches!(query.take("q"), Field::Word(text) if text == "a b"));
        assert!(matches!(query.take("limit"), Field::Word(text) if text == "5"));
        assert!(matches!(query.take("cursor"), Field::Missing));
    }
}
