//! For load balancers and operators: alive, ready.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    api::Api,
    kit::docs::{Docs, Tag},
};
use crate::readiness::Report;

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

pub fn healthz_docs() -> Docs {
    Docs::new("healthz", Tag::Operations, "Whether the process runs.").answers(
        200,
        "It runs.",
        &Alive { status: "ok" },
    )
}

/// Whether the process runs.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

pub fn readyz_docs() -> Docs {
    let (ready, down) = (
        Report::of(Vec::new(), Vec::new()),
        Report::of(vec!["redis".to_owned()], Vec::new()),
    );
    Docs::new("readyz", Tag::Operations, "Whether the service can do its work.")
        .answers(
            200,
            "Ready. An operator should look at the warnings all the same.",
            &ready,
        )
        .answers(503, "Not ready, because of what is down.", &down)
        .with_header(503, "retry-after")
}

/// Whether the service can do its work.
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
