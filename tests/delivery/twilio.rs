//! What goes over the wire to Twilio, and what comes of its answers.

use std::time::Duration;

use ringback::provider::{Outcome, Provider};

use crate::{
    clients::{SID, accepted, message, name, twilio as client},
    fake_provider::{Act, FakeProvider},
    within,
};

async fn outcome(act: Act) -> Outcome {
    let server = FakeProvider::start(act).await;
    let twilio = client(server.url(), "+15005550006");
    within(
        Duration::from_secs(2),
        twilio.send(&message(Duration::from_secs(600))),
    )
    .await
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
        (400, 21603, "misconfigured"),
        (403, 30002, "misconfigured"),
        (429, 63038, "misconfigured"),
        (400, 21211, "permanent"),
        (403, 21408, "permanent"),
        (400, 21610, "permanent"),
        (400, 21606, "permanent"),
        (400, 21612, "permanent"),
        (400, 21659, "permanent"),
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
}
