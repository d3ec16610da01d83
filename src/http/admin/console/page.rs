//! How pages are rendered, and what a browser may do with them: everything in them is escaped, and nothing runs.

use std::sync::LazyLock;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use minijinja::Environment;
use serde_json::Value;

/// Neither scripts nor styles within the page, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, source) in templates![
        "base.html",
        "parts.html",
        "sign_in.html",
        "prove.html",
        "overview.html",
        "users.html",
        "user.html",
        "events.html",
        "messages.html",
        "limits.html",
        "error.html",
    ] {
        if let Err(error) = pages.add_template(name, source) {
            tracing::error!(%error, "a page of the console can't be read");
        }
    }
    pages
});

/// A page, filled in.
pub fn page(status: StatusCode, name: &str, values: &Value) -> HttpResponse {
    let rendered = PAGES
        .get_template(name)
        .and_then(|template| template.render(minijinja::value::Serde(values)));
    match rendered {
        Ok(html) => with_policy(status)
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(error) => {
            tracing::error!(%error, "a page of the console can't be rendered");
            with_policy(StatusCode::INTERNAL_SERVER_ERROR)
                .content_type("text/plain; charset=utf-8")
                .body("Something went wrong in the service.")
        }
    }
}

/// An answer under the console's policy.
pub fn with_policy(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "same-origin"));
    answer
}

/// To another page of the console.
pub fn go_to(path: &str) -> HttpResponseBuilder {
    let mut answer = with_policy(StatusCode::SEE_OTHER);
    answer.insert_header((header::LOCATION, path));
    answer
}

/// Where whoever comes to the port's root goes on.
pub async fn begin() -> HttpResponse {
    go_to("/admin/").finish()
}

/// What the pages look like.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("templates/style.css"))
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_page_is_read_and_what_is_filled_in_is_escaped() {
        assert_eq!(PAGES.templates().count(), 11);
        let answer = page(
            StatusCode::NOT_FOUND,
            "error.html",
            &json!({ "title": "<script>", "detail": "\"><img src=x>" }),
        );
        let body = answer.into_body().try_into_bytes().unwrap();
        let html = str::from_utf8(&body).unwrap();
        assert!(
            html.contains("&lt;script&gt;") && !html.contains("<img"),
            "{html}"
        );
    }
}
