//! The OpenAPI document of this listener. What the world may call has one of its own.

use actix_web::{HttpResponse, http::header, web};
use serde_json::json;

use crate::http::kit::{
    docs::{Docs, Tag},
    document::Document,
};

pub fn document_docs() -> Docs {
    Docs::new(
        "admin_openapi",
        Tag::Documents,
        "The OpenAPI document of the administrators' port.",
    )
    .answer(
        200,
        "This document.",
        json!({ "application/json": { "schema": { "type": "object" } } }),
    )
}

/// The OpenAPI document.
pub async fn document(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(document.0.clone())
}
