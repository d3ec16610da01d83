//! Which pages of other origins may call the API from a browser: `server.cors_origins`, and in development those of this
//! machine, by the CORS protocol of the Fetch standard.

use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web,
};

use crate::http::{
    api::Api,
    kit::routes::{Routes, pattern_of},
    options::ServerOptions,
};

/// Those of the API, and of tracing in browsers (W3C trace context and baggage, Sentry). Others are allowed where they are
/// asked for: each maker of tracing has its own, and none of them means anything here.
const REQUEST_HEADERS: &str =
    "authorization, content-type, x-request-id, x-proof, traceparent, tracestate, baggage, sentry-trace";
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy");
/// Headers that one preflight asks for, at most, and how long the name of one is.
const MAX_ASKED: usize = 32;
const MAX_NAME_BYTES: usize = 64;
/// Two hours: the most for which browsers remember the answer to a preflight.
const MAX_AGE_SECONDS: u32 = 7200;
/// These are for the service's own pages, whatever is set: any page that a developer opens could read the codes else.
const OWN_PAGES_ONLY: &str = "/dev/";

/// What preflights are told.
pub struct Preflight {
    methods: HeaderValue,
}

impl Preflight {
    pub fn of(routes: &Routes) -> Self {
        let methods = HeaderValue::from_str(&routes.methods());
        Self {
            methods: methods.unwrap_or(HeaderValue::from_static("")),
        }
    }
}

/// The middleware: lets pages of the origins that are set read the answers, errors as well. Tokens travel in a header and
/// cookies nowhere, so credentials are not allowed.
pub async fn share(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>() else {
        return next.call(request).await;
    };
    let allowed = allowed(&api.server, request.headers().get(header::ORIGIN));
    let varies = api.server.cors_origins != ["*"];
    let mark = |headers: &mut HeaderMap| {
        if varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    };
    match next.call(request).await {
        Ok(mut response) => {
            // By the route, not by the path: that has many spellings.
            let route = pattern_of(response.request());
            if !route.is_some_and(|route| route.starts_with(OWN_PAGES_ONLY)) {
                mark(response.headers_mut());
            }
            Ok(response)
        }
        Err(error) => {
            let mut response = error.as_response_error().error_response();
            mark(response.headers_mut());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// The middleware that answers preflights from origins that are allowed, whatever their path; others get the 405 that
/// OPTIONS gets anywhere.
pub async fn preflight(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !is_allowed_preflight(&request) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let methods = request
        .app_data::<web::Data<Preflight>>()
        .map_or(HeaderValue::from_static(""), |allowed| allowed.methods.clone());
    let answer = HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            request_headers(request.headers()),
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS))
        .finish();
    Ok(request.into_response(answer).map_into_right_body())
}

/// The headers that a page may send: those that are known, and what it asks for beside them.
fn request_headers(asked: &HeaderMap) -> String {
    let asked = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let names = asked
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','));
    let mut all = REQUEST_HEADERS.to_owned();
    for name in names.map(str::trim).take(MAX_ASKED) {
        let is_name = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && header::HeaderName::from_bytes(name.as_bytes()).is_ok();
        let is_known = all.split(", ").any(|known| known.eq_ignore_ascii_case(name));
        if is_name && !is_known {
            all.push_str(", ");
            all.push_str(&name.to_ascii_lowercase());
        }
    }
    all
}

fn is_allowed_preflight(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && request
            .app_data::<web::Data<Api>>()
            .is_some_and(|api| allowed(&api.server, headers.get(header::ORIGIN)).is_some())
}

/// What a request of this origin is told, if it may read the answer.
fn allowed(options: &ServerOptions, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    if options.cors_origins == ["*"] {
        return Some(HeaderValue::from_static("*"));
    }
    let is_set = |origin: &HeaderValue| {
        let set = &options.cors_origins;
        set.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    };
    origin
        .filter(|origin| is_set(origin) || (options.cors_localhost && is_localhost(origin)))
        .cloned()
}

/// Whether a page is served by the very machine that its browser runs on: on port 80, or with a port in digits.
fn is_localhost(origin: &HeaderValue) -> bool {
    let host = ["http://localhost", "http://127.0.0.1"]
        .into_iter()
        .find_map(|host| origin.as_bytes().strip_prefix(host.as_bytes()));
    host.is_some_and(|rest| match rest {
        [] => true,
        [b':', port @ ..] => (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_two_names_and_any_port() {
        let is_localhost = |origin| is_localhost(&HeaderValue::from_static(origin));
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "http://127.0.0.1:65535",
        ] {
            assert!(is_localhost(origin), "{origin}");
        }
        for origin in [
            "https://localhost:3000",
            "http://localhost.example.com",
            "http://localhost:3000.example.com",
            "http://localhost:",
            "http://localhost:3000/",
            "http://localhost:@example.com",
            "http://127.0.0.1.example.com:80",
            "http://app.localhost:3000",
            "http://Localhost:3000",
            "null",
            "",
        ] {
            assert!(!is_localhost(origin), "{origin}");
        }
    }
}
