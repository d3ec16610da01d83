//! Looking a message up at Twilio, over the wire.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::{DateTime, TimeZone, Utc};
use ringback::provider::{LookupResult, Provider};
use serde_json::{Value, json};

use crate::{
    clients::{SID, TIMEOUT, message, twilio as client},
    fake_provider::{Act, FakeProvider},
    within,
};

const FROM: &str = "+15005550006";

fn since() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2023, 8, 24, 5, 1, 45).unwrap()
}

/// A message of Twilio's list, as much of it as is looked at.
fn listed(body: &str) -> Value {
    json!({
        "sid": "SM0123456789abcdef0123456789abcdef",
        "to": "+14152000001",
        "from": FROM,
        "status": "queued",
        "direction": "outbound-api",
        "date_created": "Thu, 24 Aug 2023 05:01:46 +0000",
        "date_sent": null,
        "body": body,
    })
}

fn page(messages: Value, next: Option<&str>) -> Act {
    Act::json(&json!({"messages": messages, "next_page_uri": next, "page": 0}))
}

async fn look_up(server: &FakeProvider) -> LookupResult {
    let twilio = client(server.url(), FROM);
    let message = message(Duration::from_secs(600));
    within(Duration::from_secs(5), twilio.look_up(&message, since())).await
}

async fn found(act: Act) -> LookupResult {
    look_up(&FakeProvider::start(act).await).await
}

fn taken() -> LookupResult {
    LookupResult::Taken {
        provider_id: "SM0123456789abcdef0123456789abcdef".to_owned(),
    }
}

#[tokio::test]
async fn the_newest_messages_to_the_number_are_asked_for_and_the_code_decides() {
    let ours = listed("Ringback code: 123456. It expires in 9 minutes.");
    let server = FakeProvider::start(page(json!([listed("Ringback code: 654321."), ours]), None)).await;
    assert_eq!(look_up(&server).await, taken());
    let request = server.last_request();
    assert_eq!(
        request.line,
        format!("GET /2010-04-01/Accounts/{SID}/Messages.json?To=%2B14152000001&PageSize=20 HTTP/1.1")
    );
    assert!(request.header("authorization").unwrap().starts_with("Basic "));
    assert!(!format!("{request:?}").contains("123456"), "the code went out");

    assert_eq!(found(page(json!([]), None)).await, LookupResult::NotTaken);
    let other = page(json!([listed("Ringback code: 654321.")]), None);
    assert_eq!(found(other).await, LookupResult::NotTaken);
}

#[tokio::test]
async fn a_next_page_is_asked_for_at_the_same_place_and_so_are_few() {
    let elsewhere = FakeProvider::start(Act::Hang).await;
    let next = format!("{}/steal?Page=1&PageToken=PASM1", elsewhere.url());
    let full = page(json!([listed("Ringback code: 654321.")]), Some(&next));
    let ours = page(json!([listed("Ringback code: 123456.")]), None);
    let server = FakeProvider::follow(vec![full.clone(), ours]).await;
    assert_eq!(look_up(&server).await, taken());
    let line = server.last_request().line;
    assert!(
        line.contains("Messages.json?To=%2B14152000001&PageSize=20&Page=1&PageToken=PASM1 "),
        "{line}"
    );

    let endless = FakeProvider::start(full).await;
    assert_eq!(look_up(&endless).await, LookupResult::Unknown);
    assert_eq!(endless.requests.lock().unwrap().len(), 3);
    assert_eq!(
        elsewhere.connections.load(Ordering::SeqCst),
        0,
        "somebody followed"
    );
}

/// Each page in time, and all of them not.
#[tokio::test]
async fn slow_pages_have_one_bound_together() {
    let Act::Say(bytes) = page(
        json!([listed("Ringback code: 654321.")]),
        Some("/x?Page=1&PageToken=PASM1"),
    ) else {
        panic!("no answer");
    };
    let server = FakeProvider::start(Act::SayLate(TIMEOUT * 7 / 10, bytes)).await;
    assert_eq!(look_up(&server).await, LookupResult::Unknown);
    let asked = server.requests.lock().unwrap().len();
    assert!(asked < 3, "{asked} pages in a time that is enough for one");
}

#[tokio::test]
async fn an_answer_that_tells_nothing_is_none() {
    let long = "x".repeat(100_000);
    for act in [
        Act::error(401, 20003),
        Act::error(429, 20429),
        Act::error(500, 20500),
        Act::answer(200, &[], "<html>"),
        Act::answer(200, &[], "{\"messages\": 7}"),
        Act::answer(200, &[], "[".repeat(60_000)),
        Act::answer(302, &["location: http://127.0.0.1:9/"], ""),
        page(json!([listed(&long)]), None),
        Act::Say(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"messages\": []".to_vec()),
        Act::Flood(b"HTTP/1.1 200 X\r\n\r\n".to_vec()),
        Act::Drip(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
        Act::Hang,
        Act::Reset,
        Act::Shut,
    ] {
        let said = format!("{act:.60?}");
        assert_eq!(found(act).await, LookupResult::Unknown, "{said}");
    }
}
