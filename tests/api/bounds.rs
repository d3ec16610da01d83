//! The provider away, queues full: accepted SMS arrive all the same, and what has no room is told so at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Account, Answer, Backends, PASSWORD, Proxy, TestApp, eventually, registration};

const PHONE: &str = "+14152000001";
/// Enough tries for the outages here; quick enough that one that hangs is over soon.
const PATIENT: [(&str, &str); 3] = [
    ("RINGBACK__DELIVERY__MAX_TRIES", "20"),
    ("RINGBACK__TWILIO__CONNECT_TIMEOUT", "300ms"),
    ("RINGBACK__TWILIO__TIMEOUT", "300ms"),
];

fn phone(number: usize) -> String {
    format!("+1415200{number:04}")
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.is(503, "unavailable");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
}

async fn without_a_provider(fail: fn(&Proxy)) {
    let (app, proxies) = TestApp::start_behind_proxies(&PATIENT).await;
    let account = app.register(PHONE).await;
    app.register(&phone(2)).await;
    fail(&proxies.provider);
    let failed = async || {
        let calls = async |result| {
            app.metric("ringback_delivery_calls_total", &["twilio", result])
                .await
        };
        calls("failed").await + calls("unanswered").await
    };
    let failed_before = failed().await;
    let began = Instant::now();
    for number in [1, 2] {
        assert_eq!(app.send(&phone(number), None).await.status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(app.get("/readyz").await.status, 200);
    eventually("calls that come to nothing", async || {
        (failed().await >= failed_before + 2.0).then_some(())
    })
    .await;
    assert!(app.messages().await.is_empty());
    proxies.provider.come_back();
    eventually("both SMS", async || {
        (app.messages().await.len() >= 2).then_some(())
    })
    .await;
    let messages = app.messages().await;
    let (_, body) = messages.iter().find(|(to, _)| to == PHONE).unwrap();
    let code = crate::support::digits(body);
    assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    assert!(app.is_verified(&account).await);
}

#[actix_web::test]
async fn sends_are_accepted_without_a_provider_and_arrive_when_it_is_back() {
    without_a_provider(Proxy::go_away).await;
}

#[actix_web::test]
async fn sends_are_accepted_while_the_provider_hangs_and_arrive_when_it_answers() {
    without_a_provider(Proxy::hang).await;
}

#[actix_web::test]
async fn sends_are_accepted_while_the_provider_fails_and_arrive_afterwards() {
    let app = TestApp::start_with(Backends::Servers, &PATIENT).await;
    let provider = app.provider.clone().unwrap();
    for (number, fault) in [(429, 20429), (500, 20500), (503, 20503), (502, 0)]
        .into_iter()
        .enumerate()
    {
        app.register(&phone(number)).await;
        provider.fail(Some(fault));
        let before = provider.refused();
        assert_eq!(app.send(&phone(number), None).await.status, 200);
        eventually("a refusal", async || (provider.refused() > before).then_some(())).await;
        provider.fail(None);
        eventually("its SMS", async || {
            let messages = provider.messages();
            messages.iter().find(|(to, _)| *to == phone(number)).map(|_| ())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_number_that_the_provider_refuses_is_tried_once_and_harms_no_other() {
    let app = TestApp::start(Backends::Servers).await;
    let provider = app.provider.clone().unwrap();
    app.register(PHONE).await;
    provider.fail(Some((400, 21211)));
    assert_eq!(app.send(PHONE, None).await.status, 200);
    eventually("a refusal", async || (provider.refused() > 0).then_some(())).await;
    provider.fail(None);
    assert!(app.numbers().await.is_empty());
    assert_eq!(provider.refused(), 1);
    assert_eq!(app.get("/readyz").await.body["warnings"], json!([]));
}

#[actix_web::test]
async fn a_provider_that_refuses_the_account_shows_in_readyz() {
    let app = TestApp::start(Backends::Servers).await;
    let provider = app.provider.clone().unwrap();
    app.register(PHONE).await;
    provider.fail(Some((401, 20003)));
    assert_eq!(app.send(PHONE, None).await.status, 200);
    eventually("a warning", async || {
        let ready = app.get("/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        let warning = ready.body["warnings"][0].as_str().map(str::to_owned);
        warning.filter(|warning| warning.starts_with("sms provider twilio: stopped"))
    })
    .await;
    provider.fail(None);
    eventually("no warning", async || {
        let ready = app.get("/readyz").await;
        (ready.body["warnings"] == json!([])).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_code_that_nobody_would_carry_is_refused_before_anything_is_spent() {
    let slow = [
        ("RINGBACK__DELIVERY__PROBE_AFTER", "2s"),
        ("RINGBACK__DELIVERY__PROBE_EVERY", "2s"),
    ];
    let app = TestApp::start_with(Backends::Servers, &slow).await;
    let provider = app.provider.clone().unwrap();
    app.register(PHONE).await;
    app.register(&phone(2)).await;
    provider.fail(Some((429, 63038)));
    assert_eq!(app.send(PHONE, None).await.status, 200);
    eventually("a refusal", async || (provider.refused() > 0).then_some(())).await;
    // A phone of an account, and one of nobody's.
    for number in [2, 3] {
        eventually("a stop", async || {
            let answer = app.send(&phone(number), None).await;
            (answer.status == 503).then(|| assert_unavailable(&answer))
        })
        .await;
    }
    assert_eq!(app.get("/readyz").await.status, 200, "logins go on");
    let kept = app.dump_redis().await.len();
    assert_unavailable(&app.send(&phone(4), None).await);
    assert_eq!(app.dump_redis().await.len(), kept, "no cooldown, no challenge");
    provider.fail(None);
    // What it owes is the probe, and then codes are issued again.
    eventually("its SMS", async || {
        provider.messages().into_iter().find(|(to, _)| to == PHONE)
    })
    .await;
    eventually("an end of it", async || {
        (app.send(&phone(5), None).await.status == 200).then_some(())
    })
    .await;
}

async fn a_full_queue(unknown: bool) {
    let (app, proxies) = TestApp::start_behind_proxies(&[("RINGBACK__DELIVERY__QUEUE", "4")]).await;
    for number in 0..12 {
        if !unknown || number < 6 {
            app.register(&phone(number)).await;
        }
    }
    proxies.provider.hang();
    let mut refused = Vec::new();
    for number in 0..12 {
        let answer = app.send(&phone(number), None).await;
        match answer.status {
            200 if number < 6 => {}
            _ => {
                assert_unavailable(&answer);
                refused.push(number);
            }
        }
    }
    assert!(refused.len() >= 8, "four have a place: {refused:?}");
    assert!(refused.len() < 12);
    let accepted = 12 - refused.len();
    // Codes are judged all the while.
    app.verify(&phone(0), "000000", None).await;
    assert_eq!(app.get("/readyz").await.status, 200);
    proxies.provider.come_back();
    eventually("what was accepted", async || {
        (app.messages().await.len() >= accepted).then_some(())
    })
    .await;
    // Nothing was spent: no cooldown runs for those who were refused.
    for number in refused {
        eventually("a place", async || {
            let answer = app.send(&phone(number), None).await;
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_full_queue_of_sms_is_told_before_anything_is_spent() {
    a_full_queue(false).await;
}

#[actix_web::test]
async fn a_full_queue_says_the_same_to_phones_that_no_account_has() {
    a_full_queue(true).await;
}

/// Hashes slow enough that a burst finds the one place taken.
const ONE_HASH: [(&str, &str); 4] = [
    ("RINGBACK__PASSWORDS__THREADS", "1"),
    ("RINGBACK__PASSWORDS__QUEUE", "1"),
    ("RINGBACK__PASSWORDS__MEMORY_KIB", "65536"),
    ("RINGBACK__PASSWORDS__ITERATIONS", "4"),
];

async fn a_full_hasher(backends: Backends) {
    let app = TestApp::start_with(backends, &ONE_HASH).await;
    let account: Account = app.register(PHONE).await;
    let registers = join_all((0..20).map(|number| {
        app.post(
            "/api/users/register/",
            registration(&format!("burst{number}@example.com"), &phone(number)),
        )
    }));
    let logins = join_all((0..20).map(|number| {
        let email = if number % 2 == 0 {
            account.email.clone()
        } else {
            format!("nobody{number}@example.com")
        };
        app.post(
            "/api/users/login/",
            json!({ "email": email, "password": PASSWORD }),
        )
    }));
    let (registered, logged_in) = futures_util::join!(registers, logins);
    let refused = registered
        .iter()
        .chain(&logged_in)
        .filter(|answer| answer.status == 503);
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() >= 30, "{}", refused.len());
    refused.into_iter().for_each(assert_unavailable);
    for answer in &registered {
        assert!([201, 503].contains(&answer.status), "{answer:?}");
    }
    // Whoever was refused has no account, and may try again.
    for (number, answer) in registered
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.status == 503)
    {
        let body = registration(&format!("burst{number}@example.com"), &phone(number));
        assert_eq!(
            app.post("/api/users/register/", body).await.status,
            201,
            "after {answer:?}"
        );
        if number > 6 {
            break;
        }
    }
    // What needs no hash went on all the while.
    assert!(!app.is_verified(&account).await);
}

#[actix_web::test]
async fn a_full_password_hasher_is_told_at_once_embedded() {
    a_full_hasher(Backends::Embedded).await;
}

#[actix_web::test]
async fn a_full_password_hasher_is_told_at_once_on_servers() {
    a_full_hasher(Backends::Servers).await;
}
