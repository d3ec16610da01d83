//! Whatever goes wrong on a path of the console is a page of it.
//!
//! Handlers answer errors as those of the API do, so that logs, metrics and events have the same of both. Those that a handler
//! has not shown in a page of its own are made one here.

use actix_web::{
    Error, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};
use serde_json::json;

use super::{
    enter::whoever,
    form::Refusal,
    next::{page_behind, sign_in_for},
    page::{go_to, page},
    sign_in,
};
use crate::http::{
    api::Api,
    kit::{
        problem::{ApiError, Shown},
        request_id::request_id,
    },
};

/// The middleware.
pub async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    match shown(&response).await {
        Some(shown) => Ok(replaced(response, shown)),
        None => Ok(response),
    }
}

async fn shown(response: &ServiceResponse<BoxBody>) -> Option<Shown> {
    let request = response.request();
    let error = response.response().error()?.as_error::<ApiError>()?;
    let path = request.path();
    if error.is_shown() || !(path == "/admin" || path.starts_with("/admin/")) {
        return None;
    }
    let api = request.app_data::<web::Data<Api>>()?;
    Some(match error.details().code {
        "not_authenticated" => sign_in_first(api, request),
        _ => error_page(api, request, error).await,
    })
}

/// The body of the response is another; its error stays, for whoever looks at it further out.
fn replaced(response: ServiceResponse<BoxBody>, shown: Shown) -> ServiceResponse<BoxBody> {
    let body = BoxBody::new(shown.body);
    let mut response = response.map_body(|_, _| body);
    *response.response_mut().status_mut() = shown.status;
    let headers = response.headers_mut();
    headers.remove(header::WWW_AUTHENTICATE);
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in shown.headers {
        if let Ok(value) = value.parse() {
            headers.append(name, value);
        }
    }
    response
}

/// Whoever asked for a page comes back to it. What was sent is lost, and that is said.
fn sign_in_first(api: &Api, request: &HttpRequest) -> Shown {
    let next = page_behind(request);
    match *request.method() {
        Method::GET | Method::HEAD => go_to(&sign_in_for(&next)),
        _ => sign_in::instead(api, request, &next),
    }
}

async fn error_page(api: &Api, request: &HttpRequest, error: &ApiError) -> Shown {
    let Refusal { status, fault, .. } = Refusal::of(error, json!({}));
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let own = json!({
        "title": status.canonical_reason(), "fault": fault, "request_id": request_id(),
        "back": (!is_read).then(|| page_behind(request)),
    });
    // While a part is down nothing more is asked of it.
    let inside = match error.unavailable() {
        Some(_) => None,
        None => whoever(api, request).await,
    };
    let values = inside.map_or_else(|| own.clone(), |inside| inside.values(api, "", own.clone()));
    page(status, "error.html", &values)
}
