//! Receipts: signed, in order or not, and bounded.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use ringback::sms::twilio_signature;
use serde_json::{Value, json};

use support::simulator::{ACCOUNT, Simulator, TOKEN, until};

type Form = Vec<(String, String)>;

/// Whoever gets the receipts.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, Form)>>>,
    refusals: Arc<AtomicU32>,
}

impl Receiver {
    /// Answers the first so many receipts with 503.
    fn start(refusals: u32) -> (Self, String) {
        let receiver = Self::default();
        receiver.refusals.store(refusals, Ordering::SeqCst);
        let shared = web::Data::new(receiver.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(receive))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/receipts/1/?a=b", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        (receiver, url)
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    fn field(&self, name: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(_, form)| value(form, name)).collect()
    }
}

fn value(form: &Form, name: &str) -> String {
    let mut fields = form.iter();
    fields
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

async fn receive(receiver: web::Data<Receiver>, request: HttpRequest, form: web::Form<Form>) -> HttpResponse {
    let left = &receiver.refusals;
    if left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
    {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let signature = request.headers().get("x-twilio-signature").unwrap();
    let signature = signature.to_str().unwrap();
    let mut got = receiver.got.lock().unwrap();
    got.push((signature.to_owned(), form.into_inner()));
    HttpResponse::NoContent().finish()
}

async fn send(sim: &Simulator, to: &str, callback: &str) -> Value {
    let form = [
        ("To", to),
        ("From", "+15005550006"),
        ("Body", "x"),
        ("StatusCallback", callback),
    ];
    sim.send(&form).await.unwrap().json().await.unwrap()
}

fn quick(rules: Value) -> Value {
    let mut quick = json!({ "sent": "50ms", "done": "50ms", "late_by": "10ms" });
    for (name, value) in rules.as_object().unwrap() {
        quick[name] = value.clone();
    }
    json!({ "receipts": [quick] })
}

#[actix_web::test]
async fn each_status_is_posted_and_signed() {
    let sim = Simulator::start(&[]);
    let (receiver, url) = Receiver::start(0);
    sim.faults(&quick(json!({}))).await;
    let sent = send(&sim, "+14152000001", &url).await;
    until("three receipts", async || receiver.count() == 3).await;
    assert_eq!(receiver.field("MessageStatus"), ["queued", "sent", "delivered"]);
    for (signature, form) in receiver.got.lock().unwrap().iter() {
        let params: Vec<_> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(*signature, twilio_signature(TOKEN, &url, &params));
        assert_eq!(value(form, "MessageSid"), sent["sid"].as_str().unwrap());
        assert_eq!(value(form, "AccountSid"), ACCOUNT);
        assert_eq!(value(form, "To"), "+14152000001");
        assert_eq!(value(form, "ErrorCode"), "");
    }
    let settled = async || sim.stats().await["receipts"]["pending"] == 0;
    until("nothing is pending", settled).await;
    assert_eq!(sim.stats().await["receipts"]["posted"], 3);
}

#[actix_web::test]
async fn failures_tell_their_code() {
    let sim = Simulator::start(&[]);
    let (receiver, url) = Receiver::start(0);
    let profile = json!({ "receipts": [
        { "to": ["+1999*"], "sent": "1ms", "done": "20ms", "undelivered": 1, "codes": [30003] },
        { "sent": "1ms", "done": "20ms", "failed": 1, "codes": [30008] },
    ] });
    sim.faults(&profile).await;
    send(&sim, "+19992000001", &url).await;
    until("three receipts", async || receiver.count() == 3).await;
    assert_eq!(receiver.field("MessageStatus")[2], "undelivered");
    assert_eq!(receiver.field("ErrorCode")[2], "30003");
    send(&sim, "+14152000001", &url).await;
    until("two more", async || receiver.count() == 5).await;
    assert_eq!(receiver.field("MessageStatus")[3..], ["queued", "failed"]);
    assert_eq!(receiver.field("ErrorCode")[4], "30008");
    assert_eq!(sim.taken().await[0]["error_code"], 30008);
}

#[actix_web::test]
async fn receipts_come_disordered_again_late_or_never() {
    let sim = Simulator::start(&[]);
    let (receiver, url) = Receiver::start(0);
    sim.faults(&quick(json!({ "disordered": 1, "repeated": 1, "late": 1 })))
        .await;
    send(&sim, "+14152000001", &url).await;
    until("six receipts", async || receiver.count() == 6).await;
    assert_eq!(
        receiver.field("MessageStatus"),
        ["delivered", "sent", "queued", "delivered", "sent", "queued"]
    );
    sim.faults(&quick(json!({ "lost": 1 }))).await;
    send(&sim, "+14152000001", &url).await;
    sim.faults(&quick(json!({}))).await;
    send(&sim, "+14152000001", &url).await;
    until("three more", async || receiver.count() == 9).await;
}

#[actix_web::test]
async fn a_receipt_that_is_not_taken_is_posted_again_and_given_up() {
    let sim = Simulator::start(&[]);
    let (receiver, url) = Receiver::start(2);
    let profile = json!({ "receipts": [{ "sent": "1h", "done": "0s", "tries": 2 }] });
    sim.faults(&profile).await;
    // One receipt is due now; the others in an hour.
    send(&sim, "+14152000001", &url).await;
    let given_up = async || sim.stats().await["receipts"]["given_up"] == 1;
    until("given up", given_up).await;
    assert_eq!(receiver.count(), 0);
    send(&sim, "+14152000001", &url).await;
    until("one receipt", async || receiver.count() == 1).await;
    // The receiver knows of it before the simulator hears its answer.
    let noted = async || sim.stats().await["receipts"]["pending"] == 4;
    until("noted", noted).await;
    assert_eq!(sim.stats().await["receipts"]["refused"], 2);
}

#[actix_web::test]
async fn receipts_beyond_the_bound_are_dropped() {
    let sim = Simulator::start(&["--receipts", "4"]);
    let profile = json!({ "receipts": [{ "sent": "1h", "done": "0s" }] });
    sim.faults(&profile).await;
    let (receiver, url) = Receiver::start(0);
    for _ in 0..3 {
        send(&sim, "+14152000001", &url).await;
    }
    let dropped = async || sim.stats().await["receipts"]["dropped"].as_u64() > Some(0);
    until("dropped", dropped).await;
    assert!(sim.stats().await["receipts"]["pending"].as_u64() <= Some(4));
    assert!(receiver.count() <= 3);
    assert_eq!(sim.stats().await["accepted"], 3);
}
