//! The development inbox: the SMS that would have gone out.

use actix_web::{HttpResponse, http::header, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, problem::ApiError};

const PAGE: &str = include_str!("inbox.html");

/// An SMS that would have gone out.
#[derive(Serialize, ToSchema)]
pub struct InboxView {
    #[schema(example = "+1234567890")]
    to: String,
    #[schema(example = "Ringback code: 123456. It expires in 10 minutes. Don't share it.")]
    body: String,
    at: DateTime<Utc>,
}

/// A page that shows it, and keeps itself fresh.
pub async fn page(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    if api.inbox.is_none() {
        return Err(ApiError::NotFound);
    }
    Ok(HttpResponse::Ok()
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self' 'unsafe-inline'",
        ))
        .content_type("text/html; charset=utf-8")
        .body(PAGE))
}

/// The newest first.
pub async fn json(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let inbox = api.inbox.as_ref().ok_or(ApiError::NotFound)?;
    let messages: Vec<_> = inbox
        .list()
        .into_iter()
        .map(|message| InboxView {
            to: message.to,
            body: message.body,
            at: message.at,
        })
        .collect();
    Ok(HttpResponse::Ok().json(messages))
}
