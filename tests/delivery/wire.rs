//! What every provider over HTTP has to stand: each of these faults has its outcome, costs bounded time and memory, and
//! takes neither credentials nor numbers anywhere.

use std::{sync::atomic::Ordering, time::Duration, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{TimeZone, Utc};
use ringback::provider::{FailureKind, Outcome};

use crate::{
    clients::{NOW, SID, TIMEOUT, TOKEN, WEBHOOK_SECRET, all, message, name, twilio, vonage, webhook},
    eventually,
    fake_provider::{Act, FakeProvider},
    log::Log,
    self_signed, within,
};

const LIFE: Duration = Duration::from_secs(600);
const DATE: &str = "date: Wed, 21 Oct 2026 07:28:00 GMT";

/// What each provider's client makes of a server.
async fn outcomes_at(url: &str) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = Vec::new();
    for provider in all(url) {
        let outcome = within(Duration::from_secs(5), provider.send(&message(LIFE))).await;
        outcomes.push((provider.name(), outcome));
    }
    outcomes
}

async fn outcomes(act: Act) -> Vec<(&'static str, Outcome)> {
    outcomes_at(&FakeProvider::start(act).await.url()).await
}

/// Asserts that all say the same.
async fn all_say(act: Act, expected: &str) {
    let said = format!("{act:.80?}");
    for (provider, outcome) in outcomes(act).await {
        assert_eq!(name(&outcome), expected, "{provider}: {said}: {outcome:?}");
    }
}

#[track_caller]
fn retryable_for(outcome: &Outcome) -> FailureKind {
    match outcome {
        Outcome::Retryable { after: None, reason } => reason.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_status_without_a_code_is_judged_alike() {
    let nested = "[".repeat(60_000);
    for (status, body, expected) in [
        (400, "", "permanent"),
        (422, "<html>", "permanent"),
        (401, "<html>Log in</html>", "misconfigured"),
        (403, "{\"code\":-1}", "misconfigured"),
        (404, "", "misconfigured"),
        (410, "", "misconfigured"),
        (408, "", "retryable"),
        (425, "", "retryable"),
        (429, "{\"code\":99999999999999999999}", "retryable"),
        (500, nested.as_str(), "retryable"),
        (502, "<html>Bad gateway</html>", "retryable"),
        (503, "\u{0}\u{FFFD}", "retryable"),
    ] {
        all_say(Act::answer(status, &[], body), expected).await;
    }
}

#[tokio::test]
async fn what_is_no_http_may_be_tried_again() {
    for garbage in ["", "\r\n\r\n", "not HTTP at all", "HTTP/1.1 abc\r\n\r\n"] {
        all_say(Act::Say(garbage.as_bytes().to_vec()), "retryable").await;
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_told() {
    for (header, seconds) in [
        ("retry-after: 7", Some(7)),
        ("retry-after: Wed, 21 Oct 2026 07:28:20 GMT", Some(20)),
        ("retry-after: Wed, 21 Oct 2026 07:27:00 GMT", Some(0)),
        ("retry-after: 99999999999", Some(3600)),
        ("retry-after: soon", None),
        ("x-other: 7", None),
    ] {
        for status in [429, 503] {
            for (provider, outcome) in outcomes(Act::answer(status, &[header, DATE], "")).await {
                let Outcome::Retryable { after, reason } = outcome else {
                    panic!("{provider}: {header}: {outcome:?}");
                };
                assert_eq!(
                    after.map(|pause| pause.as_secs()),
                    seconds,
                    "{provider}: {header}"
                );
                assert_eq!(reason.status, Some(status));
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_or_silent_may_be_tried_again() {
    for (provider, outcome) in outcomes(Act::Reset).await {
        assert_eq!(retryable_for(&outcome), FailureKind::Connection, "{provider}");
    }
    for (provider, outcome) in outcomes(Act::Shut).await {
        let kind = retryable_for(&outcome);
        assert!(
            matches!(kind, FailureKind::Connection | FailureKind::Connect),
            "{provider}: {kind:?}"
        );
    }
    let began = Instant::now();
    for (provider, outcome) in outcomes(Act::Hang).await {
        assert_eq!(retryable_for(&outcome), FailureKind::Timeout, "{provider}");
    }
    assert!(began.elapsed() >= 3 * TIMEOUT);
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent() {
    let unlistened = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (url, cause) in [
        (format!("http://{unlistened}"), "connection refused"),
        ("http://no-such-host.invalid".to_owned(), "host name not found"),
    ] {
        for (provider, outcome) in outcomes_at(&url).await {
            let kind = retryable_for(&outcome);
            assert!(
                matches!(kind, FailureKind::Connect | FailureKind::Timeout),
                "{provider}: {url}: {kind:?}"
            );
            // Where names are asked for in vain for long, the call's own time is over first.
            let told = outcome.reason().unwrap().to_string();
            let told_late = ["no answer in time", "timed out"].contains(&told.as_str());
            assert!(
                told == cause || (told_late && cause == "host name not found"),
                "{provider}: {told}"
            );
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_nothing() {
    let (address, visits) = self_signed::start();
    for (provider, outcome) in outcomes_at(&format!("https://{address}")).await {
        assert_eq!(retryable_for(&outcome), FailureKind::Connect, "{provider}");
        let told = outcome.reason().unwrap().to_string();
        assert_eq!(told, "certificate not trusted", "{provider}");
    }
    eventually("the server saw all three", || visits.all().len() == 3).await;
    for (read, ended) in visits.all() {
        assert_eq!(read, "", "something was sent");
        // It was the certificate, and not something else.
        assert!(
            ["CertificateUnknown", "UnknownCA", "BadCertificate"]
                .iter()
                .any(|alert| ended.contains(alert)),
            "{ended}"
        );
    }
    // Nor does one that speaks no TLS at all.
    let server = FakeProvider::start(Act::Hang).await;
    for (provider, outcome) in outcomes_at(&format!("https://{}", server.address)).await {
        let kind = retryable_for(&outcome);
        assert!(
            matches!(kind, FailureKind::Connect | FailureKind::Timeout),
            "{provider}: {kind:?}"
        );
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_credentials() {
    let target = FakeProvider::start(Act::answer(201, &[], "")).await;
    let location = format!("location: {}/steal", target.url());
    for (status, expected) in [
        (301, "misconfigured"),
        (302, "retryable"),
        (303, "retryable"),
        (307, "retryable"),
        (308, "misconfigured"),
    ] {
        all_say(Act::answer(status, &[&location], ""), expected).await;
    }
    assert_eq!(target.connections.load(Ordering::SeqCst), 0, "somebody followed");
}

#[tokio::test]
async fn of_an_endless_body_little_is_read() {
    for head in [
        "HTTP/1.1 201 X\r\ncontent-length: 1073741824\r\n\r\n",
        "HTTP/1.1 500 X\r\ncontent-length: 1073741824\r\n\r\n",
        "HTTP/1.1 400 X\r\n\r\n",
    ] {
        let server = FakeProvider::start(Act::Flood(head.into())).await;
        for provider in all(&server.url()) {
            let outcome = within(Duration::from_secs(5), provider.send(&message(LIFE))).await;
            let expected = match (provider.name(), &head[9..12]) {
                (_, "400") => "permanent",
                // Its success stands in the body.
                (_, "500") | ("vonage", _) => "retryable",
                _ => "accepted",
            };
            assert_eq!(name(&outcome), expected, "{}: {head}", provider.name());
        }
        let flooded = server.flooded.load(Ordering::SeqCst);
        assert!(
            flooded < 48 * 1024 * 1024,
            "{flooded} bytes went into three sockets"
        );
    }
}

#[tokio::test]
async fn a_body_that_drips_is_waited_for_no_longer_than_for_an_answer() {
    let head = "HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n";
    let began = Instant::now();
    all_say(Act::Drip(head.into()), "retryable").await;
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn no_number_code_or_secret_is_logged_on_the_way() {
    let (log, _logging) = Log::of_this_thread();
    for act in [Act::answer(200, &[], ""), Act::answer(400, &[], ""), Act::Reset] {
        let server = FakeProvider::start(act).await;
        for provider in all(&server.url()) {
            provider.send(&message(LIFE)).await;
            provider
                .look_up(&message(LIFE), Utc.timestamp_opt(NOW, 0).unwrap())
                .await;
        }
    }
    let text = log.text();
    assert!(!text.is_empty(), "nothing was logged at all");
    let basic = BASE64_STANDARD.encode(format!("{SID}:{TOKEN}"));
    for secret in [TOKEN, &basic, "4152000001", "123456", &WEBHOOK_SECRET[6..]] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}

#[test]
fn debug_shows_no_secret_number_or_code() {
    let url = "https://sms.example.com".to_owned();
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        twilio(url.clone(), "+15005550006"),
        vonage(url.clone(), "Ringback"),
        webhook(format!("{url}/secret-path")),
        message(LIFE)
    );
    for secret in [
        TOKEN,
        &WEBHOOK_SECRET[6..],
        "abcd1234",
        "secret-path",
        "123456",
        "4152000001",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
