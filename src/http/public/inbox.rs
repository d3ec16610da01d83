//! The development inbox: the SMS that would have gone out.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    api::Api,
    kit::{page::Page, problem::ApiError, refusals::refusals, rejection::Rejection},
};

/// An SMS that would have gone out.
#[derive(Serialize, ToSchema)]
#[schema(as = Sms)]
pub struct InboxView {
    #[schema(example = "+1234567890")]
    to: String,
    #[schema(example = "Ringback code: 123456. It expires in 10 minutes. Don't share it.")]
    body: String,
    at: DateTime<Utc>,
}

refusals!(InboxRefusals = [Rejection::NotFound.into()]);

/// The development inbox, as a page that keeps itself fresh.
#[utoipa::path(
    get,
    path = "/dev/inbox/",
    operation_id = "inbox_page",
    tag = "Development",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        InboxRefusals,
    ),
)]
pub async fn page(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("inbox.html")));
    match api.inbox {
        Some(_) => Ok(PAGE.answer()),
        None => Err(Rejection::NotFound.into()),
    }
}

/// The SMS that would have gone out, the newest first.
#[utoipa::path(
    get,
    path = "/dev/inbox.json",
    operation_id = "inbox",
    tag = "Development",
    responses(
        (status = 200, description = "The newest first.", body = Vec<InboxView>,
            example = json!([InboxView::example()])),
        InboxRefusals,
    ),
)]
pub async fn json(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let inbox = api.inbox.as_ref().ok_or(Rejection::NotFound)?;
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

impl InboxView {
    /// As the documents show it.
    fn example() -> Self {
        Self {
            to: "+1234567890".to_owned(),
            body: "Ringback code: 123456. It expires in 10 minutes. Don't share it.".to_owned(),
            at: DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default(),
        }
    }
}
