//! The OpenAPI document.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::json;

use crate::http::{
    api::Api,
    kit::{
        client::count_page,
        docs::{Docs, MINUTE, Tag},
        document::Document,
        problem::ApiError,
    },
};

pub fn document_docs() -> Docs {
    Docs::new("openapi", Tag::Documents, "The OpenAPI document.")
        .answer(
            200,
            "This document.",
            json!({ "application/json": { "schema": { "type": "object" } } }),
        )
        .limited("other-per-ip-flood", 1200, MINUTE)
}

/// The OpenAPI document.
pub async fn document(
    api: web::Data<Api>,
    request: HttpRequest,
    document: web::Data<Document>,
) -> Result<HttpResponse, ApiError> {
    count_page(&api, &request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(document.0.clone()))
}
