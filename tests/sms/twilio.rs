//! What goes over the wire to Twilio, and what comes of each answer.

use std::{
    sync::Once,
    time::{Duration, Instant},
};

use ringback::{
    phone::PhoneNumber,
    sms::{FailureKind, MessageBody, Outcome, SmsMessage, SmsProvider, Twilio, TwilioOptions},
};

use uuid::Uuid;

use crate::{
    fake_provider::{Act, FakeProvider},
    within,
};

pub const SID: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "the-token-of-the-account";
const TIMEOUT: Duration = Duration::from_millis(500);

pub fn client(base_url: String, sender: &str) -> Twilio {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    Twilio::new(TwilioOptions {
        account_sid: SID.to_owned(),
        auth_token: TOKEN.to_owned().into(),
        sender: sender.to_owned(),
        base_url,
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    })
    .unwrap()
}

pub fn message(valid_for: Duration) -> SmsMessage {
    SmsMessage {
        reference: Uuid::nil(),
        to: PhoneNumber::from_stored("+14152000001".to_owned()),
        body: MessageBody::new("Ringback code: 123456. Don't & share it=ever.".to_owned()),
        valid_for,
    }
}

async fn outcome(act: Act) -> Outcome {
    let server = FakeProvider::start(act).await;
    let twilio = client(server.url(), "+15005550006");
    within(
        Duration::from_secs(2),
        twilio.send(&message(Duration::from_secs(600))),
    )
    .await
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Retryable { .. } => "retryable",
        Outcome::Permanent { .. } => "permanent",
        Outcome::Misconfigured { .. } => "misconfigured",
    }
}

fn accepted(id: &str) -> Outcome {
    Outcome::Accepted {
        provider_id: id.to_owned(),
    }
}

#[tokio::test]
async fn the_request_is_what_the_messages_resource_asks_for() {
    let server = FakeProvider::start(Act::answer(201, &[], r#"{"sid":"SM1"}"#)).await;
    let twilio = client(server.url(), "+15005550006");
    assert_eq!(
        twilio.send(&message(Duration::from_millis(599_999))).await,
        accepted("SM1")
    );
    let request = server.last_request();
    assert_eq!(
        request.line,
        format!("POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1")
    );
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    // `printf '%s' "$SID:$TOKEN" | base64`
    assert_eq!(
        request.header("authorization"),
        Some("Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTp0aGUtdG9rZW4tb2YtdGhlLWFjY291bnQ=")
    );
    assert_eq!(
        request.body,
        "To=%2B14152000001&From=%2B15005550006\
         &Body=Ringback+code%3A+123456.+Don%27t+%26+share+it%3Dever.&ValidityPeriod=599"
    );
}

#[tokio::test]
async fn a_messaging_service_stands_in_for_the_sender() {
    let server = FakeProvider::start(Act::answer(201, &[], "{}")).await;
    let twilio = client(server.url(), "MG00000000000000000000000000000002");
    twilio.send(&message(Duration::from_secs(60))).await;
    let body = server.last_request().body;
    assert!(body.contains("&MessagingServiceSid=MG00000000000000000000000000000002&"));
    assert!(!body.contains("From="));
}

#[tokio::test]
async fn the_validity_period_is_whole_seconds_within_twilios_bounds() {
    let server = FakeProvider::start(Act::answer(201, &[], "{}")).await;
    let twilio = client(server.url(), "+15005550006");
    for (millis, seconds) in [
        (1, 1),
        (1_999, 1),
        (600_000, 600),
        (36_000_000, 36_000),
        (99_000_000, 36_000),
    ] {
        twilio.send(&message(Duration::from_millis(millis))).await;
        let body = server.last_request().body;
        assert!(
            body.ends_with(&format!("&ValidityPeriod={seconds}")),
            "{millis} ms: {body}"
        );
    }
}

#[tokio::test]
async fn errors_are_told_apart() {
    for (status, code, expected) in [
        (401, 20003, "misconfigured"),
        (404, 20404, "misconfigured"),
        (400, 21606, "misconfigured"),
        (400, 21603, "misconfigured"),
        (403, 30002, "misconfigured"),
        (429, 63038, "misconfigured"),
        (400, 21211, "permanent"),
        (403, 21408, "permanent"),
        (400, 21610, "permanent"),
        (400, 21612, "permanent"),
        (400, 21614, "permanent"),
        (429, 20429, "retryable"),
        (429, 14107, "retryable"),
        (400, 30001, "retryable"),
        (500, 20500, "retryable"),
        (503, 20503, "retryable"),
    ] {
        let outcome = outcome(Act::error(status, code)).await;
        assert_eq!(name(&outcome), expected, "{status} {code}");
        let shown = format!("{outcome:?}");
        assert!(
            shown.contains(&code.to_string()) && !shown.contains("415"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_success_with_an_unreadable_body_is_a_success() {
    for body in [
        "".as_bytes(),
        b"<html>",
        b"\xff\xfe",
        b"[]",
        b"{\"sid\":7}",
        b"{\"sid\":\"a b\"}",
    ] {
        assert_eq!(outcome(Act::answer(201, &[], body)).await, accepted(""));
    }
    let cut_off = Act::Say(b"HTTP/1.1 201 X\r\ncontent-length: 100\r\n\r\n{\"sid\"".to_vec());
    assert_eq!(outcome(cut_off).await, accepted(""));
    assert_eq!(
        outcome(Act::answer(200, &[], r#"{"sid":"SM2"}"#)).await,
        accepted("SM2")
    );
}

#[tokio::test]
async fn garbage_is_judged_by_its_status() {
    let nested = "[".repeat(60_000);
    for (status, body, expected) in [
        (400, "", "permanent"),
        (400, "{\"code\":\"21211\"}", "permanent"),
        (401, "<html>Log in</html>", "misconfigured"),
        (403, "{\"code\":-1}", "misconfigured"),
        (429, "{\"code\":99999999999999999999}", "retryable"),
        (500, nested.as_str(), "retryable"),
        (502, "<html>Bad gateway</html>", "retryable"),
    ] {
        let outcome = outcome(Act::answer(status, &[], body)).await;
        assert_eq!(name(&outcome), expected, "{status} {body:.40}");
    }
    for garbage in ["", "\r\n\r\n", "not HTTP at all", "HTTP/1.1 abc\r\n\r\n"] {
        let outcome = outcome(Act::Say(garbage.as_bytes().to_vec())).await;
        assert_eq!(name(&outcome), "retryable", "{garbage:?}");
    }
}

#[tokio::test]
async fn a_pause_that_twilio_asks_for_is_told() {
    let Outcome::Retryable { after, reason } = outcome(Act::answer(429, &["retry-after: 7"], "")).await
    else {
        panic!("not retryable");
    };
    assert_eq!(after, Some(Duration::from_secs(7)));
    assert_eq!(
        (reason.kind, reason.status),
        (FailureKind::RateLimited, Some(429))
    );
}

#[tokio::test]
async fn no_answer_and_no_connection_may_be_tried_again() {
    let kind = |outcome: Outcome| match outcome {
        Outcome::Retryable { after: None, reason } => reason.kind,
        other => panic!("{other:?}"),
    };
    let began = Instant::now();
    assert_eq!(kind(outcome(Act::Hang).await), FailureKind::Timeout);
    assert!(began.elapsed() >= TIMEOUT);
    assert_eq!(kind(outcome(Act::Reset).await), FailureKind::Connection);

    let server = FakeProvider::start(Act::Hang).await;
    let unlistened = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for base in [
        format!("http://{unlistened}"),
        "http://no-such-host.invalid".to_owned(),
        // It speaks no TLS: as with a bad certificate, nothing is sent.
        format!("https://{}", server.address),
    ] {
        let twilio = client(base.clone(), "+15005550006");
        let outcome = within(Duration::from_secs(5), twilio.send(&message(TIMEOUT))).await;
        let Outcome::Retryable { reason, .. } = outcome else {
            panic!("{base}: {outcome:?}");
        };
        assert!(
            matches!(reason.kind, FailureKind::Connect | FailureKind::Timeout),
            "{base}: {reason}"
        );
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_credentials() {
    let target = FakeProvider::start(Act::answer(201, &[], r#"{"sid":"SM1"}"#)).await;
    let location = format!("location: {}/steal", target.url());
    for (status, expected) in [
        (301, "misconfigured"),
        (302, "retryable"),
        (303, "retryable"),
        (307, "retryable"),
        (308, "misconfigured"),
    ] {
        let outcome = outcome(Act::answer(status, &[&location], "")).await;
        assert_eq!(name(&outcome), expected, "{status}");
    }
    let connections = target.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(connections, 0, "somebody followed");
}

#[tokio::test]
async fn of_an_endless_body_little_is_read() {
    for (head, expected) in [
        ("HTTP/1.1 201 X\r\ncontent-length: 1073741824\r\n\r\n", "accepted"),
        (
            "HTTP/1.1 500 X\r\ncontent-length: 1073741824\r\n\r\n",
            "retryable",
        ),
        ("HTTP/1.1 400 X\r\n\r\n", "permanent"),
    ] {
        let server = FakeProvider::start(Act::Flood(head.into())).await;
        let twilio = client(server.url(), "+15005550006");
        let outcome = within(TIMEOUT, twilio.send(&message(Duration::from_secs(60)))).await;
        assert_eq!(name(&outcome), expected, "{head}");
        let flooded = server.flooded.load(std::sync::atomic::Ordering::SeqCst);
        assert!(flooded < 16 * 1024 * 1024, "{flooded} bytes went into it");
    }
}

#[test]
fn debug_shows_no_token_number_or_code() {
    let twilio = client("https://api.twilio.com".to_owned(), "+15005550006");
    let shown = format!("{twilio:?} {:?}", message(Duration::from_secs(60)));
    for secret in [TOKEN, "123456", "4152000001"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
