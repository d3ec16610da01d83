//! What one instance accepted and could not send, another sends: after an orderly end at once, after a kill when its
//! lease has run out.

use std::time::Duration;

use crate::support::{Backends, Prepared, TestApp, digits, eventually};

const PHONE: &str = "+14152000001";

async fn prepare() -> Prepared {
    let quick = [
        ("RINGBACK__DELIVERY__LEASE", "4s"),
        ("RINGBACK__TWILIO__TIMEOUT", "1s"),
        ("RINGBACK__TWILIO__CONNECT_TIMEOUT", "1s"),
        ("RINGBACK__SERVER__SHUTDOWN_TIMEOUT", "1s"),
    ];
    TestApp::prepare(Backends::Servers, &quick).await
}

/// An instance goes, in one way or another, with an SMS on its hands; the next one sends it, and its code is good.
async fn hands_over(kill: bool) {
    let prepared = prepare().await;
    let provider = prepared.provider.clone().unwrap();
    let (mut first, app) = prepared.clone().spawn().await;
    let account = app.register(PHONE).await;
    provider.delay(Duration::from_secs(3600));
    assert_eq!(app.send(PHONE, None).await.status, 200);
    if kill {
        drop(first);
    } else {
        assert!(first.terminate().await.success());
    }
    provider.delay(Duration::ZERO);
    assert!(provider.messages().is_empty());
    let (_second, app) = prepared.spawn().await;
    let (to, body) = eventually("the SMS", async || provider.messages().first().cloned()).await;
    assert_eq!(to, PHONE);
    assert_eq!(app.verify(PHONE, &digits(&body), None).await.status, 200);
    assert!(app.is_verified(&account).await);
    eventually("an empty outbox", async || {
        let kept = app.dump_redis().await;
        kept.iter().all(|kept| !kept.is_outbox()).then_some(())
    })
    .await;
    assert_eq!(provider.messages().len(), 1);
}

#[actix_web::test]
async fn an_orderly_end_hands_over_what_is_not_sent() {
    hands_over(false).await;
}

#[actix_web::test]
async fn a_kill_loses_nothing_that_was_accepted() {
    hands_over(true).await;
}
