//! The OpenAPI document: put together from the annotations of the handlers.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Header, HeaderBuilder, Object, Ref, RefOr, Type,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::http::{
    account::{self, me},
    kit::problem::ProblemView,
    public::{challenge_status, docs, health, inbox, receipts, register, sessions, verify_phone},
};

/// What request ids look like, in examples.
pub const REQUEST_ID: &str = "0b5b1d5c9f1e4b7f8a86c27a2f3a1d77";

/// The document of the public routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ringback",
        description = include_str!("openapi.md"),
        license(name = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The service that this document comes from")),
    tags(
        (name = "Accounts", description = "Making an account, looking at one's own."),
        (name = "Phones", description = "Proving a phone by a code that comes by SMS."),
        (name = "Sessions", description = "Signing in, renewing tokens, signing out; the keys to check tokens with."),
        (name = "Receipts", description = "For providers of SMS, which report here; not for frontends."),
        (name = "Operations", description = "For load balancers and monitoring. `/metrics` is on another port."),
        (name = "Documents", description = "This document, and the page that shows it."),
        (name = "Development", description = "Only in development, while no SMS provider is set; else 404."),
    ),
    paths(
        register::register,
        me::me,
        verify_phone::send,
        verify_phone::verify,
        challenge_status::status,
        receipts::twilio,
        sessions::login,
        sessions::refresh,
        account::sessions::logout,
        sessions::jwks,
        health::healthz,
        health::readyz,
        document,
        docs::page,
        inbox::page,
        inbox::json,
    ),
    components(schemas(ProblemView)),
    modifiers(&Everywhere),
)]
struct Document;

/// The OpenAPI document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "Documents",
    responses((status = 200, description = "This document.", body = Object))
)]
pub async fn document() -> HttpResponse {
    static JSON: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(JSON.as_str())
}

/// What holds for all operations: how to sign in, the headers.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                add_request_id(operation);
            }
        }
        let components = document.components.get_or_insert_default();
        components
            .headers
            .extend(headers().map(|(name, header)| (name.to_owned(), RefOr::T(header))));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `access` token of `tokens`."))
            .build();
        components
            .security_schemes
            .insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    }
}

fn add_request_id(operation: &mut Operation) {
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer {
            let documented = Ref::new("#/components/headers/x-request-id");
            answer
                .headers
                .insert("x-request-id".to_owned(), RefOr::Ref(documented));
        }
    }
}

fn headers() -> [(&'static str, Header); 5] {
    let header = |name, kind, example: serde_json::Value, description: &str| {
        let header = HeaderBuilder::new()
            .schema(Some(Object::with_type(kind)))
            .description(Some(description))
            .example(Some(example))
            .build();
        (name, header)
    };
    [
        header(
            "x-request-id",
            Type::String,
            REQUEST_ID.into(),
            "Names this request in the service's log: the caller's own id, if it sent a sane one.",
        ),
        header(
            "retry-after",
            Type::Integer,
            30.into(),
            "Whole seconds until it is worth another try.",
        ),
        header(
            "ratelimit-policy",
            Type::String,
            r#""otp-send-per-phone-hour";q=5;w=3600"#.into(),
            "The rule that refused: its quota `q`, and the seconds `w` it is for (IETF draft ratelimit-headers).",
        ),
        header(
            "ratelimit",
            Type::String,
            r#""otp-send-per-phone-hour";r=0;t=1800"#.into(),
            "What is left of the quota, `r`, and the seconds `t` until more is.",
        ),
        header(
            "www-authenticate",
            Type::String,
            r#"Bearer realm="ringback", error="invalid_token", error_description="token_expired""#.into(),
            "What is wrong with the token (RFC 6750).",
        ),
    ]
}
