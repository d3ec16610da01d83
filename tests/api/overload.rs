//! More logins and registrations than there are hashes for: who is refused costs nothing, and neither does who left.

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::json;

use crate::support::{Backends, PASSWORD, TestApp, Wire, registration};

const PHONE: &str = "+14152000001";

/// Room for two: one hash runs, one waits.
const TWO: [(&str, &str); 3] = [
    ("RINGBACK__PASSWORDS__THREADS", "1"),
    ("RINGBACK__PASSWORDS__QUEUE", "1"),
    ("RINGBACK__DATABASE__TIMEOUT", "10s"),
];

#[actix_web::test]
async fn a_full_queue_of_hashes_refuses_without_asking_the_database_or_a_limit() {
    let (app, proxies) = TestApp::start_behind_proxies(&TWO).await;
    let account = app.register(PHONE).await;
    app.limit("[[rule]]\nid = 'logins'\non = 'login'\nby = 'ip'\nquota = 3\nper = '1d'\n")
        .await;
    let login = || {
        let body = json!({ "email": account.email, "password": PASSWORD });
        app.post("/api/users/login/", body)
    };
    proxies.database.hang();
    let mut asked: FuturesUnordered<_> = (0..3).map(|_| login()).collect();
    // Two wait for the database; the third is not one of them.
    asked.next().await.unwrap().is(503, "unavailable");
    let body = registration("one-too-many@example.com", PHONE);
    app.post("/api/users/register/", body)
        .await
        .is(503, "unavailable");
    proxies.database.come_back();
    while let Some(answer) = asked.next().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The refused one spent nothing of the three.
    assert_eq!(login().await.status, 200);
    login().await.is(429, "rate_limited");
}

/// S8: a flood from one network leaves places in the queue of hashes to others.
#[actix_web::test]
async fn a_flood_from_one_network_leaves_places_to_others() {
    let (app, proxies) = TestApp::start_behind_proxies(&[
        ("RINGBACK__PASSWORDS__THREADS", "1"),
        ("RINGBACK__PASSWORDS__QUEUE", "15"),
        ("RINGBACK__DATABASE__TIMEOUT", "10s"),
        ("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
    ])
    .await;
    let account = app.register(PHONE).await;
    let login = |from: &'static str| {
        let body = json!({ "email": account.email, "password": PASSWORD });
        app.post_from(from, "/api/users/login/", body, None)
    };
    proxies.database.hang();
    let mut flood: FuturesUnordered<_> = (0..16).map(|_| login("198.51.100.7")).collect();
    // Twelve of sixteen places: for each that is free a network holds three.
    for _ in 0..4 {
        flood.next().await.unwrap().is(503, "unavailable");
    }
    let mut others: FuturesUnordered<_> = ["203.0.113.7", "203.0.113.8"].map(login).into_iter().collect();
    // Time enough for them to have been refused.
    login("198.51.100.7").await.is(503, "unavailable");
    proxies.database.come_back();
    while let Some(answer) = others.next().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let mut served = 0;
    while let Some(answer) = flood.next().await {
        assert_eq!(answer.status, 200, "{answer:?}");
        served += 1;
    }
    assert_eq!(served, 12);
    assert_eq!(login("198.51.100.7").await.status, 200);
}

/// Each route that hashes is met by a rule of this process before it takes a place in the queue.
#[actix_web::test]
async fn floods_are_shed_before_they_take_a_place_in_the_queue_of_hashes() {
    let app = TestApp::start(Backends::Embedded).await;
    let account = app.register(PHONE).await;
    let routes = [
        (
            "POST",
            "/api/users/password/change/",
            json!({ "current_password": "x", "password": "another otter", "password_confirm": "another otter" }),
        ),
        ("DELETE", "/api/users/me/", json!({ "password": "x" })),
        (
            "POST",
            "/api/users/phone/change/",
            json!({ "phone": "+14152000002", "password": "x" }),
        ),
        (
            "POST",
            "/api/users/email/change/",
            json!({ "email": "another@example.com", "password": "x" }),
        ),
        (
            "POST",
            "/api/users/password/reset/",
            json!({
                "challenge_id": "00000000-0000-4000-8000-000000000000", "otp": "000000",
                "password": "another otter", "password_confirm": "another otter",
            }),
        ),
    ];
    for (n, (method, path, body)) in routes.into_iter().enumerate() {
        app.limit(&format!(
            "[[rule]]\nid = 'flood-{n}'\non = 'password.change'\nby = 'ip'\nquota = 1\nper = '1d'\nscope = 'instance'\n"
        ))
        .await;
        let token = (!path.contains("reset")).then_some(account.access.as_str());
        let first = app.call(method, path, Some(body.clone()), token).await;
        assert_eq!(first.status, 400, "{path}: {first:?}");
        let second = app.call(method, path, Some(body), token).await;
        second.is(429, "rate_limited");
        assert_eq!(second.text("rule"), format!("flood-{n}"), "{path}");
    }
}

/// Tokens that are refused, and pages, count for their network as well.
#[actix_web::test]
async fn what_is_no_operation_is_limited_by_its_network() {
    let app = TestApp::start(Backends::Embedded).await;
    for (n, (path, is_page)) in [
        ("/api/users/me/", false),
        ("/docs/", true),
        ("/openapi.json", true),
    ]
    .into_iter()
    .enumerate()
    {
        app.limit(&format!(
            "[[rule]]\nid = 'other-{n}'\non = 'other'\nby = 'ip'\nquota = 3\nper = '1d'\nscope = 'instance'\n"
        ))
        .await;
        let ask = async || {
            app.call("GET", path, None, (!is_page).then_some("no.such.token"))
                .await
        };
        for _ in 0..3 {
            assert_eq!(ask().await.status, if is_page { 200 } else { 401 }, "{path}");
        }
        let refused = ask().await;
        refused.is(429, "rate_limited");
        assert_eq!(refused.text("rule"), format!("other-{n}"));
    }
    let account = app.register(PHONE).await;
    assert_eq!(
        app.get_as("/api/users/me/", &account.access).await.status,
        200,
        "a good token is none of these"
    );
}

/// Hashes long enough that a client can hang up while he waits behind one.
const LONG: [(&str, &str); 4] = [
    ("RINGBACK__PASSWORDS__THREADS", "1"),
    ("RINGBACK__PASSWORDS__QUEUE", "8"),
    ("RINGBACK__PASSWORDS__MEMORY_KIB", "131072"),
    ("RINGBACK__PASSWORDS__ITERATIONS", "8"),
];

async fn whoever_hangs_up(backends: Backends) {
    let app = TestApp::start_with(backends, &LONG).await;
    let account = app.register(PHONE).await;
    let login = json!({ "email": account.email, "password": PASSWORD }).to_string();
    let gone = registration("gone@example.com", PHONE).to_string();
    let request = |path: &str, body: &str| {
        let length = body.len();
        format!(
            "POST /api/users/{path}/ HTTP/1.1\r\nHost: ringback\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let mut before = Wire::open(&app.address).await;
    before.say(request("login", &login)).await;
    // Time enough for it to be hashed, and not to be done.
    for _ in 0..20 {
        assert!(!app.is_verified(&account).await);
    }
    let mut leaves = Wire::open(&app.address).await;
    leaves.say(request("register", &gone)).await;
    drop(leaves);
    assert_eq!(before.answer().await.status, 200);
    // Whoever comes after him is answered after him.
    let after = app.post("/api/users/login/", serde_json::from_str(&login).unwrap());
    assert_eq!(after.await.status, 200);
    let again = registration("gone@example.com", PHONE);
    assert_eq!(app.post("/api/users/register/", again).await.status, 201);
}

#[actix_web::test]
async fn whoever_hangs_up_before_his_turn_is_not_served_embedded() {
    whoever_hangs_up(Backends::Embedded).await;
}

#[actix_web::test]
async fn whoever_hangs_up_before_his_turn_is_not_served_on_servers() {
    whoever_hangs_up(Backends::Servers).await;
}
