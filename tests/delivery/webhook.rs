//! What goes over the wire to a gateway of the operator's own.

use std::time::Duration;

use ringback::provider::Provider;
use serde_json::{Value, json};

use crate::{
    clients::{NOW, REFERENCE, accepted, message, webhook},
    fake_provider::{Act, FakeProvider},
};

#[tokio::test]
async fn the_request_says_whom_what_and_how_long_and_is_signed() {
    let server = FakeProvider::start(Act::answer(202, &[], "")).await;
    let client = webhook(format!("{}/gateway/sms", server.url()));
    let outcome = client.send(&message(Duration::from_millis(599_999))).await;
    assert_eq!(outcome, accepted(""));
    let request = server.last_request();
    assert_eq!(request.line, "POST /gateway/sms HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("webhook-id"), Some(REFERENCE.to_string().as_str()));
    assert_eq!(
        request.header("webhook-timestamp"),
        Some(NOW.to_string().as_str())
    );
    assert_eq!(request.header("authorization"), None);
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        body,
        json!({
            "id": REFERENCE,
            "to": "+14152000001",
            "body": "Ringback code: 123456. Don't & share it=ever.",
            "valid_for": 599,
            "at": "2026-10-21T08:00:00Z",
        })
    );
    // By Python's hmac over webhook-id, webhook-timestamp and the body, as docs/sms.md shows it.
    assert_eq!(
        request.header("webhook-signature"),
        Some("v1,dorCoXfCmIi3hp1uHOamnEcouW1TBVj05q9QvnvQINo=")
    );
}

#[tokio::test]
async fn each_try_has_the_same_id() {
    let server = FakeProvider::start(Act::answer(503, &[], "")).await;
    let client = webhook(server.url());
    for life in [60, 50] {
        client.send(&message(Duration::from_secs(life))).await;
    }
    let requests = server.requests.lock().unwrap();
    let ids: Vec<_> = requests
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test]
async fn any_2xx_is_taken_and_may_name_the_message() {
    for (status, body, id) in [
        (200, r#"{"id":"gw-17_a"}"#, "gw-17_a"),
        (201, r#"{"id":"a b"}"#, ""),
        (202, "<html>", ""),
        (204, "", ""),
    ] {
        let server = FakeProvider::start(Act::answer(status, &[], body)).await;
        let outcome = webhook(server.url())
            .send(&message(Duration::from_secs(60)))
            .await;
        assert_eq!(outcome, accepted(id), "{status} {body}");
    }
}
