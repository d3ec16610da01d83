//! Codes by e-mail through a real mail server, which is killed in the middle; and the limits that hold for them.

use std::time::{Duration, Instant};

use ringback::mail::SmtpTls;
use serde_json::json;

use crate::support::{
    Account, Backends, Secrets, TestApp, eventually, hex, mail_server::MailServer, on_both,
};

const PHONE: &str = "+14152000001";

/// A service that sends by this server. Its codes have ten digits: nothing else looks like one by chance.
async fn sending_by(server: &MailServer, backends: Backends) -> TestApp {
    let url = format!("smtp://localhost:{}", server.port);
    let variables = [
        ("SMTP_URL", url.as_str()),
        ("RINGBACK__MAIL__FROM", "Ringback <no-reply@example.com>"),
        ("RINGBACK__DELIVERY__LEASE", "3s"),
        ("RINGBACK__OTP__LENGTH", "10"),
    ];
    TestApp::start_with(backends, &variables).await
}

async fn has_verified_email(app: &TestApp, account: &Account) -> bool {
    let me = app.get_as("/api/users/me/", &account.access).await;
    me.body["email_verified"] == true
}

/// The server dies with the whole e-mail in its hands, before it said that it has it.
async fn the_server_is_killed(backends: Backends) {
    let killed = MailServer::start("killed", SmtpTls::None);
    let (port, app) = (killed.port, sending_by(&killed, backends).await);
    let account = app.register(PHONE).await;
    let sent = app.send_email(&account.email, Some(&account.access)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let lost = eventually("the e-mail that is lost", async || killed.codes().pop()).await;
    drop(killed);
    // For as long as it is down, the e-mail is kept, and tells nothing to who reads along.
    eventually("the end of the lost call", async || {
        let failed = app
            .metric("ringback_delivery_calls_total", &["smtp", "unanswered"])
            .await;
        (failed >= 1.0).then_some(())
    })
    .await;
    if app.provider.is_some() {
        let mut secrets = Secrets::default();
        secrets.add_email(&account.email);
        secrets.add_code(&lost);
        let kept = app.dump_redis().await;
        assert!(kept.iter().any(|kept| kept.is_outbox()), "{kept:?}");
        for part in kept.iter().flat_map(|kept| &kept.content) {
            secrets.assert_absent("Redis", &String::from_utf8_lossy(part), true);
            secrets.assert_absent("Redis", &hex(part), true);
        }
    }
    let back = MailServer::start_at(port, "good", SmtpTls::None);
    let code = eventually("the e-mail", async || back.codes().pop()).await;
    assert_eq!(code, lost, "the same challenge, so the same code");
    assert_eq!(back.mails(1)[0]["to"][0], account.email);
    let answer = app
        .verify_email(&account.email, &code, Some(&account.access))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(has_verified_email(&app, &account).await);
    let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
    eventually("its status", async || {
        let status = app.get_as(&path, &account.access).await;
        (status.body["status"] == "sent").then_some(())
    })
    .await;
    assert_eq!(back.mails(1).len(), 1, "once it was taken, it comes no more");
}

#[actix_web::test]
async fn an_email_outlives_its_server_on_the_embedded_parts() {
    the_server_is_killed(Backends::Embedded).await;
}

#[actix_web::test]
async fn an_email_outlives_its_server_on_real_servers() {
    the_server_is_killed(Backends::Servers).await;
}

/// Strangers name addresses that the server has this fault for. Each call counts as `result`, and everybody else's e-mail
/// goes out as before.
async fn strangers_hold_nobody_up(fault: &str, result: &str) {
    const STRANGERS: usize = 40;
    let server = MailServer::start("by-recipient", SmtpTls::None);
    let app = sending_by(&server, Backends::Embedded).await;
    for number in 0..STRANGERS {
        let body = json!({ "email": format!("x{number}@{fault}.x{number}.example") });
        let answer = app.post("/api/users/register/code/", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    eventually("the server's word on all of them", async || {
        let calls = app.metric("ringback_delivery_calls_total", &["smtp"]).await;
        (calls >= STRANGERS as f64).then_some(())
    })
    .await;
    let account = app.register(PHONE).await;
    let began = Instant::now();
    let sent = app.send_email(&account.email, Some(&account.access)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    eventually("the e-mail", async || server.codes().pop()).await;
    assert!(began.elapsed() < Duration::from_secs(2), "at once");
    let calls = app
        .metric("ringback_delivery_calls_total", &["smtp", result])
        .await;
    assert!(calls >= STRANGERS as f64, "{calls}");
    let turns = app
        .metric("ringback_delivery_breaker_turns_total", &["smtp"])
        .await;
    assert_eq!(turns, 0.0, "the server works");
}

#[actix_web::test]
async fn who_names_addresses_that_are_put_off_holds_nobody_up() {
    strangers_hold_nobody_up("greylisted", "put_off").await;
}

#[actix_web::test]
async fn who_names_addresses_that_a_policy_refuses_holds_nobody_up() {
    strangers_hold_nobody_up("relay-denied", "refused").await;
}

#[actix_web::test]
async fn an_address_with_dots_anywhere_has_its_code() {
    let server = MailServer::start("good", SmtpTls::None);
    let app = sending_by(&server, Backends::Embedded).await;
    for email in ["a.@example.org", ".a@example.org", "a..b@example.org"] {
        let before = server.mails(0).len();
        let sent = app
            .post("/api/users/register/code/", json!({ "email": email }))
            .await;
        assert_eq!(sent.status, 200, "{sent:?}");
        let mail = eventually("the e-mail", async || server.mails(before).get(before).cloned()).await;
        assert_eq!(mail["to"][0], email);
    }
}

on_both! {
    async fn the_shipped_rules_give_an_address_five_codes_at_once(app) {
        app.limit(include_str!("../../config/limits.toml")).await;
        let (account, other) = (app.register(PHONE).await, app.register("+14152000002").await);
        for email in [account.email.as_str(), "nobody@example.com"] {
            for _ in 0..5 {
                let answer = app.send_email(email, None).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                app.pass(60);
            }
            // However it is written, and whoever asks.
            let answer = app.send_email(&email.to_uppercase(), None).await;
            answer.is(429, "rate_limited");
            assert_eq!(answer.text("rule"), "otp-send-per-email-day");
        }
        assert_eq!(app.send_email(&other.email, None).await.status, 200);
        assert_eq!(app.send(PHONE, None).await.status, 200);
    }

    async fn a_rule_for_one_channel_leaves_the_other_alone(app) {
        let (account, other) = (app.register(PHONE).await, app.register("+14152000002").await);
        let rule = |channel: &str| format!(
            "[[rule]]\nid = 'by-{channel}'\non = 'otp.send'\nby = 'ip'\nquota = 1\nper = '1d'\nscope = 'cluster'\n\
             channel = '{channel}'\n");
        app.limit(&(rule("email") + &rule("sms"))).await;
        assert_eq!(app.send_email(&account.email, None).await.status, 200);
        let answer = app.send_email(&other.email, None).await;
        answer.is(429, "rate_limited");
        assert_eq!(answer.text("rule"), "by-email");
        assert_eq!(app.send(PHONE, None).await.status, 200);
        let answer = app.send("+14152000002", None).await;
        answer.is(429, "rate_limited");
        assert_eq!(answer.text("rule"), "by-sms");
    }
}
