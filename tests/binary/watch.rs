//! What the log says to whoever is on call: an outage once, and each guess of a code.

use serde_json::{Value, json};
use support::{
    Proxy,
    service::{Folder, Service},
};

use crate::production::{production, start};

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

const PRICES: &str = "currency = \"USD\"\ndated = \"2026-11-27\"\ndefault = \"0.1\"\n";
const RULE: &str = "[[rule]]\nid = 'one'\non = 'login'\nby = 'ip'\nquota = 1000\nper = '1h'\n";

#[actix_web::test]
async fn what_is_wrong_with_the_files_of_the_limits_shows_for_as_long_as_it_is_so() {
    let folder = Folder::new();
    let (mut variables, _provider) = production("info").await;
    for (name, file, text) in [
        ("RINGBACK__LIMITS__FILE", "limits.toml", RULE),
        ("RINGBACK__LIMITS__PRICES", "prices.toml", PRICES),
    ] {
        variables.insert(name, folder.write(file, text).to_str().unwrap().to_owned());
    }
    let mut service = start(&folder, &variables);
    assert_eq!(service.get("/readyz").await.body["warnings"], json!([]));
    // What is written, what the log says of it, and the warning.
    for (file, text, word, warning) in [
        (
            "prices.toml",
            "currency = 7\n",
            "the prices are refused",
            Some("file of prices: faulty, the prices of before are in force"),
        ),
        ("prices.toml", PRICES, "the prices are read", None),
        (
            "limits.toml",
            "[[rule]]\nid = 'two'\non = 'dancing'\n",
            "the limits file is refused",
            Some("limits file: faulty, the last good one is in force"),
        ),
        // As it is in force all the time.
        ("limits.toml", RULE, "the limits file is sound again", None),
        (
            "limits.toml",
            "",
            "the limits file has no rule",
            Some("limits file: it has no rule, nothing is limited"),
        ),
        ("limits.toml", RULE, "+ one", None),
    ] {
        folder.write(file, text);
        service.signal("HUP");
        service.wait_for(word, |said| said.contains(word).then_some(()));
        let mut warnings = json!(null);
        for _ in 0..500 {
            warnings = service.get("/readyz").await.body["warnings"].clone();
            if warnings == json!(Vec::from_iter(warning)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(warnings, json!(Vec::from_iter(warning)), "{word}");
    }
    end(service);
}

#[actix_web::test]
async fn a_database_that_nobody_asks_for_is_said_to_be_down_by_what_works_in_the_background() {
    let folder = Folder::new();
    let (mut variables, _provider) = production("info").await;
    let url: url::Url = variables["DATABASE_URL"].parse().unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::start(&server).await;
    let through = variables["DATABASE_URL"].replace(&server, &proxy.address.to_string());
    variables.insert("DATABASE_URL", through);
    // The proxy works on this thread, which must not wait.
    let starting = tokio::task::spawn_blocking(move || (start(&folder, &variables), folder));
    let (service, _folder) = starting.await.unwrap();
    assert_eq!(service.get("/readyz").await.status, 200);
    proxy.go_away();
    let is_it =
        |line: &Value| line["message"] == "a part of the service is down" && line["part"] == "database";
    let began = std::time::Instant::now();
    while !lines(&service.said()).iter().any(is_it) {
        assert!(began.elapsed().as_secs() < 30, "{}", service.said());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    proxy.come_back();
    let said = tokio::task::spawn_blocking(move || end(service)).await.unwrap();
    assert!(!said.contains("is back"), "too early to say: {said}");
}

#[actix_web::test]
async fn a_receiver_of_events_that_takes_none_is_said_once() {
    let folder = Folder::new();
    let hooks = format!(
        "[{{ name = \"crm\", url = \"http://{}/a-secret-path\", secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]",
        unheard()
    );
    let watched = ("RINGBACK__TELEMETRY__LOG", "info,ringback::events=debug");
    let mut service = Service::start(&folder, &[LOG, watched, ("RINGBACK__EVENTS__WEBHOOK", &hooks)]);
    for number in 1..=4 {
        let body = json!({ "email": format!("n{number}@example.com"), "phone": format!("+1415200776{number}"),
                           "first_name": "Quiet", "last_name": "Somebody",
                           "password": PASSWORD, "password_confirm": PASSWORD });
        let registered = service.post("/api/users/register/", body.to_string()).await;
        assert_eq!(registered.status, 201, "{registered:?}");
    }
    service.wait_for("four tries", |said| {
        (said.matches("an event was not taken").count() >= 4).then_some(())
    });
    let said = end(service);
    let told: Vec<_> = lines(&said)
        .into_iter()
        .filter(|line| line["message"] == "an event was not taken" && line["level"] == "WARN")
        .collect();
    assert_eq!(told.len(), 1, "{said}");
    assert_eq!(told[0]["error"], "connection refused", "{said}");
    let server = told[0]["webhook.server"].as_str().unwrap();
    assert!(server.starts_with("127.0.0.1:"), "{server}");
    assert!(!said.contains("a-secret-path"), "{said}");
}
