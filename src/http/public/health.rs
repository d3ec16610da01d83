//! For load balancers and operators: alive, ready.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{api::Api, kit::refusals::refusals};
use crate::readiness::Report;

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

refusals!(HealthRefusals =);

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Operations",
    responses(
        (status = 200, description = "It runs.", body = Alive, example = json!(Alive { status: "ok" })),
        HealthRefusals,
    ),
)]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// Whether it can do its work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses(
        (status = 200, description = "It can. An operator should look at the warnings all the same.", body = Report,
            example = json!(Report::of(Vec::new(), Vec::new()))),
        (status = 503, description = "It can't, for what is down.", body = Report,
            headers(("retry-after" = u64, description = "Whole seconds until it is worth another try.")),
            example = json!(Report::of(vec!["redis".to_owned()], Vec::new()))),
        HealthRefusals,
    ),
)]
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
