//! The service beside the simulator, as two programs: codes out, receipts back.

use std::net::TcpListener;

use serde_json::json;

use support::{
    service::{Folder, Service},
    simulator::{ACCOUNT, Simulator, TOKEN, until},
};

const PHONE: &str = "+14152000001";

/// A port that was free a moment ago: the service has to know its own address before it has one.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What becomes of a code, as the service learns it from receipts under this profile.
async fn told(receipts: serde_json::Value) -> String {
    let sim = Simulator::start(&["--account", ACCOUNT, "--token", TOKEN]);
    assert_eq!(sim.faults(&json!({ "receipts": [receipts] })).await, 204);
    let (folder, address) = (Folder::new(), free_address());
    let public = format!("http://{address}");
    let service = Service::start(
        &folder,
        &[
            ("RINGBACK__SERVER__BIND", &address),
            ("RINGBACK__SERVER__PUBLIC_URL", &public),
            ("RINGBACK__PASSWORDS__MEMORY_KIB", "8"),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_PHONE_NUMBER", "+15005550006"),
            ("TWILIO_BASE_URL", &sim.url),
        ],
    );
    let user = json!({ "email": "a@example.com", "phone": PHONE, "first_name": "A", "last_name": "B",
                       "password": "correct-horse-battery", "password_confirm": "correct-horse-battery" });
    let registered = service.post("/api/users/register/", user.to_string()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let access = registered.body["tokens"]["access"].as_str().unwrap().to_owned();
    let send = json!({ "phone": PHONE }).to_string();
    let sent = service.post_as("/api/users/send-phone-otp/", send, &access).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let settled = async || {
        let stats = sim.stats().await;
        stats["receipts"]["posted"].as_u64() > Some(1) && stats["receipts"]["pending"] == 0
    };
    until("the receipts are posted", settled).await;
    assert_eq!(
        sim.stats().await["receipts"]["refused"],
        0,
        "their signature is right: {}",
        service.said()
    );
    let status = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
    let answer = service.get_as(&status, &access).await;
    answer.text("status").to_owned()
}

#[tokio::test]
async fn receipts_tell_the_service_of_delivery() {
    let receipts = json!({ "sent": "50ms", "done": "50ms", "disordered": 1, "repeated": 1 });
    assert_eq!(told(receipts).await, "delivered");
}

#[tokio::test]
async fn receipts_tell_the_service_of_failure() {
    let receipts = json!({ "sent": "50ms", "done": "50ms", "undelivered": 1 });
    assert_eq!(told(receipts).await, "undelivered");
}
