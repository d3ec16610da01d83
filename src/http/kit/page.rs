//! Pages of our own: HTML with its style and its script inside, and a policy under which nothing else runs.

use actix_web::{HttpResponse, http::header};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

/// A page and its content security policy.
pub struct Page {
    html: &'static str,
    policy: String,
}

impl Page {
    /// A page that loads nothing but data from this service.
    pub fn new(html: &'static str) -> Self {
        Self::with_sources(html, "", "")
    }

    /// A page that also loads scripts and styles from these sources.
    pub fn with_sources(html: &'static str, scripts: &str, styles: &str) -> Self {
        let (script, style) = (hash(inside(html, "script")), hash(inside(html, "style")));
        let policy = format!(
            "default-src 'none'; script-src '{script}'{scripts}; style-src '{style}'{styles}; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { html, policy }
    }

    pub fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CONTENT_SECURITY_POLICY, self.policy.as_str()))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .content_type("text/html; charset=utf-8")
            .body(self.html)
    }
}

/// What stands in the page's one element of this name.
fn inside<'a>(html: &'a str, element: &str) -> &'a str {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let after = html.split_once(&open).map_or("", |(_, after)| after);
    after.split_once(&close).map_or("", |(text, _)| text)
}

/// As a policy names it (CSP level 3, section 2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
