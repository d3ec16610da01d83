//! Around every request: its id, its one log line, its metrics, and a net under panics.

use std::{cell::RefCell, collections::HashMap, panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{Method, StatusCode, header, header::HeaderValue},
    middleware::Next,
};
use futures_util::FutureExt;
use metrics::{Counter, Histogram};

use crate::entropy::{Entropy, SystemEntropy};
use crate::http::kit::{problem::ApiError, rejection::Rejection, request_id, routes::pattern_of};

const REQUEST_ID: &str = "x-request-id";
/// A caller's id is kept if it is no longer than this and plain.
const MAX_ID_BYTES: usize = 128;

/// The two metrics of a kind of request. Found once by each thread: to find them costs as much as to parse a request.
struct Meter {
    requests: Counter,
    seconds: Histogram,
}

impl Meter {
    fn new(method: &'static str, route: &'static str, status: StatusCode) -> Self {
        let status = status.as_u16().to_string();
        Self {
            requests: metrics::counter!(
                "ringback_http_requests_total", "method" => method, "route" => route, "status" => status
            ),
            seconds: metrics::histogram!("ringback_http_request_seconds", "route" => route),
        }
    }
}

thread_local! {
    /// As many as there are routes, and statuses that they answer.
    static METERS: RefCell<HashMap<(&'static str, &'static str, u16), Meter>> = RefCell::default();
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
            record(
                method_name(&method),
                route,
                response.status(),
                started,
                &id,
                response.response().error(),
            );
            let headers = response.headers_mut();
            headers.insert(header::HeaderName::from_static(REQUEST_ID), header);
            headers.insert(
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            );
            if !headers.contains_key(header::CACHE_CONTROL) {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            Ok(response)
        }
        Err(error) => {
            let mut response =
                request_id::with_sync(id.clone(), || error.as_response_error().error_response());
            record(
                method_name(&method),
                "unmatched",
                response.status(),
                started,
                &id,
                Some(&error),
            );
            response
                .headers_mut()
                .insert(header::HeaderName::from_static(REQUEST_ID), header);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Methods that nobody here answers go by one name: their number has no bound.
fn method_name(method: &Method) -> &'static str {
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

/// The caller's id, if it is a sane one; else a new one.
fn id_of(request: &ServiceRequest) -> String {
    let sane = |id: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(plain)
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

/// One line and two metrics a request.
fn record(
    method: &'static str,
    route: &'static str,
    status: StatusCode,
    started: Instant,
    id: &str,
    error: Option<&Error>,
) {
    let elapsed = started.elapsed();
    METERS.with_borrow_mut(|meters| {
        let meter = meters
            .entry((method, route, status.as_u16()))
            .or_insert_with(|| Meter::new(method, route, status));
        meter.requests.increment(1);
        meter.seconds.record(elapsed.as_secs_f64());
    });
    let error = error.and_then(|error| error.as_error::<ApiError>());
    let cause = error.and_then(ApiError::unavailable);
    let limit = error
        .filter(|_| status == StatusCode::TOO_MANY_REQUESTS)
        .and_then(|error| error.details().limit);
    let status = status.as_u16();
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    if let Some(limit) = limit {
        tracing::info!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            duration_us = micros,
            limits.rule = &*limit.rule,
            "request"
        );
        return;
    }
    match cause {
        Some(cause) if cause.is_full => tracing::info!(
            request.id = id, http.method = method, http.route = route, http.status = status, duration_us = micros,
            part = cause.part.name(), cause = %cause.cause, "request"
        ),
        Some(cause) => tracing::warn!(
            request.id = id, http.method = method, http.route = route, http.status = status, duration_us = micros,
            part = cause.part.name(), cause = %cause.cause, "request"
        ),
        None if status == 500 => tracing::error!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            duration_us = micros,
            "request"
        ),
        None => tracing::info!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            duration_us = micros,
            "request"
        ),
    }
}
