//! For load balancers and operators: alive, ready, measured.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process runs.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// Whether it can do its work; if not, what is down.
pub async fn readyz(api: web::Data<Api>) -> HttpResponse {
    let report = api.readiness.report().await;
    if report.down.is_empty() {
        HttpResponse::Ok().json(report)
    } else {
        HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "1"))
            .json(report)
    }
}

/// The metrics, on the operators' port.
pub async fn metrics(api: web::Data<Api>) -> HttpResponse {
    let text = api
        .metrics
        .render(&api.readiness.supervision, api.accounts.store.as_ref());
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}
