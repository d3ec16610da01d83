//! Clients that hang up while Redis does what they asked for: it takes its effect all the same, and soon.

use crate::support::{Proxies, TestApp, Wire, eventually};

const PHONE: &str = "+14152000001";
/// A code that comes without an SMS, so that Redis hears nothing else about the phone meanwhile.
const CODE: &str = "123456";
const TEST_NUMBERS: [(&str, &str); 2] = [
    ("RINGBACK__TEST_NUMBERS__CODES", "+14152000001=123456"),
    ("RINGBACK__TEST_NUMBERS__UNTIL", "2999-12-31"),
];
const OTHER_PHONE: &str = "+14152000002";
/// Begins the key of every slot: what a code is issued and judged by.
const SLOT: &str = "}:o:";

/// Asks, and leaves once Redis has heard it and before the service hears of that.
async fn ask_and_hang_up(app: &TestApp, proxies: &Proxies, path: &str, body: serde_json::Value) {
    // From now on Redis knows the scripts.
    assert_eq!(app.send(OTHER_PHONE, None).await.status, 200);
    app.verify(OTHER_PHONE, CODE, None).await.is(400, "otp_invalid");
    let before = slots(app).await;
    proxies.redis.mute_at(SLOT);
    let body = body.to_string();
    let mut wire = Wire::open(&app.address).await;
    wire.say(format!(
        "POST /api/users/{path}/ HTTP/1.1\r\nHost: ringback\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}",
        length = body.len()
    ))
    .await;
    eventually("Redis to have done it", async || {
        (slots(app).await != before).then_some(())
    })
    .await;
    drop(wire);
    // Time enough for the service to see that the client is gone.
    for _ in 0..20 {
        assert_eq!(app.get("/healthz").await.status, 200);
    }
    proxies.redis.come_back();
}

async fn slots(app: &TestApp) -> String {
    let kept = app.dump_redis().await;
    let slots = kept.iter().filter(|kept| kept.key.contains(SLOT));
    slots
        .map(|kept| format!("{} {:?}\n", kept.key, kept.content))
        .collect()
}

#[actix_web::test]
async fn an_sms_is_sent_though_its_client_hung_up() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    app.register(PHONE).await;
    ask_and_hang_up(
        &app,
        &proxies,
        "send-phone-otp",
        serde_json::json!({ "phone": PHONE }),
    )
    .await;
    // Long before its lease ends and another may take it over.
    eventually("the SMS", async || app.messages().await.pop()).await;
}

#[actix_web::test]
async fn a_phone_is_verified_though_its_client_hung_up() {
    let (app, proxies) = TestApp::start_behind_proxies(&TEST_NUMBERS).await;
    let account = app.register(PHONE).await;
    assert_eq!(app.send(PHONE, None).await.status, 200);
    let body = serde_json::json!({ "phone": PHONE, "otp": CODE });
    ask_and_hang_up(&app, &proxies, "verify-phone-otp", body).await;
    eventually("the effect of the code", async || {
        app.is_verified(&account).await.then_some(())
    })
    .await;
}
