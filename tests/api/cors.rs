//! Calls from pages of other origins: let in where they are set, and in development from this machine; unknown of elsewhere.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Backends, TestApp};

const APP: &str = "https://app.example.com";

async fn sharing_with(origins: &str) -> TestApp {
    TestApp::start_with(Backends::Embedded, &[("RINGBACK__SERVER__CORS_ORIGINS", origins)]).await
}

async fn call(app: &TestApp, method: Method, path: &str, origin: &str) -> Answer {
    let request = app.client.request(method, format!("{}{path}", app.address));
    Answer::of(request.header("origin", origin)).await
}

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Answer {
    let request = app
        .client
        .request(Method::OPTIONS, format!("{}{path}", app.address));
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    Answer::of(request).await
}

/// The headers that tell a browser of sharing.
fn told(answer: &Answer) -> Vec<String> {
    let names = answer.headers.keys().map(|name| name.as_str());
    names
        .filter(|name| name.starts_with("access-control-"))
        .map(str::to_owned)
        .collect()
}

fn allowed(answer: &Answer) -> Option<&str> {
    let origin = answer.headers.get("access-control-allow-origin");
    origin.map(|origin| origin.to_str().unwrap())
}

const PRODUCTION: [(&str, &str); 3] = [
    ("RINGBACK_ENV", "production"),
    ("RINGBACK_SECRET", "y+7sZoTuK5bS/hUOJJ0nuUCm3I1AOEJirEKnwUoIX6A="),
    ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
];

#[actix_web::test]
async fn without_origins_no_answer_of_production_speaks_of_them() {
    let app = TestApp::start_with(Backends::Servers, &PRODUCTION).await;
    let answers = [
        call(&app, Method::GET, "/healthz", APP).await,
        call(&app, Method::GET, "/api/users/me/", "http://localhost:3000").await,
        preflight(&app, "/api/users/login/", "http://localhost:3000").await,
    ];
    for answer in &answers {
        assert!(
            told(answer).is_empty() && !answer.headers.contains_key("vary"),
            "{answer:?}"
        );
    }
    answers[2].is(405, "method_not_allowed");
}

#[actix_web::test]
async fn pages_of_this_machine_are_let_in_while_it_is_developed() {
    let app = TestApp::start(Backends::Embedded).await;
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://localhost",
    ] {
        let answer = call(&app, Method::GET, "/api/users/me/", origin).await;
        assert_eq!(
            (answer.status, allowed(&answer)),
            (401, Some(origin)),
            "{answer:?}"
        );
        assert_eq!(answer.header("vary"), "origin");
        let answer = preflight(&app, "/api/users/login/", origin).await;
        assert_eq!(
            (answer.status, allowed(&answer)),
            (204, Some(origin)),
            "{answer:?}"
        );
        let inbox = call(&app, Method::GET, "/dev/inbox.json", origin).await;
        assert!(inbox.status == 200 && told(&inbox).is_empty(), "{inbox:?}");
    }
    for origin in [
        "http://localhost.example.com",
        "https://localhost:3000",
        APP,
        "null",
    ] {
        let answer = call(&app, Method::GET, "/healthz", origin).await;
        assert!(answer.status == 200 && told(&answer).is_empty(), "{answer:?}");
        let answer = preflight(&app, "/api/users/login/", origin).await;
        answer.is(405, "method_not_allowed");
    }
}

#[actix_web::test]
async fn a_page_of_a_set_origin_reads_answers_and_errors() {
    let app = sharing_with("https://other.example.com,https://app.example.com").await;
    let answers = [
        (200, call(&app, Method::GET, "/healthz", APP).await),
        (401, call(&app, Method::GET, "/api/users/me/", APP).await),
        (404, call(&app, Method::GET, "/nowhere", APP).await),
        (405, call(&app, Method::PUT, "/api/users/me/", APP).await),
        (415, call(&app, Method::POST, "/api/users/login/", APP).await),
    ];
    for (status, answer) in &answers {
        assert_eq!(
            (answer.status, allowed(answer)),
            (*status, Some(APP)),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "x-request-id, retry-after, ratelimit, ratelimit-policy"
        );
        assert_eq!(answer.header("vary"), "origin");
        assert_eq!(told(answer).len(), 2, "no word of credentials: {answer:?}");
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_for_every_route_of_the_api() {
    let app = sharing_with(APP).await;
    for path in [
        "/api/users/register/",
        "/api/users/login",
        "/api/users/me/",
        "/.well-known/jwks.json",
    ] {
        let answer = preflight(&app, path, APP).await;
        assert_eq!((answer.status, allowed(&answer)), (204, Some(APP)), "{answer:?}");
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "DELETE, GET, PATCH, POST"
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization, content-type, x-request-id, x-proof, traceparent, tracestate, baggage, sentry-trace"
        );
        assert_eq!(answer.header("access-control-max-age"), "7200");
        assert_eq!(answer.header("vary"), "origin");
        assert!(!answer.header("x-request-id").is_empty());
        assert!(!told(&answer).contains(&"access-control-allow-credentials".to_owned()));
    }
}

#[actix_web::test]
async fn a_page_may_send_the_headers_of_its_own_tracing() {
    let app = sharing_with(APP).await;
    let request = app.request("OPTIONS", "/api/users/login/").header("origin", APP);
    let asked =
        "content-type,X-B3-TraceId, x-datadog-trace-id,elastic-apm-traceparent,(no name),x-b3-traceid";
    let request = request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", asked);
    let answer = Answer::of(request).await;
    let told = answer.header("access-control-allow-headers");
    assert!(
        told.ends_with("sentry-trace, x-b3-traceid, x-datadog-trace-id, elastic-apm-traceparent"),
        "{told}"
    );
}

#[actix_web::test]
async fn other_origins_are_told_nothing() {
    let app = sharing_with(APP).await;
    for origin in [
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
    ] {
        let answer = call(&app, Method::GET, "/healthz", origin).await;
        assert!(answer.status == 200 && told(&answer).is_empty(), "{answer:?}");
        assert_eq!(
            answer.header("vary"),
            "origin",
            "a cache must not give it to others"
        );
        let answer = preflight(&app, "/api/users/login/", origin).await;
        answer.is(405, "method_not_allowed");
        assert!(told(&answer).is_empty(), "{answer:?}");
    }
    let plain = app.post("/api/users/login/", json!({})).await;
    assert!(plain.status == 400 && told(&plain).is_empty(), "{plain:?}");
    // OPTIONS that is no preflight.
    call(&app, Method::OPTIONS, "/healthz", APP)
        .await
        .is(405, "method_not_allowed");
}

#[actix_web::test]
async fn a_star_is_for_every_page_but_never_for_the_inbox() {
    let app = sharing_with("*").await;
    for origin in [APP, "https://other.example.com", "null"] {
        let answer = call(&app, Method::GET, "/healthz", origin).await;
        assert_eq!(allowed(&answer), Some("*"), "{answer:?}");
        assert!(!answer.headers.contains_key("vary"));
        let answer = preflight(&app, "/api/users/login/", origin).await;
        assert_eq!((answer.status, allowed(&answer)), (204, Some("*")), "{answer:?}");
    }
    for path in [
        "/dev/inbox.json",
        "/dev/inbox.json/",
        "//dev/inbox.json",
        "/%64ev/inbox.json",
        "/dev/inbox/",
    ] {
        let answer = call(&app, Method::GET, path, APP).await;
        assert!(
            answer.status != 200 || told(&answer).is_empty(),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(
        call(&app, Method::GET, "//dev//inbox.json", APP).await.status,
        404
    );
}
