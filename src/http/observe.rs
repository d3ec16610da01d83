//! Around every request: its id, its one log line, its metrics, and a net under panics.

use std::{panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{StatusCode, header, header::HeaderValue},
    middleware::Next,
};
use futures_util::FutureExt;

use super::{cors, problem::ApiError};
use crate::entropy::{Entropy, SystemEntropy};

const REQUEST_ID: &str = "x-request-id";
/// A caller's id is kept if it is no longer than this and plain.
const MAX_ID_BYTES: usize = 128;

tokio::task_local! {
    static CURRENT_ID: String;
}

/// The id of the request that this task answers.
pub fn request_id() -> String {
    CURRENT_ID.try_with(Clone::clone).unwrap_or_default()
}

/// The middleware.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let outcome = CURRENT_ID
        .scope(id.clone(), AssertUnwindSafe(next.call(request)).catch_unwind())
        .await
        .unwrap_or_else(|_| Err(ApiError::Internal.into()));
    let header = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    match outcome {
        Ok(mut response) => {
            let route = response
                .request()
                .match_pattern()
                // It fits every path, also one that has no route.
                .filter(|pattern| pattern != cors::ANY_PATH || response.status().is_success())
                .unwrap_or_else(|| "unmatched".to_owned());
            record(
                method.as_str(),
                &route,
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
                CURRENT_ID.sync_scope(id.clone(), || error.as_response_error().error_response());
            record(
                method.as_str(),
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

/// One line and two metrics a request. The route is the pattern, never the path: that may hold anything.
fn record(method: &str, route: &str, status: StatusCode, started: Instant, id: &str, error: Option<&Error>) {
    let elapsed = started.elapsed();
    let method = if matches!(method, "GET" | "POST" | "HEAD" | "OPTIONS") {
        method
    } else {
        "other"
    }
    .to_owned();
    let labels = [
        ("method", method.clone()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("ringback_http_requests_total", &labels).increment(1);
    metrics::histogram!("ringback_http_request_seconds", "route" => route.to_owned())
        .record(elapsed.as_secs_f64());
    let cause = error
        .and_then(|error| error.as_error::<ApiError>())
        .and_then(ApiError::unavailable);
    let status = status.as_u16();
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    match cause {
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
