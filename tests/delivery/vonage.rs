//! What goes over the wire to Vonage, and what comes of its answers.

use std::time::Duration;

use ringback::{
    channel::MessageText,
    phone::PhoneNumber,
    provider::{FailureKind, Outcome, Provider},
    sms::SmsMessage,
};
use serde_json::{Value, json};

use crate::{
    clients::{REFERENCE, accepted, message, name, vonage},
    fake_provider::{Act, FakeProvider},
    within,
};

async fn outcome(act: Act) -> Outcome {
    let server = FakeProvider::start(act).await;
    let client = vonage(server.url(), "Ringback");
    within(
        Duration::from_secs(2),
        client.send(&message(Duration::from_secs(600))),
    )
    .await
}

/// An answer with a status for each part.
fn parts(statuses: &[&str]) -> Act {
    let part = |(index, status): (usize, &&str)| match *status {
        "0" => {
            json!({"to": "14152000001", "message-id": format!("0A{index}"), "status": "0", "network": "310260"})
        }
        status => json!({"status": status, "error-text": "…"}),
    };
    let parts: Vec<Value> = statuses.iter().enumerate().map(part).collect();
    Act::json(&json!({"message-count": parts.len().to_string(), "messages": parts}))
}

#[tokio::test]
async fn the_request_is_what_the_sms_api_asks_for() {
    let server = FakeProvider::start(parts(&["0"])).await;
    let client = vonage(format!("{}/sim/", server.url()), "+15005550006");
    let outcome = client.send(&message(Duration::from_millis(599_999))).await;
    assert_eq!(outcome, accepted("0A0"));
    let request = server.last_request();
    assert_eq!(request.line, "POST /sim/sms/json HTTP/1.1");
    // `printf '%s' 'abcd1234:the-token-of-the-account' | base64`
    assert_eq!(
        request.header("authorization"),
        Some("Basic YWJjZDEyMzQ6dGhlLXRva2VuLW9mLXRoZS1hY2NvdW50")
    );
    assert_eq!(
        request.body,
        format!(
            "from=15005550006&to=14152000001&text=Ringback+code%3A+123456.+Don%27t+%26+share+it%3Dever.\
             &type=text&ttl=599999&client-ref={REFERENCE}"
        )
    );
}

#[tokio::test]
async fn a_text_beyond_gsm_7_says_so_and_the_ttl_stays_in_bounds() {
    let server = FakeProvider::start(parts(&["0"])).await;
    let client = vonage(server.url(), "Ringback");
    for (text, millis, expected) in [
        ("Код 123456", 1, "&type=unicode&ttl=20000&"),
        ("コード 123456", 600_000, "&type=unicode&ttl=600000&"),
        ("Código: 123456", 999_999_999_999, "&type=unicode&ttl=604800000&"),
        ("Code: 123456 [€]", 60_000, "&type=text&ttl=60000&"),
    ] {
        let message = SmsMessage {
            reference: REFERENCE,
            to: PhoneNumber::from_stored("+14152000001".to_owned()),
            body: MessageText::new(text.to_owned()),
            valid_for: Duration::from_millis(millis),
        };
        client.send(&message).await;
        let body = server.last_request().body;
        assert!(body.contains(expected), "{text}: {body}");
    }
}

#[tokio::test]
async fn errors_are_told_apart_though_the_status_is_200() {
    for (code, expected) in [
        ("1", "retryable"),
        ("2", "misconfigured"),
        ("3", "permanent"),
        ("4", "misconfigured"),
        ("5", "retryable"),
        ("6", "permanent"),
        ("7", "permanent"),
        ("8", "misconfigured"),
        ("9", "misconfigured"),
        ("10", "retryable"),
        ("15", "permanent"),
        ("29", "permanent"),
        ("33", "permanent"),
        ("999", "retryable"),
    ] {
        let outcome = outcome(parts(&[code])).await;
        assert_eq!(name(&outcome), expected, "{code}: {outcome:?}");
        let shown = format!("{outcome:?}");
        assert!(shown.contains(&format!("Some({code})")), "{shown}");
    }
}

#[tokio::test]
async fn one_part_that_failed_is_a_message_that_failed() {
    assert_eq!(outcome(parts(&["0", "0", "0"])).await, accepted("0A0"));
    for (statuses, expected) in [
        (&["0", "1"][..], "retryable"),
        (&["0", "7", "1"], "permanent"),
        (&["9", "0"], "misconfigured"),
    ] {
        assert_eq!(name(&outcome(parts(statuses)).await), expected, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_none() {
    for act in [
        Act::answer(200, &[], ""),
        Act::answer(200, &[], "<html>"),
        Act::answer(200, &[], "{\"messages\":[]}"),
        Act::answer(200, &[], "{\"messages\":{\"status\":\"0\"}}"),
        parts(&["0", "ok"]),
        Act::Say(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"messages\":[{\"status\":\"0\"}]".to_vec()),
    ] {
        let said = format!("{act:.80?}");
        let Outcome::Retryable { reason, .. } = outcome(act).await else {
            panic!("{said}");
        };
        assert_eq!(reason.kind, FailureKind::Unreadable, "{said}");
    }
    let number = json!({"messages": [{"status": 0, "message-id": "a b"}]});
    assert_eq!(outcome(Act::json(&number)).await, accepted(""));
}

#[tokio::test]
async fn a_code_outweighs_the_http_status() {
    let body = json!({"messages": [{"status": "9"}]}).to_string();
    assert_eq!(
        name(&outcome(Act::answer(429, &[], &body)).await),
        "misconfigured"
    );
    let taken = json!({"messages": [{"status": "0"}]}).to_string();
    assert_eq!(name(&outcome(Act::answer(500, &[], taken)).await), "retryable");
}
