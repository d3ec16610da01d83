//! Promise 2: after a day's work, no copy of anything that the service keeps or writes holds a code, and none but the
//! users' table holds a phone number or an e-mail address.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::support::{
    Account, Answer, Backends, Process, Secrets, TestApp, digits, eventually, hex, registration,
};

/// Codes of ten digits, so that no time or port looks like one by chance; everything is logged that can be.
const SETTINGS: [(&str, &str); 8] = [
    // What could not be sent comes back within the test.
    ("RINGBACK__DELIVERY__LEASE", "3s"),
    ("RINGBACK__OTP__LENGTH", "10"),
    ("RINGBACK__OTP__RESEND_COOLDOWN", "0s"),
    ("RINGBACK__TOKENS__REFRESH_GRACE", "0s"),
    ("RINGBACK__TELEMETRY__LOG", "trace"),
    ("RINGBACK__TELEMETRY__FORMAT", "json"),
    ("RINGBACK__DELIVERY__MAX_TRIES", "20"),
    ("RINGBACK__PASSWORDS__QUEUE", "64"),
];

struct Session {
    app: TestApp,
    secrets: Secrets,
}

impl Session {
    async fn post(&mut self, path: &str, body: serde_json::Value, token: Option<&str>) -> Answer {
        let answer = self.app.post_as(path, body, token).await;
        self.secrets.add_tokens(&answer);
        answer
    }

    async fn register(&mut self, number: usize) -> (Account, String) {
        let (email, phone) = (
            format!("Some.Body{number}@private.example"),
            format!("+1415209{number:04}"),
        );
        let password = format!("tr0ub4dor & {number} friends");
        let mut body = registration(&email, &phone);
        body["password"] = json!(password);
        body["password_confirm"] = json!(password);
        let answer = self.post("/api/users/register/", body, None).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.secrets.add_email(&email);
        self.secrets.add_phone(&phone);
        self.secrets.add("password", &password);
        let text = |pointer: &str| answer.body.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let account = Account {
            email,
            phone,
            id: text("/user/id"),
            access: text("/tokens/access"),
            refresh: text("/tokens/refresh"),
        };
        (account, password)
    }

    async fn code(&mut self, phone: &str, token: Option<&str>) -> String {
        let code = self.app.code(phone, token).await;
        self.secrets.add_code(&code);
        code
    }

    /// One code by e-mail: guessed, entered, entered again; and one for an address that nobody has.
    async fn prove_email(&mut self, account: &Account, wrong: &str, token: Option<&str>, number: usize) {
        let otp = "/api/users/verify-email-otp/";
        let code = self.app.email_code(&account.email, token).await;
        self.secrets.add_code(&code);
        let body = |code: &str| json!({ "email": account.email, "otp": code });
        self.post(otp, body(wrong), token).await.is(400, "otp_invalid");
        let crossed = json!({ "phone": account.phone, "otp": code });
        let answer = self.post("/api/users/verify-phone-otp/", crossed, token).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(self.post(otp, body(&code), token).await.status, 200);
        self.post(otp, body(&code), token).await.is(400, "otp_expired");
        let unknown = format!("No.Body{number}@nowhere.example");
        self.secrets.add_email(&unknown);
        let ask = json!({ "email": unknown });
        let answer = self.post("/api/users/send-email-otp/", ask, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// One user, from the registration to the end of his session, with all that may go wrong on the way.
    async fn live(&mut self, number: usize) {
        let (account, password) = self.register(number).await;
        let phone = account.phone.clone();
        let token = Some(account.access.as_str());
        let otp = "/api/users/verify-phone-otp/";
        // Like no run of zeros or nines that a number in a metric may have.
        let wrong = format!("83{:08}", 17_263_945 + 1_234_567 * number);
        self.secrets.add_code(&wrong);
        let asker = token.filter(|_| number.is_multiple_of(2));
        self.prove_email(&account, &wrong, asker, number).await;
        // The even ones prove their phone without a token, the odd ones ask again with one.
        let asks = if number.is_multiple_of(2) {
            vec![None]
        } else {
            vec![None, token]
        };
        let last = asks.len() - 1;
        for (index, token) in asks.into_iter().enumerate() {
            let code = self.code(&phone, token).await;
            self.post(otp, json!({ "phone": phone, "otp": wrong }), token)
                .await
                .is(400, "otp_invalid");
            if index == last {
                let right = json!({ "phone": phone, "otp": code });
                assert_eq!(self.post(otp, right.clone(), token).await.status, 200);
                assert_eq!(self.post(otp, right, None).await.status, 400);
            }
        }
        let unknown = format!("+1415208{number:04}");
        self.secrets.add_phone(&unknown);
        assert_eq!(
            self.post("/api/users/send-phone-otp/", json!({ "phone": unknown }), token)
                .await
                .status,
            200
        );
        let login = "/api/users/login/";
        self.post(
            login,
            json!({ "email": account.email, "password": password }),
            None,
        )
        .await;
        self.post(login, json!({ "phone": phone, "password": password }), None)
            .await;
        self.post(
            login,
            json!({ "phone": phone, "password": format!("{password}!") }),
            None,
        )
        .await
        .is(401, "invalid_credentials");
        // Refused, but read: what is wrong must not be repeated.
        let again = registration(&account.email, &phone);
        self.post("/api/users/register/", again, None)
            .await
            .is(409, "email_taken");
        let weird = json!({ "phone": format!("{phone}x"), "otp": password, "challenge_id": account.refresh });
        self.post(otp, weird, None).await.is(400, "validation_failed");
        let rubbish = self
            .app
            .request("POST", login)
            .header("content-type", "application/json");
        Answer::of(rubbish.body(format!("{{\"phone\": \"{phone}\", \"password\": \"{password}\"")))
            .await
            .is(400, "malformed_json");
        for path in [
            format!("/api/users/{phone}"),
            format!("/api/users/me/?phone={phone}&token={}", account.access),
        ] {
            Answer::of(self.app.request("GET", &path)).await;
        }
        self.app
            .get_as("/api/users/me/", &format!("{}x", account.access))
            .await
            .is(401, "token_invalid");
        assert_eq!(
            self.app.get_as("/api/users/me/", &account.access).await.status,
            200
        );
        let refresh = json!({ "refresh": account.refresh });
        let path = "/api/users/token/refresh/";
        let next = self.post(path, refresh.clone(), None).await;
        assert_eq!(next.status, 200);
        // Once its successor was shown, an old one is a thief's.
        let next = json!({ "refresh": next.body["tokens"]["refresh"] });
        assert_eq!(self.post(path, next, None).await.status, 200);
        self.post(path, refresh, None).await.is(401, "token_revoked");
        let signed_in = self
            .post(
                login,
                json!({ "email": account.email, "password": password }),
                None,
            )
            .await;
        let access = signed_in.body["tokens"]["access"].as_str().unwrap().to_owned();
        assert_eq!(
            self.post("/api/users/logout/", json!({}), Some(&access))
                .await
                .status,
            204
        );
    }
}

/// The work of a few users, on a service that logs all it can.
async fn a_day(backends: Backends) -> (Process, Session) {
    let (process, app) = TestApp::prepare(backends, &SETTINGS).await.spawn().await;
    let mut secrets = Secrets::default();
    secrets.add("secret", &app.secret());
    let mut session = Session { app, secrets };
    for number in 0..6 {
        session.live(number).await;
    }
    (process, session)
}

#[actix_web::test]
async fn nothing_that_real_servers_keep_tells_a_secret() {
    let (mut process, mut session) = a_day(Backends::Servers).await;
    session.secrets.add("auth token", "a-token-that-no-log-may-show");
    let basic = BASE64_STANDARD.encode("AC00000000000000000000000000000000:a-token-that-no-log-may-show");
    session.secrets.add("auth token", &basic);
    // An SMS that is owed while all is read: its provider fails, in each way that is told in the log.
    let provider = session.app.provider.clone().unwrap();
    let (account, _) = session.register(90).await;
    for (status, code) in [(400, 21211), (401, 20003), (503, 20503)] {
        provider.fail(Some((status, code)));
        let before = provider.refused();
        session.app.send(&account.phone, None).await;
        eventually("a refusal", async || (provider.refused() > before).then_some(())).await;
    }
    let owed = session.app.dump_redis().await;
    assert!(owed.iter().any(|kept| kept.is_outbox()), "{owed:?}");
    assert_redis_tells_nothing(&session.secrets, &owed);
    let before = provider.messages().len();
    provider.fail(None);
    let (_, body) = eventually("the SMS", async || provider.messages().get(before).cloned()).await;
    session.secrets.add_code(&digits(&body));
    eventually("an empty outbox", async || {
        let kept = session.app.dump_redis().await;
        kept.iter().all(|kept| !kept.is_outbox()).then_some(())
    })
    .await;

    let kept = session.app.dump_redis().await;
    assert!(kept.len() > 12, "the session left its traces: {kept:?}");
    assert_redis_tells_nothing(&session.secrets, &kept);
    let database = session.app.dump_database().await;
    assert!(
        database.contains(&account.id) && database.contains("refresh_hash"),
        "{database}"
    );
    session.secrets.assert_absent("PostgreSQL", &database, true);
    let metrics = session.app.metrics_text().await;
    assert!(metrics.contains("ringback_otp_verdicts_total"), "{metrics}");
    session.secrets.assert_absent("/metrics", &metrics, true);
    assert!(process.terminate().await.success());
    assert_log_tells_nothing(&process, &session.secrets);
}

#[actix_web::test]
async fn nothing_that_the_embedded_parts_keep_tells_a_secret() {
    let (mut process, session) = a_day(Backends::Embedded).await;
    session
        .secrets
        .assert_absent("/metrics", &session.app.metrics_text().await, true);
    assert!(process.terminate().await.success());
    let mut files = 0;
    for entry in std::fs::read_dir(session.app.folder.0.join("data")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("secret") {
            let content = std::fs::read(&path).unwrap();
            // The users' table is in there: personal it may be.
            for text in [String::from_utf8_lossy(&content).into_owned(), hex(&content)] {
                session.secrets.assert_absent("SQLite", &text, false);
            }
            files += 1;
        }
    }
    assert!(files > 0);
    assert_log_tells_nothing(&process, &session.secrets);
}

#[actix_web::test]
async fn whatever_is_kept_in_redis_goes_by_itself() {
    let app = TestApp::start(Backends::Servers).await;
    let rules = ["phone", "ip", "user", "country", "prefix", "global"].map(|by| {
        let rule = |on: &str| {
            format!(
                "[[rule]]\nid = '{by}-{}'\non = '{on}'\nby = '{by}'\nquota = 50\nper = '1d'\n",
                on.len()
            )
        };
        rule("otp.send") + &rule("otp.verify")
    });
    app.limit(&rules.concat()).await;
    let phone = "+14152000001";
    let account = app.register(phone).await;
    for token in [None, Some(account.access.as_str())] {
        let code = app.code(phone, token).await;
        for _ in 0..4 {
            app.verify(phone, &crate::support::wrong(&code), token).await;
        }
        app.pass(60);
    }
    eventually("an empty outbox", async || {
        let kept = app.dump_redis().await;
        kept.iter().all(|kept| !kept.is_outbox()).then_some(())
    })
    .await;
    let kept = app.dump_redis().await;
    assert!(
        kept.len() >= 9,
        "two slots, and a record for each whom a rule counts: {kept:?}"
    );
    for kept in kept {
        let day = 24 * 3600;
        assert!(kept.expires_in.is_some_and(|left| left <= day), "{kept:?}");
    }
}

#[track_caller]
fn assert_redis_tells_nothing(secrets: &Secrets, kept: &[crate::support::Kept]) {
    for kept in kept {
        assert!(
            kept.expires_in.is_some() || kept.is_outbox(),
            "stays for ever: {kept:?}"
        );
        secrets.assert_absent("Redis", &kept.key, true);
        for part in &kept.content {
            secrets.assert_absent("Redis", &String::from_utf8_lossy(part), true);
            secrets.assert_absent("Redis", &hex(part), true);
            secrets.assert_absent("Redis", &BASE64_STANDARD.encode(part), true);
        }
    }
}

#[track_caller]
fn assert_log_tells_nothing(process: &Process, secrets: &Secrets) {
    let log = process.output();
    let requests = log.matches("/api/users/verify-phone-otp").count();
    assert!(requests >= 6 * 4, "{requests} verifications are logged");
    let requests = log.matches("/api/users/verify-email-otp").count();
    assert!(
        requests >= 6 * 3,
        "{requests} verifications of e-mail addresses are logged"
    );
    secrets.assert_absent("the log", &log, true);
}
