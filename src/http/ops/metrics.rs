//! For monitoring: what is measured.

use actix_web::{HttpResponse, web};

use crate::http::api::Api;

/// The metrics, on the operators' port.
pub async fn metrics(api: web::Data<Api>) -> HttpResponse {
    let text = api
        .metrics
        .render(&api.readiness.supervision, api.readiness.database.as_ref());
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}
