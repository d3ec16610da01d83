//! Around every request: its id, its one log line, its metrics, and a net under panics.

use std::{cell::RefCell, panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use fnv::FnvHashMap;
use futures_util::FutureExt;
use metrics::{Counter, Histogram};

use crate::entropy::{Entropy, SystemEntropy};
use crate::http::kit::{
    line::{Caller, Line},
    problem::ApiError,
    refused,
    rejection::Rejection,
    request_id,
    routes::{Routes, pattern_of},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A caller's id is kept if it is no longer than this and plain.
const MAX_ID_BYTES: usize = 128;

/// The two metrics of a kind of request. Found once by each thread: to find them costs as much as to parse a request.
struct Meter {
    requests: Counter,
    seconds: Histogram,
}

impl Meter {
    fn new(method: &'static str, route: &'static str, status: StatusCode) -> Self {
        Self {
            requests: requests(method, route, status.as_u16()),
            seconds: metrics::histogram!("ringback_http_request_seconds", "route" => route),
        }
    }
}

thread_local! {
    /// As many as there are routes, and statuses that they answer.
    static METERS: RefCell<FnvHashMap<(&'static str, &'static str, u16), Meter>> = RefCell::default();
}

/// Failures that alerts look for: a series that begins with the first of them shows no increase.
const FAILURES: [u16; 2] = [500, 503];
/// What the parser of HTTP answers by itself.
const UNPARSED: [u16; 4] = [400, 408, 414, 431];

/// Registers the failures of each route, and what the parser refuses, before any of them.
pub fn begin_at_zero(routes: &Routes) {
    for (method, route) in routes.patterns() {
        for status in FAILURES {
            drop(requests(method_name(method), route, status));
        }
    }
    drop(requests("other", "unmatched", 500));
    for status in UNPARSED {
        drop(requests("other", "unparsed", status));
    }
}

/// Counts a request that the parser of HTTP refused.
pub fn count_unparsed(status: u16) {
    requests("other", "unparsed", status).increment(1);
}

fn requests(method: &'static str, route: &'static str, status: u16) -> Counter {
    let status = status.to_string();
    metrics::counter!(
        "ringback_http_requests_total", "method" => method, "route" => route, "status" => status
    )
}

/// The middleware.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let outcome = request_id::with(id.clone(), AssertUnwindSafe(next.call(request)).catch_unwind())
        .await
        .unwrap_or_else(|_| Err(ApiError::from(Rejection::Internal).into()));
    let header = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    match outcome {
        Ok(mut response) => {
            let route = pattern_of(response.request()).unwrap_or("unmatched");
            let line = Line {
                id: &id,
                method: method_name(&method),
                route,
                status: response.status(),
                took: started.elapsed(),
            };
            record(&line, Some(response.request()), response.response().error());
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, header);
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
            if !headers.contains_key(header::CACHE_CONTROL) {
                headers.insert(header::CACHE_CONTROL, NO_STORE);
            }
            Ok(response)
        }
        Err(error) => {
            let mut response =
                request_id::with_sync(id.clone(), || error.as_response_error().error_response());
            let line = Line {
                id: &id,
                method: method_name(&method),
                route: "unmatched",
                status: response.status(),
                took: started.elapsed(),
            };
            record(&line, None, Some(&error));
            response.headers_mut().insert(REQUEST_ID, header);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Methods that nobody here answers go by one name: their number has no bound.
pub fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The caller's id, if it is a sane one; else a new one. It stands in the log: a phone number or a signed token is none.
fn id_of(request: &ServiceRequest) -> String {
    let is_phone = |id: &str| {
        let digits = id.strip_prefix('+').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let sane = |id: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        let is_sane = !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(plain);
        is_sane && !is_phone(id) && !id.starts_with("eyJ")
    };
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    given.filter(sane).map_or_else(
        || (&SystemEntropy as &dyn Entropy).uuid().simple().to_string(),
        str::to_owned,
    )
}

/// One line and two metrics a request; a refusal is counted for good.
fn record(line: &Line<'_>, request: Option<&HttpRequest>, error: Option<&Error>) {
    METERS.with_borrow_mut(|meters| {
        let meter = meters
            .entry((line.method, line.route, line.status.as_u16()))
            .or_insert_with(|| Meter::new(line.method, line.route, line.status));
        meter.requests.increment(1);
        meter.seconds.record(line.took.as_secs_f64());
    });
    let error = error.and_then(|error| error.as_error::<ApiError>());
    line.write(&request.map(Caller::of).unwrap_or_default(), error);
    if let Some((request, error)) = request.zip(error) {
        refused::note(request, error);
    }
}
