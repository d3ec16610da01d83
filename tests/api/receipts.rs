//! Twilio's receipts: believed when they are signed, harmless when they come twice, late or out of order.

use ringback::sms::twilio_signature;
use serde_json::Value;

use crate::support::{Account, Answer, Backends, Provider, TestApp, eventually};

const PUBLIC_URL: &str = "https://id.example.com";
const TOKEN: &str = "a-token-that-no-log-may-show";
const PHONE: &str = "+14152000001";
const NOBODYS: &str = "+14152000002";
const UNDELIVERED: [(&str, &str); 3] = [
    ("MessageStatus", "undelivered"),
    ("ErrorCode", "30003"),
    ("To", PHONE),
];

/// A service that asks Twilio for receipts; its requests come by another address than the world's, as from a proxy.
async fn start(backends: Backends) -> TestApp {
    let provider = Provider::start().await;
    let variables = [
        ("RINGBACK__SERVER__PUBLIC_URL", PUBLIC_URL),
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ("TWILIO_BASE_URL", &provider.url),
    ];
    let mut prepared = TestApp::prepare(backends, &variables).await;
    prepared.provider = Some(provider.into());
    prepared.start().await
}

/// The path of a challenge's receipts.
fn path(sent: &Answer) -> String {
    format!("/api/sms/receipts/twilio/{}/", sent.text("challenge_id"))
}

/// What these tests do with a service.
trait Receipts {
    async fn post_receipt(&self, path: &str, form: &[(&str, &str)], signature: Option<&str>) -> Answer;
    async fn receive(&self, path: &str, form: &[(&str, &str)]) -> Answer;
    async fn status_of(&self, sent: &Answer, token: Option<&str>) -> Value;
    async fn waits_for(&self, sent: &Answer, token: &str, status: &str);
    async fn sent_to_an_account(&self) -> (Account, Answer);
}

impl Receipts for TestApp {
    async fn post_receipt(&self, path: &str, form: &[(&str, &str)], signature: Option<&str>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.address)).form(form);
        Answer::of(match signature {
            Some(signature) => request.header("x-twilio-signature", signature),
            None => request,
        })
        .await
    }

    /// Posts what Twilio would.
    async fn receive(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let signature = twilio_signature(TOKEN, &format!("{PUBLIC_URL}{path}"), form);
        self.post_receipt(path, form, Some(&signature)).await
    }

    async fn status_of(&self, sent: &Answer, token: Option<&str>) -> Value {
        let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
        let answer = match token {
            Some(token) => self.get_as(&path, token).await,
            None => self.get(&path).await,
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut body = answer.body;
        body.as_object_mut().unwrap().remove("challenge_id");
        body
    }

    async fn waits_for(&self, sent: &Answer, token: &str, status: &str) {
        eventually(status, async || {
            (self.status_of(sent, Some(token)).await["status"] == status).then_some(())
        })
        .await;
    }

    async fn sent_to_an_account(&self) -> (Account, Answer) {
        let account = self.register(PHONE).await;
        let sent = self.send(PHONE, Some(&account.access)).await;
        self.waits_for(&sent, &account.access, "sent").await;
        (account, sent)
    }
}

#[actix_web::test]
async fn an_undelivered_sms_may_be_sent_again_at_once_by_its_user() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let (account, sent) = app.sent_to_an_account().await;
        let token = Some(account.access.as_str());
        let callback = (
            "StatusCallback".to_owned(),
            format!("{PUBLIC_URL}{}", path(&sent)),
        );
        assert!(app.provider.as_ref().unwrap().calls()[0].form.contains(&callback));
        app.send(PHONE, token).await.is(429, "resend_cooldown");

        assert_eq!(app.receive(&path(&sent), &UNDELIVERED).await.status, 204);
        let truth = serde_json::json!({ "channel": "sms", "status": "undelivered", "resend_after": 0 });
        assert_eq!(app.status_of(&sent, token).await, truth);
        let again = app.send(PHONE, token).await;
        assert_eq!(again.status, 200, "{again:?}");
        app.waits_for(&again, &account.access, "sent").await;
        app.send(PHONE, token).await.is(429, "resend_cooldown");
    }
}

#[actix_web::test]
async fn repeated_and_disordered_receipts_change_nothing() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let (account, sent) = app.sent_to_an_account().await;
        let token = Some(account.access.as_str());
        for (status, reached) in [
            ("queued", "sent"),
            ("sending", "sent"),
            ("delivered", "delivered"),
            ("sent", "delivered"),
            ("undelivered", "delivered"),
            ("delivered", "delivered"),
            ("failed", "delivered"),
            ("sorted out", "delivered"),
        ] {
            let form = [("MessageSid", "SM1"), ("MessageStatus", status)];
            assert_eq!(app.receive(&path(&sent), &form).await.status, 204, "{status}");
            assert_eq!(app.status_of(&sent, token).await["status"], reached, "{status}");
        }
        app.send(PHONE, token).await.is(429, "resend_cooldown");
        app.pass(600);
        assert_eq!(
            app.receive(&path(&sent), &UNDELIVERED).await.status,
            204,
            "expired"
        );
        for id in ["f47ac10b-58cc-4372-a567-0e02b2c3d479", "nonsense"] {
            let path = format!("/api/sms/receipts/twilio/{id}/");
            assert_eq!(app.receive(&path, &UNDELIVERED).await.status, 204, "{id}");
        }
    }
}

#[actix_web::test]
async fn a_forged_receipt_is_refused_and_changes_nothing() {
    let app = start(Backends::Servers).await;
    let (account, sent) = app.sent_to_an_account().await;
    let path = path(&sent);
    let sign = |token: &str, url: String, form: &[(&str, &str)]| twilio_signature(token, &url, form);
    let url = format!("{PUBLIC_URL}{path}");
    let good = sign(TOKEN, url.clone(), &UNDELIVERED);
    let other_form = [("MessageStatus", "delivered")];
    for (form, signature) in [
        (&UNDELIVERED[..], None),
        (&UNDELIVERED, Some(String::new())),
        (&UNDELIVERED, Some("ä".to_owned())),
        (&UNDELIVERED, Some(sign("another", url.clone(), &UNDELIVERED))),
        // For the address that the request came by.
        (
            &UNDELIVERED,
            Some(sign(TOKEN, format!("{}{path}", app.address), &UNDELIVERED)),
        ),
        (
            &UNDELIVERED,
            Some(sign(
                TOKEN,
                url.replace(sent.text("challenge_id"), "1"),
                &UNDELIVERED,
            )),
        ),
        (&other_form, Some(good.clone())),
        (&[], Some(good.clone())),
    ] {
        let answer = app.post_receipt(&path, form, signature.as_deref()).await;
        answer.is(403, "signature_invalid");
    }
    let truth = app.status_of(&sent, Some(&account.access)).await;
    assert_eq!(truth["status"], "sent");
    let long = "x".repeat(20_000);
    app.receive(&path, &[("MessageStatus", &long)])
        .await
        .is(413, "payload_too_large");
    app.get(&path).await.is(405, "method_not_allowed");
    assert_eq!(
        app.post_receipt(&path, &UNDELIVERED, Some(&good)).await.status,
        204
    );
}

#[actix_web::test]
async fn without_a_public_address_no_receipts_are_asked_for_or_taken() {
    let app = TestApp::start(Backends::Servers).await;
    let (_, sent) = app.sent_to_an_account().await;
    let form = &app.provider.as_ref().unwrap().calls()[0].form;
    assert!(form.iter().all(|(name, _)| name != "StatusCallback"), "{form:?}");
    app.receive(&path(&sent), &UNDELIVERED).await.is(404, "not_found");
}

/// Whatever became of it: a message that failed at once, one that was delivered, and none at all.
#[actix_web::test]
async fn without_its_users_token_every_challenge_has_the_status_of_the_schedule() {
    const CLAIMED: &str = "+14152000003";
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let (account, failed) = app.sent_to_an_account().await;
        app.receive(&path(&failed), &UNDELIVERED).await;
        let stranger = app.register(CLAIMED).await;
        let delivered = app.send(CLAIMED, None).await;
        app.receive(&path(&delivered), &[("MessageStatus", "delivered")])
            .await;
        let decoy = app.send(NOBODYS, None).await;
        let signed_in_decoy = app.send("+14152000004", Some(&stranger.access)).await;
        app.pass(2);
        let scheduled = async |sent, token| {
            let mut body = app.status_of(sent, token).await;
            let seconds = body["resend_after"].as_u64().unwrap();
            assert!((50..=60).contains(&seconds), "{seconds}");
            body["resend_after"] = Value::Null;
            body
        };
        let expected = serde_json::json!({ "channel": "sms", "status": "sent", "resend_after": null });
        for sent in [&failed, &delivered, &decoy, &signed_in_decoy] {
            for token in [None, Some(stranger.access.as_str())] {
                assert_eq!(scheduled(sent, token).await, expected);
            }
        }
        // Its user's token tells, and only of what was asked for with it.
        let token = Some(account.access.as_str());
        assert_eq!(app.status_of(&failed, token).await["status"], "undelivered");
        assert_eq!(scheduled(&delivered, token).await, expected);
    }
}

#[actix_web::test]
async fn a_receipt_that_meets_redis_away_is_asked_for_again() {
    let variables = [("RINGBACK__SERVER__PUBLIC_URL", PUBLIC_URL)];
    let (app, proxies) = TestApp::start_behind_proxies(&variables).await;
    let (account, sent) = app.sent_to_an_account().await;
    proxies.redis.go_away();
    app.receive(&path(&sent), &UNDELIVERED)
        .await
        .is(503, "unavailable");
    proxies.redis.come_back();
    eventually("Redis", async || {
        let answer = app.receive(&path(&sent), &UNDELIVERED).await;
        (answer.status == 204).then_some(())
    })
    .await;
    let truth = app.status_of(&sent, Some(&account.access)).await;
    assert_eq!(truth["status"], "undelivered");
}

#[actix_web::test]
async fn a_receipt_that_meets_redis_away_need_not_come_again() {
    let variables = [("RINGBACK__SERVER__PUBLIC_URL", PUBLIC_URL)];
    let (app, proxies) = TestApp::start_behind_proxies(&variables).await;
    let (account, sent) = app.sent_to_an_account().await;
    proxies.redis.go_away();
    app.receive(&path(&sent), &UNDELIVERED)
        .await
        .is(503, "unavailable");
    proxies.redis.come_back();
    eventually("Redis", async || {
        (app.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    app.waits_for(&sent, &account.access, "undelivered").await;
}
