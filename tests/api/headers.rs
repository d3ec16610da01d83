//! Headers: what the service says in them, and whom it believes.

use std::collections::HashSet;

use serde_json::json;

use crate::support::{Account, Answer, Backends, TestApp, exchange, on_both, registration};

/// Every route: method, path without its slash, status when it is asked as `ask` asks.
const ROUTES: [(&str, &str, u16); 17] = [
    ("POST", "/api/users/register", 201),
    ("POST", "/api/users/login", 200),
    ("POST", "/api/users/send-phone-otp", 200),
    ("POST", "/api/users/verify-phone-otp", 400),
    ("POST", "/api/users/token/refresh", 200),
    ("GET", "/api/users/otp-status/0", 404),
    ("POST", "/api/sms/receipts/twilio/0", 404),
    ("GET", "/api/users/me", 200),
    ("GET", "/.well-known/jwks.json", 200),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/dev/inbox", 200),
    ("GET", "/dev/inbox.json", 200),
    ("GET", "/nowhere", 404),
    ("POST", "/api/users/logout", 204),
];

/// One request that the route takes; `nonce` keeps accounts apart.
async fn ask(app: &TestApp, method: &str, path: &str, account: &Account, nonce: usize) -> Answer {
    let request = app.request(method, path).bearer_auth(&account.access);
    let request = match path.trim_end_matches('/').rsplit('/').next().unwrap() {
        "register" => request.json(&registration(
            &format!("nonce{nonce}@example.com"),
            "+14152000009",
        )),
        "login" => request.json(&json!({ "email": account.email, "password": "securepass123" })),
        "send-phone-otp" => request.json(&json!({ "phone": account.phone })),
        "verify-phone-otp" => request.json(&json!({ "phone": account.phone, "otp": "000000" })),
        "refresh" => request.json(&json!({ "refresh": account.refresh })),
        _ => request,
    };
    Answer::of(request).await
}

on_both! {
    async fn every_path_answers_with_and_without_its_slash(app) {
        for (slash, nonce) in [("", 1), ("/", 2)] {
            let account = app.register(&format!("+1415200000{nonce}")).await;
            for (method, path, status) in ROUTES {
                let path = format!("{path}{slash}");
                let answer = ask(&app, method, &path, &account, nonce).await;
                assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
                assert!(!answer.headers.contains_key("location"), "{path}");
            }
        }
        app.get("/api/users/me/?next=/api/users/me/").await.is(401, "not_authenticated");
    }

    async fn every_answer_has_a_request_id_and_says_what_it_is(app) {
        let account = app.register("+14152000001").await;
        let mut seen = HashSet::new();
        for (method, path, _) in ROUTES {
            let answer = ask(&app, method, path, &account, 1).await;
            assert!(seen.insert(answer.header("x-request-id").to_owned()), "{path}: an id of its own");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap());
            match answer.status {
                204 => assert!(kind.is_none() && answer.raw.is_empty(), "{path}: {answer:?}"),
                200 if ["/dev/inbox", "/docs"].contains(&path) => assert_eq!(kind, Some("text/html; charset=utf-8")),
                200 | 201 => assert_eq!(kind, Some("application/json"), "{path}"),
                _ => drop(answer.code()),
            }
            // Keys and pages may be kept; whatever speaks of a person may not.
            if !["/.well-known/jwks.json", "/openapi.json", "/docs", "/dev/inbox"].contains(&path) {
                assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            }
        }
    }

    async fn head_answers_as_get_without_a_body(app) {
        for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/nowhere", "/api/users/me/"] {
            let (get, head) = (app.get(path).await, Answer::of(app.request("HEAD", path)).await);
            assert_eq!((head.status, head.raw.as_str()), (get.status, ""), "{path}");
            assert_eq!(head.headers.get("content-type"), get.headers.get("content-type"), "{path}");
            assert!(head.headers.contains_key("x-request-id"), "{path}");
        }
    }

    async fn a_sane_request_id_is_kept_and_any_other_replaced(app) {
        for id in ["a", "0b5b1d5c9f1e4b7f", "req-1_2.3:4/5+6=", &"x".repeat(128)] {
            for path in ["/healthz", "/nowhere", "/api/users/me/"] {
                let answer = Answer::of(app.request("GET", path).header("x-request-id", id)).await;
                assert_eq!(answer.header("x-request-id"), id, "{path}");
                if path != "/healthz" {
                    assert_eq!(answer.text("request_id"), id, "{path}");
                }
            }
        }
        for id in ["", " ", "two words", "<script>", "a\"b", "a,b", "a;b", "a%0d%0ab", "{id}", "é", "+14155552671", "eyJhbGciOiJFZERTQSJ9.e30.c2ln", &"x".repeat(129)] {
            for path in ["/healthz", "/nowhere"] {
                let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\n\r\n");
                let answer = exchange(&app.address, head).await;
                let given = answer.header("x-request-id");
                assert!(given != id && given.len() == 32, "{id:?} became {given:?}");
                assert!(given.bytes().all(|byte| byte.is_ascii_hexdigit()), "{given}");
            }
        }
        let raw = [&b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: \xff\xfe\r\n\r\n"[..]].concat();
        exchange(&app.address, raw).await.is(404, "not_found");
    }

    async fn a_spent_rule_is_told_in_full(app) {
        app.limit("[[rule]]\nid = 'two-a-minute'\non = 'login'\nby = 'ip'\nquota = 2\nper = '1m'\n").await;
        let login = json!({ "email": "nobody@example.com", "password": "securepass123" });
        for _ in 0..2 {
            app.post("/api/users/login/", login.clone()).await.is(401, "invalid_credentials");
        }
        let answer = app.post("/api/users/login/", login).await;
        answer.is(429, "rate_limited");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&wait), "two a minute are one in 30 s: {wait}");
        assert_eq!(answer.body["retry_after"], wait);
        assert_eq!((answer.text("rule"), answer.text("scope")), ("two-a-minute", "cluster"));
        assert_eq!(answer.header("ratelimit-policy"), "\"two-a-minute\";q=2;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"two-a-minute\";r=0;t={wait}"));
        app.pass(i64::try_from(wait).unwrap());
        let login = json!({ "email": "nobody@example.com", "password": "securepass123" });
        app.post("/api/users/login/", login).await.is(401, "invalid_credentials");
    }

    async fn the_cooldown_is_told_like_a_rule(app) {
        app.register("+14152000001").await;
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        let answer = app.send("+14152000001", None).await;
        answer.is(429, "resend_cooldown");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((50..=60).contains(&wait), "{answer:?}");
        assert_eq!(answer.body["retry_after"], wait);
        assert_eq!(answer.text("scope"), "cluster");
        assert!(!answer.text("rule").is_empty());
        assert!(answer.headers.contains_key("ratelimit-policy") && answer.headers.contains_key("ratelimit"));
        app.pass(i64::try_from(wait).unwrap());
        assert_eq!(app.send("+14152000001", None).await.status, 200, "what was told is true");
    }
}

const ONE_PER_ADDRESS: &str =
    "[[rule]]\nid = 'one'\non = 'login'\nby = 'ip'\nquota = 1\nper = '1h'\nscope = 'instance'\n";

/// Whether a client who says this about himself may still log in once.
async fn passes(app: &TestApp, headers: &[(&str, &str)]) -> bool {
    let mut request = app.request("POST", "/api/users/login/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let login = json!({ "email": "nobody@example.com", "password": "securepass123" });
    let answer = Answer::of(request.json(&login)).await;
    assert!(matches!(answer.status, 401 | 429), "{answer:?}");
    answer.status == 401
}

#[actix_web::test]
async fn a_client_can_not_choose_his_address() {
    let app = TestApp::start(Backends::Embedded).await;
    app.limit(ONE_PER_ADDRESS).await;
    assert!(passes(&app, &[]).await);
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
        "x-client-ip",
        "client-ip",
    ] {
        assert!(!passes(&app, &[(name, "198.51.100.1")]).await, "{name}");
    }
    for n in 0..1000_u32 {
        let forged = std::net::Ipv4Addr::from_bits(0x0B00_0000 + n * 4099).to_string();
        assert!(!passes(&app, &[("x-forwarded-for", &forged)]).await, "{forged}");
    }
    assert!(!passes(&app, &[("forwarded", "for=198.51.100.1")]).await);
    assert!(!passes(&app, &[("x-forwarded-for", "198.51.100.1, 127.0.0.1")]).await);
}

#[actix_web::test]
async fn an_operator_says_how_large_a_clients_network_is() {
    let set = [
        ("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("RINGBACK__SERVER__IPV6_PREFIX", "48"),
    ];
    let app = TestApp::start_with(Backends::Embedded, &set).await;
    app.limit(ONE_PER_ADDRESS).await;
    assert!(passes(&app, &[("x-forwarded-for", "2001:db8:1:2::1")]).await);
    assert!(!passes(&app, &[("x-forwarded-for", "2001:db8:1:3::1")]).await);
    assert!(passes(&app, &[("x-forwarded-for", "2001:db8:2:2::1")]).await);
    assert!(passes(&app, &[("x-forwarded-for", "198.51.100.1")]).await);
    assert!(passes(&app, &[("x-forwarded-for", "198.51.100.2")]).await);
}

#[actix_web::test]
async fn a_trusted_proxy_is_believed_as_far_as_it_saw() {
    let trust = [("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")];
    let app = TestApp::start_with(Backends::Embedded, &trust).await;
    app.limit(ONE_PER_ADDRESS).await;
    let forwarded = |list: &'static str| [("x-forwarded-for", list)];
    assert!(passes(&app, &forwarded("198.51.100.1")).await);
    // The same client, whatever he had said before the proxy added his address.
    for lie in [
        "198.51.100.1",
        "1.1.1.1, 198.51.100.1",
        "127.0.0.1, 198.51.100.1",
        "nonsense, 198.51.100.1",
        "é, 198.51.100.1",
        ",,198.51.100.1",
        "1.1.1.1, 198.51.100.1, ,",
        "198.51.100.1%eth0, 10.0.0.2",
        "64:ff9b::198.51.100.1",
        "1.1.1.1,198.51.100.1:4711",
        "1.1.1.1, ::ffff:198.51.100.1",
        "2.2.2.2, 198.51.100.1, 10.1.2.3, 10.0.0.2",
    ] {
        assert!(!passes(&app, &forwarded(lie)).await, "{lie}");
    }
    let twice = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "198.51.100.1"),
    ];
    assert!(!passes(&app, &twice).await, "two headers are one list");
    // Where it stands alone, it is believed like the other.
    assert!(!passes(&app, &[("forwarded", "for=1.1.1.1, for=198.51.100.1")]).await);
    assert!(passes(&app, &[("forwarded", "for=1.1.1.1, for=198.51.100.9")]).await);
    for name in ["forwarded", "x-real-ip", "true-client-ip"] {
        let told = [(name, "for=203.0.113.77"), ("x-forwarded-for", "198.51.100.1")];
        assert!(
            !passes(&app, &told).await,
            "a proxy passes on what it doesn't know: {name}"
        );
    }
    assert!(passes(&app, &forwarded("198.51.100.2")).await, "somebody else");
    assert!(
        passes(&app, &forwarded("198.51.100.1, 198.51.100.3")).await,
        "the last is who asked"
    );
    // Who lives in one /64 is one.
    assert!(passes(&app, &forwarded("2001:db8:1:2::1")).await);
    assert!(!passes(&app, &forwarded("2001:db8:1:2:ffff:ffff:ffff:ffff")).await);
    assert!(!passes(&app, &forwarded("[2001:db8:1:2::9]:443")).await);
    assert!(passes(&app, &forwarded("2001:db8:1:3::1")).await);
    // `Forwarded` (RFC 7239) where the proxy writes that one.
    assert!(
        passes(
            &app,
            &[("forwarded", "for=203.0.113.5, for=203.0.113.6;proto=https")]
        )
        .await
    );
    assert!(!passes(&app, &forwarded("203.0.113.6")).await, "the same client");
    assert!(
        passes(&app, &forwarded("203.0.113.5")).await,
        "what stood left of it was his own claim"
    );
    // A proxy that says nothing, or nothing that is an address, is the client itself.
    assert!(passes(&app, &[]).await);
    // A list of nobody is the proxy's own, whatever its client wrote in the other header.
    let empty = [("x-forwarded-for", ","), ("forwarded", "for=203.0.113.78")];
    assert!(!passes(&app, &empty).await);
    assert!(passes(&app, &[("forwarded", "for=203.0.113.78")]).await);
    assert!(!passes(&app, &forwarded("unknown")).await);
    assert!(!passes(&app, &forwarded("")).await);
}
