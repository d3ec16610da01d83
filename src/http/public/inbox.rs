//! The development inbox: the messages that would have gone out.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    api::Api,
    kit::{
        docs::{Docs, PHONE, Tag},
        page::Page,
        peer::is_this_machine_asking,
        problem::ApiError,
        rejection::Rejection,
    },
};
use crate::inbox::DevInbox;

/// A message that would have gone out.
#[derive(Serialize, ToSchema)]
#[schema(as = InboxMessage)]
pub struct InboxView {
    /// `sms` or `email`.
    #[schema(example = "sms")]
    channel: &'static str,
    /// The phone number, or the e-mail address.
    #[schema(example = "+14155552671")]
    to: String,
    /// Of an e-mail. An SMS has none.
    subject: Option<String>,
    /// The text; of an e-mail, the plain one.
    #[schema(example = "Ringback code: 123456. It expires in 10 min. Don't share it.")]
    body: String,
    at: DateTime<Utc>,
}

pub fn page_docs() -> Docs {
    Docs::new(
        "inbox_page",
        Tag::Development,
        "The development inbox, as a page that keeps itself fresh.",
    )
    .page(200, "The page.")
    .refuses([Rejection::NotFound])
}

/// The development inbox, as a page that keeps itself fresh.
pub async fn page(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("inbox.html")));
    inbox(&api, &request)?;
    Ok(PAGE.answer())
}

pub fn json_docs() -> Docs {
    Docs::new(
        "inbox",
        Tag::Development,
        "Get the messages that would have gone out, the newest first.",
    )
    .answers_list(200, "The newest first.", &[InboxView::example()])
    .refuses([Rejection::NotFound])
}

/// The messages that would have gone out, the newest first.
pub async fn json(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let messages: Vec<_> = inbox(&api, &request)?
        .list()
        .into_iter()
        .map(|message| InboxView {
            channel: message.channel.name(),
            to: message.to,
            subject: message.subject,
            body: message.body,
            at: message.at,
        })
        .collect();
    Ok(HttpResponse::Ok().json(messages))
}

/// It holds every code, so it is for this machine alone, unless it was opened.
fn inbox<'a>(api: &'a Api, request: &HttpRequest) -> Result<&'a DevInbox, Rejection> {
    let is_shown = api.inbox_allows_remote || is_this_machine_asking(request);
    api.inbox.as_ref().filter(|_| is_shown).ok_or(Rejection::NotFound)
}

impl InboxView {
    /// As the documents show it.
    fn example() -> Self {
        Self {
            channel: "sms",
            to: PHONE.to_owned(),
            subject: None,
            body: "Ringback code: 123456. It expires in 10 min. Don't share it.".to_owned(),
            at: DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default(),
        }
    }
}
