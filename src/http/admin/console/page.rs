//! How pages are rendered, and what a browser may do with them: everything in them is escaped, and nothing runs.

use std::sync::LazyLock;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use minijinja::Environment;
use serde_json::Value;

use crate::{
    http::kit::problem::Shown,
    limits::{Currency, amount_text},
    phone::Country,
};

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
    pages.add_filter("country", country);
    pages.add_filter("amount", amount);
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

/// A country by its letters and its name; whatever else stays as it is.
pub fn country(letters: &str) -> String {
    let name = Country::parse(letters).and_then(Country::name);
    name.map_or_else(|| letters.to_owned(), |name| format!("{letters} ({name})"))
}

/// A number of a rule: an amount, where it has a currency.
fn amount(number: u32, currency: Option<String>) -> String {
    currency
        .and_then(|currency| Currency::parse(&currency))
        .map_or_else(|| number.to_string(), |currency| amount_text(number, currency))
}

/// A page, filled in.
pub fn page(status: StatusCode, name: &str, values: &Value) -> Shown {
    let rendered = PAGES
        .get_template(name)
        .and_then(|template| template.render(minijinja::value::Serde(values)));
    match rendered {
        Ok(html) => shown(status, "text/html; charset=utf-8", html),
        Err(error) => {
            tracing::error!(%error, "a page of the console can't be rendered");
            let says = "Something went wrong in the service.".to_owned();
            shown(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                says,
            )
        }
    }
}

fn shown(status: StatusCode, kind: &str, body: String) -> Shown {
    let headers = policy().map(|(name, value)| (name, value.to_owned()));
    let headers = headers.into_iter().collect();
    Shown {
        status,
        headers,
        body,
    }
    .with((header::CONTENT_TYPE, kind.to_owned()))
}

fn policy() -> [(HeaderName, &'static str); 2] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
    ]
}

/// An answer under the console's policy.
pub fn with_policy(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    for header in policy() {
        answer.insert_header(header);
    }
    answer
}

/// To another page of the console.
pub fn go_to(path: &str) -> Shown {
    shown(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", String::new())
        .with((header::LOCATION, path.to_owned()))
}

/// Where whoever comes to the port's root goes on.
pub async fn begin() -> HttpResponse {
    go_to("/admin/").answer()
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
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_has_its_currency_and_a_country_its_name() {
        assert_eq!(amount(120, Some("USD".to_owned())), "0.012 USD");
        assert_eq!(amount(120, None), "120");
        assert_eq!(country("GE"), "GE (Georgia)");
        assert_eq!(country("99291"), "99291");
    }

    #[test]
    fn every_page_is_read_and_what_is_filled_in_is_escaped() {
        assert_eq!(PAGES.templates().count(), 11);
        let answer = page(
            StatusCode::NOT_FOUND,
            "error.html",
            &json!({ "title": "<script>", "fault": { "detail": "\"><img src=x>", "faults": [] } }),
        );
        let html = answer.body;
        assert!(
            html.contains("&lt;script&gt;") && !html.contains("<img"),
            "{html}"
        );
    }
}
