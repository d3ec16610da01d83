//! What the log says to whoever is on call: an outage once, and each guess of a code.

use serde_json::{Value, json};
use support::service::{Folder, Service};

const PHONE: &str = "+14152007755";
const EMAIL: &str = "somebody.quieter@example.com";
const PASSWORD: &str = "correct-horse-battery";
const LOG: (&str, &str) = ("RINGBACK__TELEMETRY__FORMAT", "json");

fn lines(said: &str) -> Vec<Value> {
    said.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// All that it said, once it has ended.
fn end(service: Service) -> String {
    service.signal("TERM");
    service.end().2
}

/// What listens nowhere.
fn unheard() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn register(service: &Service) -> String {
    let body = json!({ "email": EMAIL, "phone": PHONE, "first_name": "Quiet", "last_name": "Somebody",
                       "password": PASSWORD, "password_confirm": PASSWORD });
    let registered = service.post("/api/users/register/", body.to_string()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    registered.body["tokens"]["access"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn redis_that_is_down_is_said_once_by_whoever_meets_it() {
    let folder = Folder::new();
    let redis = format!("redis://{}", unheard());
    let watched = ("RINGBACK__TELEMETRY__LOG", "info,ringback::delivery=debug");
    let mut service = Service::start(&folder, &[LOG, watched, ("REDIS_URL", &redis)]);
    for _ in 0..3 {
        let body = json!({ "phone": PHONE }).to_string();
        assert_eq!(service.post("/api/users/send-phone-otp/", body).await.status, 503);
    }
    // The dispatcher asks the outbox again and again.
    service.wait_for("two looks at the outbox", |said| {
        (said.matches("the outbox can't be asked").count() >= 2).then_some(())
    });
    let said = end(service);
    let warnings: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["level"] == "WARN" && line["message"].as_str() != Some("stopped"))
        .collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert_eq!(warnings[0]["part"], "redis", "{said}");
    assert!(
        warnings[0]["cause"].as_str().unwrap().contains("refused"),
        "{said}"
    );
}

#[actix_web::test]
async fn a_guessed_code_is_told_with_a_digest_of_its_address() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[LOG, ("RINGBACK__OTP__MAX_FAILURES", "4")]);
    register(&service).await;
    for (channel, address) in [("phone", PHONE), ("email", EMAIL)] {
        let send = json!({ channel: address }).to_string();
        let sent = service
            .post(&format!("/api/users/send-{channel}-otp/"), send)
            .await;
        assert_eq!(sent.status, 200, "{sent:?}");
        // Another address has no challenge: that is no guess of anybody's code.
        for _ in 0..4 {
            let guess = json!({ channel: address, "otp": "000000" }).to_string();
            service
                .post(&format!("/api/users/verify-{channel}-otp/"), guess)
                .await;
        }
    }
    let stranger = json!({ "phone": "+14152007756", "otp": "000000" }).to_string();
    service
        .post("/api/users/verify-phone-otp/", stranger)
        .await
        .is(400, "otp_expired");
    let said = end(service);
    let told: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["target"] == "ringback::security")
        .collect();
    let events: Vec<_> = told
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    let of_one = [
        "auth.code.wrong",
        "auth.code.wrong",
        "auth.code.attempts_exceeded",
        "auth.code.attempts_exceeded",
    ];
    assert_eq!(events, [of_one, of_one].concat(), "{said}");
    for (line, purpose) in told
        .iter()
        .zip([["verify_phone"; 4], ["verify_email"; 4]].concat())
    {
        assert_eq!(
            (&line["otp.purpose"], &line["client.network"]),
            (&json!(purpose), &json!("127.0.0.1"))
        );
        assert_eq!(line["address.digest"].as_str().unwrap().len(), 22, "{line}");
    }
    assert_ne!(told[0]["address.digest"], told[4]["address.digest"]);
    assert_eq!(told[0]["address.digest"], told[3]["address.digest"]);
    for secret in [&PHONE[1..], EMAIL, "000000"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[actix_web::test]
async fn a_lock_is_told() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[LOG, ("RINGBACK__OTP__MAX_FAILURES", "2")]);
    let access = register(&service).await;
    let send = json!({ "phone": PHONE }).to_string();
    let sent = service.post_as("/api/users/send-phone-otp/", send, &access).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    for status in [400, 400, 429] {
        let guess = json!({ "phone": PHONE, "otp": "000000" }).to_string();
        let answer = service
            .post_as("/api/users/verify-phone-otp/", guess, &access)
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let said = end(service);
    let locked: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["message"] == "auth.code.locked")
        .collect();
    assert_eq!(locked.len(), 1, "{said}");
    assert!(locked[0]["retry_after_s"].as_u64() > Some(3000), "{said}");
    assert!(locked[0]["user.id"].is_string(), "{said}");
}

#[actix_web::test]
async fn a_faulty_limits_file_is_one_error_whatever_it_lacks() {
    let folder = Folder::new();
    let file = folder.write("limits.toml", "");
    let limits = ("RINGBACK__LIMITS__FILE", file.to_str().unwrap());
    let mut service = Service::start(&folder, &[LOG, limits]);
    folder.write(
        "limits.toml",
        "[[rule]]\nid = \"a\"\non = \"nothing\"\n\n[[rule]]\nid = \"b\"\nby = \"chance\"\n",
    );
    service.wait_for("the refusal", |said| said.contains("is refused").then_some(()));
    let said = end(service);
    let errors: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    let faults = errors[0]["limits.faults"].as_str().unwrap();
    assert!(
        ["nothing", "chance"].iter().all(|fault| faults.contains(fault)),
        "{said}"
    );
}

#[actix_web::test]
async fn whoever_asks_for_nothing_but_readiness_finds_the_cause_in_the_log() {
    let folder = Folder::new();
    let database = format!("postgres://ringback@{}/ringback", unheard());
    let migrate = ("RINGBACK__DATABASE__MIGRATE", "false");
    let mut service = Service::start(&folder, &[LOG, migrate, ("DATABASE_URL", &database)]);
    assert_eq!(service.get("/readyz").await.status, 503);
    service.wait_for("the cause", |said| {
        said.contains("a part of the service is down").then_some(())
    });
    let said = end(service);
    let down: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["message"] == "a part of the service is down")
        .collect();
    assert_eq!(down.len(), 1, "{said}");
    assert_eq!(down[0]["part"], "database", "{said}");
}
