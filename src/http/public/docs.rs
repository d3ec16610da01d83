//! The reference page: Swagger UI, which comes with the service, on the OpenAPI document.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, Bytes},
};

use crate::http::{
    api::Api,
    kit::{
        client::count_page,
        docs::{Docs, MINUTE, Tag},
        page::Page,
        problem::ApiError,
        rejection::Rejection,
        slices::Slices,
    },
};

/// What the page loads. Swagger UI's other files are not served: they would show documents of others.
const ASSETS: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

pub fn page_docs() -> Docs {
    Docs::new("docs", Tag::Documents, "This reference as a page.")
        .text("Nothing on it comes from another host.")
        .page(200, "The page.")
        .limited("other-per-ip-flood", 1200, MINUTE)
}

/// This reference as a page. Nothing on it comes from another host.
pub async fn page(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    count_page(&api, &request).await?;
    static PAGE: LazyLock<Page> =
        LazyLock::new(|| Page::with_sources(include_str!("docs.html"), " 'self'", " 'self'"));
    Ok(PAGE.answer())
}

/// A part of Swagger UI.
pub async fn asset(
    api: web::Data<Api>,
    request: HttpRequest,
    file: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    count_page(&api, &request).await?;
    // Unpacked once: who reads slowly holds a place in it, no copy.
    static UNPACKED: LazyLock<BTreeMap<&str, Asset>> = LazyLock::new(|| {
        ASSETS
            .into_iter()
            .filter_map(|file| Some((file, Asset::of(file)?)))
            .collect()
    });
    let asset = UNPACKED.get(file.as_str()).ok_or(Rejection::NotFound)?;
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(&*asset.content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    if asset.is_gzipped {
        answer.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(answer.body(Slices(asset.bytes.clone())))
}

struct Asset {
    content_type: String,
    is_gzipped: bool,
    bytes: Bytes,
}

impl Asset {
    fn of(file: &str) -> Option<Self> {
        let asset = utoipa_swagger_ui::serve(file, Arc::default()).ok().flatten()?;
        Some(Self {
            content_type: asset.content_type,
            is_gzipped: asset.gzpipped,
            bytes: match asset.bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            },
        })
    }
}
