//! The start page: what a newcomer sees first, and a demo of signing up in the browser.

use std::sync::LazyLock;

use actix_web::HttpResponse;

use crate::http::kit::{
    docs::{Docs, Tag},
    page::Page,
};

pub fn page_docs() -> Docs {
    Docs::new("start", Tag::Documents, "A page to try the API on.")
        .text("In development, or where `server.start_page` is set. Nothing on it comes from another host.")
        .page(200, "The page.")
}

/// Signs up, proves the phone and the e-mail address, signs in and ends sessions, by the API alone.
pub async fn page() -> HttpResponse {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("start.html")));
    PAGE.answer()
}
