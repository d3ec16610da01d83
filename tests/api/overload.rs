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
