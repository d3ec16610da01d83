//! The OpenAPI document: whole, true, and there in production as well.

mod document;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use document::{Document, object, references};
use refusals::REFUSALS;
use serde_json::{Value, json};

use crate::support::{Backends, PASSWORD, TestApp, registration, wrong};

#[actix_web::test]
async fn the_document_is_sound() {
    let app = TestApp::start(Backends::Embedded).await;
    let document = Document::of(&app).await;
    assert!(document.0["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document.0["info"]["license"]["name"], "MIT OR Apache-2.0");
    assert_eq!(document.0["servers"][0]["url"], "/");

    let mut found = Vec::new();
    references(&document.0, &mut found);
    assert!(found.len() > 100);
    for part in found {
        document.resolve(part);
    }

    for (path, method, operation) in document.operations() {
        for (status, answer) in object(&operation["responses"]) {
            let schema = answer.pointer("/content/application~1problem+json/schema/oneOf");
            let variants: Vec<_> = schema.and_then(Value::as_array).into_iter().flatten().collect();
            let different: BTreeSet<_> = variants.iter().map(ToString::to_string).collect();
            assert_eq!(different.len(), variants.len(), "{method} {path} {status}");
        }
    }

    let tags: BTreeSet<_> = document.0["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .map(Value::to_string)
        .collect();
    let (mut ids, mut required, mut optional) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (path, method, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{method} {path}");
        assert!(
            tags.contains(&operation["tags"][0].to_string()),
            "{method} {path}"
        );
        assert!(operation["summary"].is_string(), "{method} {path}");
        // One that says nothing has what holds for all: a token may come along.
        let security = operation.get("security").unwrap_or(&document.0["security"]);
        let requirements = security.as_array().unwrap();
        let is_optional = requirements.iter().any(|one| object(one).is_empty());
        for requirement in requirements {
            for scheme in object(requirement).keys() {
                match is_optional {
                    true => optional.push(path),
                    false => required.push(format!("{method} {path}")),
                }
                let scheme = &document.0["components"]["securitySchemes"][scheme];
                assert_eq!(scheme["scheme"], "bearer");
            }
        }
    }
    let expected = [
        "get /api/users/me/",
        "patch /api/users/me/",
        "delete /api/users/me/",
        "get /api/users/me/export/",
        "post /api/users/password/change/",
        "post /api/users/phone/change/",
        "post /api/users/phone/change/verify/",
        "post /api/users/email/change/",
        "post /api/users/email/change/verify/",
        "get /api/users/sessions/",
        "delete /api/users/sessions/",
        "delete /api/users/sessions/{id}/",
    ];
    assert_eq!(
        required.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(expected),
        "operations that need a token"
    );
    let codes = [
        "send-email-otp/",
        "send-phone-otp/",
        "verify-email-otp/",
        "verify-phone-otp/",
    ];
    for path in codes.map(|code| format!("/api/users/{code}")) {
        assert!(
            optional.contains(&path.as_str()),
            "a token may come along: {path}"
        );
    }
}

#[actix_web::test]
async fn every_route_is_documented_and_nothing_else() {
    let table = include_str!("../../src/http/routes.rs");
    let (public, _) = table.split_once("pub fn ops").unwrap();
    let starts = ["get", "post", "patch", "delete"].map(|method| (method, format!(" {method}(\"")));
    let routes: BTreeSet<_> = starts
        .iter()
        .flat_map(|(method, start)| {
            let entries = public.split(start.as_str()).skip(1);
            entries.map(|entry| (entry.split_once('"').unwrap().0.to_owned(), (*method).to_owned()))
        })
        // The parts of the page.
        .filter(|(path, _)| path != "/docs/{file}")
        .collect();
    assert!(routes.len() > 10);
    let app = TestApp::start(Backends::Embedded).await;
    let document = Document::of(&app).await;
    let documented: BTreeSet<_> = document
        .operations()
        .into_iter()
        .map(|(path, method, _)| (path.to_owned(), method.to_owned()))
        .collect();
    assert_eq!(documented, routes);
}

#[actix_web::test]
async fn each_answer_and_each_error_of_each_operation_has_an_example() {
    let app = TestApp::start(Backends::Embedded).await;
    let document = Document::of(&app).await;
    let mut refusals: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (path, method, operation) in document.operations() {
        for (status, answer) in object(&operation["responses"]) {
            let place = format!("{method} {path} {status}");
            assert!(answer["headers"]["x-request-id"].is_object(), "{place}");
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{place}");
            for (kind, content) in object(&answer["content"]) {
                match kind.as_str() {
                    "application/problem+json" => {}
                    // What they would show is the answer itself.
                    "text/html" => continue,
                    _ if path == "/openapi.json" => continue,
                    _ => document.fits(&content["example"], &content["schema"]),
                }
                for (code, example) in object(&content["examples"]) {
                    let problem = &example["value"];
                    document.fits(problem, &content["schema"]);
                    assert_eq!(problem["code"], code, "{place}");
                    assert_eq!(problem["status"].to_string(), status, "{place}");
                    assert_eq!(problem["type"], format!("urn:ringback:problem:{code}"), "{place}");
                    assert_eq!(
                        problem["errors"].is_object(),
                        matches!(code.as_str(), "validation_failed" | "phone_not_supported"),
                        "{place}"
                    );
                    assert_eq!(problem["rule"].is_string(), status == "429", "{place}");
                }
            }
        }
        let codes = operation["responses"].as_object().unwrap().values();
        let codes =
            codes.filter_map(|answer| answer["content"]["application/problem+json"]["examples"].as_object());
        let codes: BTreeSet<_> = codes
            .flat_map(|examples| examples.keys())
            .map(String::as_str)
            .collect();
        refusals.insert(path.to_owned(), codes.clone());
        refusals.insert(format!("{method} {path}"), codes);
    }
    for (path, codes) in REFUSALS {
        let expected: BTreeSet<_> = codes
            .iter()
            .flat_map(|codes| codes.split(' '))
            .chain(["internal"])
            .collect();
        assert_eq!(refusals[path], expected, "{path}");
    }
}

#[actix_web::test]
async fn real_answers_are_those_of_the_document() {
    let app = TestApp::start(Backends::Embedded).await;
    let document = Document::of(&app).await;
    let post = async |path: &str, status: u16, body: Value, token: Option<&str>| {
        let answer = app.post_as(path, body, token).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        document.promises("post", path, &answer);
        answer
    };
    let get = async |path: &str, status: u16, token: &str| {
        let answer = app.get_as(path, token).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        document.promises("get", path, &answer);
    };
    let [register, login, refresh, logout] =
        ["register", "login", "token/refresh", "logout"].map(|name| format!("/api/users/{name}/"));
    let [send, verify] = ["/api/users/send-phone-otp/", "/api/users/verify-phone-otp/"];

    let phone = "+14152000001";
    let made = post(&register, 201, registration("a@example.com", phone), None).await;
    post(&register, 409, registration("a@example.com", phone), None).await;
    post(&register, 400, json!({}), None).await;
    post(&register, 413, json!({ "email": "x".repeat(20_000) }), None).await;
    let token = made.body["tokens"]["access"].as_str().unwrap();
    post(
        &login,
        200,
        json!({ "email": "a@example.com", "password": PASSWORD }),
        None,
    )
    .await;
    post(
        &login,
        401,
        json!({ "email": "a@example.com", "password": "another" }),
        None,
    )
    .await;
    post(send, 401, json!({ "phone": phone }), Some("no-token")).await;
    let code = app.code(phone, None).await;
    post(send, 429, json!({ "phone": phone }), None).await;
    post(verify, 400, json!({ "phone": phone, "otp": wrong(&code) }), None).await;
    post(verify, 200, json!({ "phone": phone, "otp": code }), None).await;
    post(verify, 400, json!({ "phone": phone, "otp": code }), None).await;
    app.pass(60);
    document.promises("post", send, &app.send(phone, None).await);
    let sessions = "/api/users/sessions/";
    get(sessions, 200, token).await;
    get("/api/users/me/export/", 200, token).await;
    for (method, path, called, body, status) in [
        (
            "patch",
            "/api/users/me/",
            "/api/users/me/",
            json!({ "first_name": "Ada" }),
            200,
        ),
        (
            "patch",
            "/api/users/me/",
            "/api/users/me/",
            json!({ "phone": "+1" }),
            400,
        ),
        ("delete", sessions, sessions, json!(null), 204),
        (
            "delete",
            "/api/users/sessions/{id}/",
            "/api/users/sessions/7/",
            json!(null),
            404,
        ),
    ] {
        let body = body.is_object().then_some(body);
        let answer = app.call(&method.to_uppercase(), called, body, Some(token)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        document.promises(method, path, &answer);
    }
    let change = json!({ "current_password": "wrong", "password": "quiet-otter-47", "password_confirm": "quiet-otter-47" });
    post("/api/users/password/change/", 400, change, Some(token)).await;
    get("/api/users/me/", 200, token).await;
    get("/api/users/me/", 401, "no-token").await;
    post(
        &refresh,
        200,
        json!({ "refresh": made.body["tokens"]["refresh"] }),
        None,
    )
    .await;
    post(&refresh, 401, json!({ "refresh": "no-token" }), None).await;
    post(&logout, 204, json!({}), Some(token)).await;
    post(&logout, 401, json!({}), Some(token)).await;

    for path in [
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/healthz",
        "/readyz",
        "/dev/inbox/",
        "/dev/inbox.json",
        "/docs/",
        "/",
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        document.promises("get", path, &answer);
    }
}

#[actix_web::test]
async fn real_answers_to_changes_are_those_of_the_document() {
    let app = TestApp::start(Backends::Embedded).await;
    let document = Document::of(&app).await;
    let account = app.register("+14152000001").await;
    let post = async |path: &str, status: u16, body: Value, token: Option<&str>| {
        let answer = app.post_as(path, body, token).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        document.promises("post", path, &answer);
    };
    for (what, to) in [("phone", "+14152000007"), ("email", "new@example.com")] {
        let (change, token) = (
            format!("/api/users/{what}/change/"),
            Some(account.access.as_str()),
        );
        post(&change, 400, json!({ what: to, "password": "wrong" }), token).await;
        post(&change, 200, json!({ what: to, "password": PASSWORD }), token).await;
        let verify = format!("{change}verify/");
        post(&verify, 400, json!({ what: to, "otp": "000000" }), token).await;
    }
    let code = "/api/users/register/code/";
    for status in [200, 429] {
        post(code, status, json!({ "email": "newcomer@example.com" }), None).await;
    }
}

#[actix_web::test]
async fn production_has_the_document_and_the_page_and_no_inbox() {
    let variables = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK_SECRET", "y+7sZoTuK5bS/hUOJJ0nuUCm3I1AOEJirEKnwUoIX6A="),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
    ];
    let app = TestApp::start_with(Backends::Servers, &variables).await;
    let document = Document::of(&app).await;
    assert_eq!(app.get("/docs").await.status, 200);
    for path in ["/dev/inbox/", "/dev/inbox.json"] {
        let answer = app.get(path).await;
        answer.is(404, "not_found");
        document.promises("get", path, &answer);
    }
}

#[actix_web::test]
async fn the_document_is_that_of_the_configuration() {
    let variables = [
        ("RINGBACK__OTP__LENGTH", "8"),
        ("RINGBACK__PASSWORDS__MIN_LENGTH", "12"),
    ];
    let app = TestApp::start_with(Backends::Embedded, &variables).await;
    let document = app.get("/openapi.json").await.body;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut patterns: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for (schema, described) in schemas.iter().filter(|(name, _)| name.ends_with("Request")) {
        for (field, property) in described["properties"].as_object().into_iter().flatten() {
            if ["email", "phone", "otp", "first_name", "last_name"].contains(&field.as_str()) {
                patterns
                    .entry(field)
                    .or_default()
                    .insert(schema, &property["pattern"]);
            }
        }
    }
    assert!(
        patterns["otp"].len() >= 7 && patterns["phone"].len() >= 4,
        "{patterns:?}"
    );
    for (field, patterns) in &patterns {
        let one = patterns.values().next().unwrap();
        assert!(
            one.is_string() && patterns.values().all(|pattern| pattern == one),
            "{field}: {patterns:?}"
        );
    }
    assert_eq!(patterns["otp"]["VerifyRequest"], "^[0-9]{8}$");
    for schema in ["RegisterRequest", "ResetRequest", "PasswordChangeRequest"] {
        assert_eq!(
            schemas[schema]["properties"]["password"]["minLength"], 12,
            "{schema}"
        );
    }
    let text = document.to_string();
    assert!(
        !text.contains("\"{") && !text.contains("\"123456\""),
        "nothing is left to be filled in"
    );
}
