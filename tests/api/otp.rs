//! A code's whole life: every row of the contract's table for `send` and `verify`, and what each setting changes.

use serde_json::{Value, json};

use crate::support::{Answer, Backends, TestApp, eventually, fields, on_both, shape, wrong};

const PHONE: &str = "+14152000001";

/// Enters wrong codes until the challenge is spent.
async fn spend(app: &TestApp, phone: &str, code: &str) {
    for _ in 0..2 {
        app.verify(phone, &wrong(code), None).await.is(400, "otp_invalid");
    }
    app.verify(phone, &wrong(code), None)
        .await
        .is(400, "otp_attempts_exceeded");
}

/// Ten wrong codes over four challenges of a phone that an account claims; gives the code of the last one.
async fn lock(app: &TestApp, phone: &str) -> String {
    for _ in 0..3 {
        let code = app.code(phone, None).await;
        spend(app, phone, &code).await;
        app.pass(60);
    }
    let code = app.code(phone, None).await;
    app.verify(phone, &wrong(&code), None)
        .await
        .is(400, "otp_invalid");
    code
}

/// A 429 as the contract has it, whose wait is in `least..=most` seconds.
#[track_caller]
fn assert_refused(answer: &Answer, code: &str, least: u64, most: u64) {
    answer.is(429, code);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((least..=most).contains(&wait), "{answer:?}");
    assert_eq!(answer.body["retry_after"], wait, "{answer:?}");
    assert_eq!(answer.body["scope"], "cluster", "{answer:?}");
    let rule = answer.text("rule");
    assert!(
        answer
            .header("ratelimit-policy")
            .starts_with(&format!("\"{rule}\";q="))
    );
    assert_eq!(answer.header("ratelimit"), format!("\"{rule}\";r=0;t={wait}"));
}

on_both! {
    async fn a_code_is_answered_with_all_that_a_client_needs(app) {
        app.register(PHONE).await;
        let sent = app.send("+1 (415) 200-0001", None).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        assert_eq!(fields(&sent), ["challenge_id", "detail", "expires_in", "phone", "resend_after"]);
        assert_eq!((sent.text("phone"), &sent.body["expires_in"], &sent.body["resend_after"]),
            (PHONE, &json!(600), &json!(60)));
        assert_eq!(sent.text("challenge_id").len(), 36);
        assert!(!sent.text("detail").is_empty());
    }

    async fn three_wrong_codes_end_a_challenge_and_the_right_one_comes_too_late(app) {
        app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        for remaining in [2, 1] {
            let answer = app.verify(PHONE, &wrong(&code), None).await;
            answer.is(400, "otp_invalid");
            assert_eq!(answer.body["attempts_remaining"], remaining);
        }
        for entered in [&wrong(&code), &code, &wrong(&code), &code] {
            let answer = app.verify(PHONE, entered, None).await;
            answer.is(400, "otp_attempts_exceeded");
            assert_eq!(answer.body.get("attempts_remaining"), None);
        }
        app.pass(60);
        let code = app.code(PHONE, None).await;
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    }

    async fn after_two_wrong_codes_the_right_one_is_taken(app) {
        let account = app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        for _ in 0..2 {
            app.verify(PHONE, &wrong(&code), None).await.is(400, "otp_invalid");
        }
        let answer = app.verify(PHONE, &code, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(fields(&answer), ["detail", "phone", "phone_verified"]);
        assert_eq!((answer.text("phone"), &answer.body["phone_verified"]), (PHONE, &json!(true)));
        assert!(app.is_verified(&account).await);
    }

    async fn no_live_code_is_expired_whether_used_outlived_or_never_sent(app) {
        app.register(PHONE).await;
        app.verify(PHONE, "123456", None).await.is(400, "otp_expired");
        app.verify("+14152000009", "123456", None).await.is(400, "otp_expired");
        let code = app.code(PHONE, None).await;
        app.pass(600);
        for entered in [&code, &wrong(&code)] {
            app.verify(PHONE, entered, None).await.is(400, "otp_expired");
        }
        let code = app.code(PHONE, None).await;
        app.pass(590);
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
        for entered in [&code, &wrong(&code)] {
            app.verify(PHONE, entered, None).await.is(400, "otp_expired");
        }
    }

    async fn a_spent_challenge_expires_like_any_other(app) {
        app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        spend(&app, PHONE, &code).await;
        app.pass(600);
        app.verify(PHONE, &code, None).await.is(400, "otp_expired");
    }

    async fn a_code_is_sent_again_after_the_cooldown_and_not_before(app) {
        app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        assert_refused(&app.send(PHONE, None).await, "resend_cooldown", 55, 60);
        app.pass(50);
        assert_refused(&app.send(PHONE, None).await, "resend_cooldown", 5, 10);
        assert_eq!(app.numbers().await, [PHONE]);
        // Refused, it has replaced nothing.
        app.verify(PHONE, &wrong(&code), None).await.is(400, "otp_invalid");
        app.pass(10);
        app.code(PHONE, None).await;
        assert_eq!(app.numbers().await, [PHONE, PHONE]);
    }

    async fn a_new_code_replaces_the_old_one(app) {
        app.register(PHONE).await;
        let first = app.send(PHONE, None).await;
        let old = eventually("an SMS", async || Some(crate::support::digits(&app.messages().await.first()?.1))).await;
        app.pass(60);
        let new = app.code(PHONE, None).await;
        app.verify_by_id(PHONE, &old, first.text("challenge_id"), None).await.is(400, "otp_expired");
        assert_ne!(old, new, "the code of another challenge");
        // Without the id it is one wrong code for the new challenge.
        let answer = app.verify(PHONE, &old, None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_eq!(app.verify(PHONE, &new, None).await.status, 200);
    }

    async fn wrong_codes_add_up_across_codes_until_the_phone_rests_for_an_hour(app) {
        app.register(PHONE).await;
        let code = lock(&app, PHONE).await;
        for entered in [&code, &wrong(&code)] {
            assert_refused(&app.verify(PHONE, entered, None).await, "rate_limited", 3590, 3600);
        }
        app.pass(60);
        assert_refused(&app.send(PHONE, None).await, "rate_limited", 3530, 3540);
        app.pass(3530);
        assert_refused(&app.send(PHONE, None).await, "rate_limited", 1, 10);
        assert_refused(&app.verify(PHONE, &code, None).await, "rate_limited", 1, 10);
        app.pass(10);
        app.verify(PHONE, &code, None).await.is(400, "otp_expired");
        let code = app.code(PHONE, None).await;
        let answer = app.verify(PHONE, &wrong(&code), None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    }

    async fn another_phone_does_not_rest_with_a_locked_one(app) {
        for phone in [PHONE, "+14152000002"] {
            app.register(phone).await;
        }
        lock(&app, PHONE).await;
        let code = app.code("+14152000002", None).await;
        assert_eq!(app.verify("+14152000002", &code, None).await.status, 200);
    }

    async fn a_challenge_is_judged_by_its_own_id_and_no_other(app) {
        app.register(PHONE).await;
        app.register("+14152000002").await;
        let other = app.send("+14152000002", None).await;
        let sent = app.send(PHONE, None).await;
        let code = eventually("an SMS", async || {
            let messages = app.messages().await;
            let (_, body) = messages.iter().find(|(to, _)| to == PHONE)?;
            Some(crate::support::digits(body))
        })
        .await;
        let strange = "00000000-0000-4000-8000-000000000000";
        for id in [strange, other.text("challenge_id")] {
            for entered in [&code, &wrong(&code)] {
                app.verify_by_id(PHONE, entered, id, None).await.is(400, "otp_expired");
            }
        }
        for id in ["", "x", "1234", &format!("{strange}0")] {
            let answer = app.verify_by_id(PHONE, &code, id, None).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"]["challenge_id"][0].is_string(), "{answer:?}");
        }
        // None of that was an attempt.
        let id = sent.text("challenge_id");
        let answer = app.verify_by_id(PHONE, &wrong(&code), id, None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_eq!(app.verify_by_id(PHONE, &code, id, None).await.status, 200);
    }

    async fn a_field_that_is_no_code_or_no_phone_costs_no_attempt(app) {
        app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        for otp in ["", "12345", "1234567", "12345a", "-12345", "12 456", "１２３４５", "12-45", "123.456"] {
            let answer = app.verify(PHONE, otp, None).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"]["otp"][0].is_string(), "{answer:?}");
        }
        for body in [json!({ "otp": code }), json!({ "phone": "+0123", "otp": code }), json!({ "phone": PHONE })] {
            app.post("/api/users/verify-phone-otp/", body).await.is(400, "validation_failed");
        }
        for body in [json!({}), json!({ "phone": null }), json!({ "phone": "hello" })] {
            app.post("/api/users/send-phone-otp/", body).await.is(400, "validation_failed");
        }
        let answer = app.verify(PHONE, &wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
    }

    async fn phones_without_an_account_and_proven_ones_are_answered_like_the_others(app) {
        let [claimed, unknown, proven] = [PHONE, "+14152000002", "+14152000003"];
        app.register(claimed).await;
        app.verified(proven).await;
        app.pass(60);
        let before = app.messages().await.len();
        let code = app.code(claimed, None).await;
        // Everything that can be done to a phone from outside, in one row.
        let mut seen: Vec<Vec<(u16, Value)>> = Vec::new();
        for phone in [claimed, unknown, proven] {
            let mut row = Vec::new();
            let mut note = |answer: &Answer| row.push((answer.status, shape(answer)));
            if phone == claimed {
                app.pass(60);
            }
            for round in 0..4 {
                let sent = app.send(phone, None).await;
                note(&sent);
                let cooldown = app.send(phone, None).await;
                assert_refused(&cooldown, "resend_cooldown", 50, 60);
                let id = sent.text("challenge_id").to_owned();
                for _ in 0..if round < 3 { 4 } else { 2 } {
                    // Wrong for the claimed phone in all but one case of a million.
                    note(&app.verify_by_id(phone, &wrong(&code), &id, None).await);
                }
                app.pass(60);
            }
            for refused in [app.send(phone, None).await, app.verify(phone, &code, None).await] {
                assert_refused(&refused, "rate_limited", 3500, 3600);
                row.push((refused.status, json!([refused.body["code"], refused.body["rule"], fields(&refused)])));
            }
            seen.push(row);
        }
        let without_waits = |row: &Vec<(u16, Value)>| {
            let mut row = row.clone();
            for (_, body) in &mut row {
                if body.get("retry_after").is_some() {
                    body["retry_after"] = Value::Null;
                }
            }
            row
        };
        assert_eq!(without_waits(&seen[0]), without_waits(&seen[1]));
        assert_eq!(without_waits(&seen[0]), without_waits(&seen[2]));
        let statuses: Vec<u16> = seen[0].iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 4);
        let numbers = app.numbers().await;
        assert_eq!(numbers[before..], [claimed; 5]);
    }
}

/// A test for both backends under further settings.
macro_rules! on_both_with {
    ($variables:expr, async fn $name:ident($app:ident) $body:block) => {
        mod $name {
            use super::*;
            async fn suite($app: TestApp) $body
            #[actix_web::test]
            async fn embedded() {
                suite(TestApp::start_with(Backends::Embedded, &$variables).await).await;
            }
            #[actix_web::test]
            async fn servers() {
                suite(TestApp::start_with(Backends::Servers, &$variables).await).await;
            }
        }
    };
}

on_both_with! { [("RINGBACK__OTP__REQUIRE_CHALLENGE_ID", "true")],
    async fn with_required_ids_a_public_challenge_is_judged_with_its_id_alone(app) {
        app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        for entered in [&code, &wrong(&code)] {
            let answer = app.verify(PHONE, entered, None).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"]["challenge_id"][0].is_string(), "{answer:?}");
        }
        // Whoever claims the phone as well and signs in is a stranger no less.
        let stranger = app.register(PHONE).await;
        for _ in 0..4 {
            app.verify(PHONE, &wrong(&code), Some(&stranger.access)).await.is(400, "otp_expired");
        }
        app.pass(60);
        let owner = app.register("+14152000002").await;
        let sent = app.send("+14152000002", None).await;
        let code = eventually("an SMS", async || {
            let messages = app.messages().await;
            let (_, body) = messages.iter().find(|(to, _)| to == "+14152000002")?;
            Some(crate::support::digits(body))
        })
        .await;
        let id = sent.text("challenge_id");
        let answer = app.verify_by_id("+14152000002", &wrong(&code), id, None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        assert_eq!(app.verify_by_id("+14152000002", &code, id, None).await.status, 200);
        assert!(app.is_verified(&owner).await);
    }
}

on_both_with! { [("RINGBACK__OTP__REQUIRE_CHALLENGE_ID", "true")],
    async fn with_required_ids_a_bearer_challenge_needs_none(app) {
        let account = app.register(PHONE).await;
        let code = app.code(PHONE, Some(&account.access)).await;
        assert_eq!(app.verify(PHONE, &code, Some(&account.access)).await.status, 200);
    }
}

on_both_with! { [
        ("RINGBACK__OTP__LENGTH", "8"),
        ("RINGBACK__OTP__TTL", "2m"),
        ("RINGBACK__OTP__RESEND_COOLDOWN", "5s"),
        ("RINGBACK__OTP__MAX_ATTEMPTS", "2"),
        ("RINGBACK__OTP__MAX_FAILURES", "3"),
        ("RINGBACK__OTP__FAILURE_WINDOW", "10m"),
        ("RINGBACK__MESSAGES__BRAND", "Acme"),
    ],
    async fn other_settings_are_kept_to(app) {
        app.register(PHONE).await;
        let sent = app.send(PHONE, None).await;
        assert_eq!((&sent.body["expires_in"], &sent.body["resend_after"]), (&json!(120), &json!(5)));
        let (_, body) = eventually("an SMS", async || app.messages().await.pop()).await;
        assert!(body.contains("Acme") && body.contains("2 min."), "{body}");
        let code = crate::support::digits(&body);
        assert_eq!(code.len(), 8);
        app.verify(PHONE, &code[..6], None).await.is(400, "validation_failed");
        let answer = app.verify(PHONE, &wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 1, "{answer:?}");
        app.verify(PHONE, &wrong(&code), None).await.is(400, "otp_attempts_exceeded");
        assert_refused(&app.send(PHONE, None).await, "resend_cooldown", 1, 5);
        app.pass(5);
        let code = app.code(PHONE, None).await;
        app.verify(PHONE, &wrong(&code), None).await.is(400, "otp_invalid");
        assert_refused(&app.verify(PHONE, &code, None).await, "rate_limited", 590, 600);
        app.pass(600);
        let code = app.code(PHONE, None).await;
        app.pass(120);
        app.verify(PHONE, &code, None).await.is(400, "otp_expired");
    }
}

on_both_with! { [("RINGBACK__OTP__RESEND_COOLDOWN", "0s")],
    async fn without_a_cooldown_each_send_replaces_the_one_before(app) {
        app.register(PHONE).await;
        let first = app.code(PHONE, None).await;
        let mut code = app.code(PHONE, None).await;
        while code == first {
            code = app.code(PHONE, None).await;
        }
        app.verify(PHONE, &first, None).await.is(400, "otp_invalid");
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    }
}

on_both_with! { [("RINGBACK__OTP__MAX_FAILURES", "3"), ("RINGBACK__OTP__FAILURE_WINDOW", "60s"), ("RINGBACK__OTP__MAX_FAILURES_IN_DAY", "6")],
    async fn a_lock_names_the_bound_that_it_is_by(app) {
        app.register(PHONE).await;
        for (policy, most) in [("q=3;w=60", 60), ("q=6;w=86400", 86_400_u64)] {
            let code = app.code(PHONE, None).await;
            spend(&app, PHONE, &code).await;
            let refused = app.verify(PHONE, &code, None).await;
            assert_refused(&refused, "rate_limited", 1.max(most.saturating_sub(90)), most);
            assert_eq!(refused.header("ratelimit-policy"), format!("\"otp-max-failures\";{policy}"));
            app.pass(60);
        }
    }
}
