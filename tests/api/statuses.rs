//! How far a message has come, for the page that waits for it: alike for a phone that has an account and for one that has
//! none; the truth for the user whose challenge it is.

use serde_json::json;

use crate::support::{Answer, Backends, TestApp, eventually, on_both};

const PHONE: &str = "+14152000001";
const NOBODYS: &str = "+14152000002";

/// What these tests ask of a challenge.
trait Statuses {
    async fn status_of(&self, sent: &Answer) -> Answer;
    async fn reaches(&self, sent: &Answer, status: &str, before: &[&str]) -> Answer;
}

impl Statuses for TestApp {
    /// Asks for the status of the challenge that a send answered.
    async fn status_of(&self, sent: &Answer) -> Answer {
        let id = sent.text("challenge_id");
        let answer = self.get(&format!("/api/users/otp-status/{id}/")).await;
        if answer.status == 200 {
            assert_eq!(answer.text("challenge_id"), id);
        }
        answer
    }

    /// Waits until the schedule says so; every status on the way is one that comes before it.
    async fn reaches(&self, sent: &Answer, status: &str, before: &[&str]) -> Answer {
        eventually(status, async || {
            let answer = self.status_of(sent).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let reached = answer.text("status") == status;
            assert!(reached || before.contains(&answer.text("status")), "{answer:?}");
            reached.then_some(answer)
        })
        .await
    }
}

on_both! {
    async fn a_status_is_the_same_with_and_without_an_account(app) {
        app.register(PHONE).await;
        for phone in [PHONE, NOBODYS] {
            let sent = app.send(phone, None).await;
            let answer = app.reaches(&sent, "sent", &["queued"]).await;
            let seconds = answer.body["resend_after"].as_u64().unwrap();
            assert!((40..=60).contains(&seconds), "{answer:?}");
            app.pass(60);
            let id = sent.text("challenge_id");
            let expected = json!({ "challenge_id": id, "channel": "sms", "status": "sent", "resend_after": 0 });
            assert_eq!(app.status_of(&sent).await.body, expected);
            app.pass(540);
            app.status_of(&sent).await.is(404, "not_found");
        }
    }

    async fn the_schedule_goes_by_the_time_since_the_challenge_was_issued(app) {
        app.register(PHONE).await;
        for phone in [PHONE, NOBODYS] {
            let sent = app.send(phone, None).await;
            app.pass(1);
            assert_eq!(app.status_of(&sent).await.text("status"), "sent");
        }
    }

    async fn the_user_whose_challenge_it_is_is_told_what_happened(app) {
        let account = app.register(PHONE).await;
        let sent = app.send(PHONE, Some(&account.access)).await;
        let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
        eventually("the truth", async || {
            let answer = app.get_as(&path, &account.access).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            (answer.text("status") == "sent").then_some(())
        })
        .await;
        app.get_as(&path, "no-token").await.is(401, "token_invalid");
    }

    async fn a_locked_phone_waits_for_the_end_of_its_lock(app) {
        app.register(PHONE).await;
        let mut sent = app.send(PHONE, None).await;
        for round in 0..4 {
            for _ in 0..3 {
                app.verify(PHONE, "000000", None).await;
            }
            if round < 3 {
                app.pass(60);
                sent = app.send(PHONE, None).await;
            }
        }
        let seconds = app.status_of(&sent).await.body["resend_after"].as_u64().unwrap();
        assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    }

    async fn what_was_never_sent_has_no_status(app) {
        for id in ["00000000-0000-0000-0000-000000000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "1", "%00", "x".repeat(300).as_str()] {
            app.get(&format!("/api/users/otp-status/{id}/")).await.is(404, "not_found");
        }
        let answer = app.post("/api/users/otp-status/f47ac10b-58cc-4372-a567-0e02b2c3d479/", json!({})).await;
        answer.is(405, "method_not_allowed");
    }
}

#[actix_web::test]
async fn every_instance_knows_a_status() {
    let app = TestApp::start(Backends::Servers).await;
    let sibling = app.sibling().await;
    app.register(PHONE).await;
    for phone in [PHONE, NOBODYS] {
        let sent = app.send(phone, None).await;
        sibling.reaches(&sent, "sent", &["queued"]).await;
    }
}
