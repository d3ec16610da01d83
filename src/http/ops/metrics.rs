//! For monitoring: what is measured.

use actix_web::{HttpResponse, web};

use crate::http::api::Api;

/// The metrics, on the operators' port.
pub async fn metrics(api: web::Data<Api>) -> HttpResponse {
    api.readiness.measure();
    let text = api.metrics.render();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}
