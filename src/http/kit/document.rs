//! The OpenAPI document: put together from a table of routes.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use crate::http::kit::{docs::Tag, patterns::Lengths, problem_docs, request_id, routes::Routes};

/// The document of these routes, as JSON.
pub struct Document(pub String);

impl Document {
    pub fn of(routes: &Routes, lengths: Lengths) -> Self {
        let mut paths = Map::new();
        let mut schemas = BTreeMap::new();
        // Of what no operation is about, nothing is said.
        let mut used = Vec::new();
        for (method, path, docs) in routes.documented() {
            let (operation, named) = docs.finish();
            schemas.extend(named);
            used.push(operation["tags"][0].clone());
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[key(method)] = operation;
        }
        schemas.insert("Problem".to_owned(), any_problem(&schemas));
        let tags: Vec<_> = Tag::ALL
            .iter()
            .filter(|(tag, _)| used.contains(&Value::from(tag.name())))
            .map(|(tag, text)| json!({ "name": tag.name(), "description": text }))
            .collect();
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Ringback",
                "description": include_str!("document.md"),
                "license": { "name": "MIT OR Apache-2.0" },
                "version": env!("CARGO_PKG_VERSION"),
            },
            "servers": [{ "url": "/", "description": "The service that this document comes from" }],
            "security": [{}, { "bearer": [] }],
            "tags": tags,
            "paths": paths,
            "components": {
                "schemas": schemas,
                "headers": headers(),
                "securitySchemes": { "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "The `access` token of `tokens`.",
                } },
            },
        });
        lengths.fill_in(&mut document);
        Self(document.to_string())
    }
}

fn key(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

/// Every problem that some operation has.
fn any_problem(schemas: &BTreeMap<String, Value>) -> Value {
    let codes: Vec<_> = schemas
        .values()
        .filter_map(|schema| schema.pointer("/properties/code/enum/0")?.as_str())
        .collect();
    problem_docs::any_of(&codes)
}

fn headers() -> Value {
    let header = |kind: &str, example: Value, description: &str| json!({ "schema": { "type": kind }, "description": description, "example": example });
    json!({
        "x-request-id": header(
            "string",
            request_id::EXAMPLE.into(),
            "Names this request in the service's log: the caller's own id, if it sent a valid one.",
        ),
        "retry-after": header("integer", 30.into(), "Whole seconds to wait before another try."),
        "ratelimit-policy": header(
            "string",
            r#""otp-send-per-phone-day";q=10;w=172800"#.into(),
            "The rule that refused: its quota `q`, and the seconds `w` it is for (IETF draft ratelimit-headers).",
        ),
        "ratelimit": header(
            "string",
            r#""otp-send-per-phone-day";r=0;t=1800"#.into(),
            "What is left of the quota, `r`, and the seconds `t` until more is.",
        ),
        "www-authenticate": header(
            "string",
            r#"Bearer realm="ringback", error="invalid_token", error_description="token_expired""#.into(),
            "What is wrong with the token (RFC 6750).",
        ),
    })
}
