//! Whose code it is: one user's code never verifies another account, and strangers spend nothing of his.

use serde_json::json;
use sqlx::Connection;

use crate::support::{Answer, TestApp, fields, on_both, wrong};

const PHONE: &str = "+14152000001";
const OTHER_PHONE: &str = "+14152000002";

#[track_caller]
fn assert_ok(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}

on_both! {
    async fn a_code_asked_for_with_a_token_is_that_users_alone(app) {
        let owner = app.register(PHONE).await;
        let rival = app.register(PHONE).await;
        let stranger = app.register(OTHER_PHONE).await;
        let sent = app.send(PHONE, Some(&owner.access)).await;
        let id = sent.text("challenge_id");
        let code = crate::support::eventually("an SMS", async || {
            Some(crate::support::digits(&app.messages().await.first()?.1))
        })
        .await;
        for token in [None, Some(rival.access.as_str()), Some(stranger.access.as_str())] {
            for entered in [&code, &wrong(&code), &wrong(&code), &wrong(&code), &code] {
                app.verify(PHONE, entered, token).await.is(400, "otp_expired");
                app.verify_by_id(PHONE, entered, id, token).await.is(400, "otp_expired");
            }
        }
        let answer = app.verify(PHONE, &wrong(&code), Some(&owner.access)).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_ok(&app.verify(PHONE, &code, Some(&owner.access)).await);
        assert!(app.is_verified(&owner).await);
        assert!(!app.is_verified(&rival).await);
        assert!(!app.is_verified(&stranger).await);
    }

    async fn strangers_cannot_lock_a_signed_in_user_out(app) {
        let owner = app.register(PHONE).await;
        for _ in 0..4 {
            let code = app.code(PHONE, None).await;
            for _ in 0..3 {
                app.verify(PHONE, &wrong(&code), None).await;
            }
            app.pass(60);
        }
        app.verify(PHONE, "000000", None).await.is(429, "rate_limited");
        app.send(PHONE, None).await.is(429, "rate_limited");
        let code = app.code(PHONE, Some(&owner.access)).await;
        let answer = app.verify(PHONE, &wrong(&code), Some(&owner.access)).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_ok(&app.verify(PHONE, &code, Some(&owner.access)).await);
    }

    async fn a_users_own_failures_lock_himself_alone(app) {
        let owner = app.register(PHONE).await;
        let rival = app.register(PHONE).await;
        for round in 0..4 {
            let code = app.code(PHONE, Some(&owner.access)).await;
            for _ in 0..if round < 3 { 3 } else { 1 } {
                app.verify(PHONE, &wrong(&code), Some(&owner.access)).await;
            }
            app.pass(60);
        }
        app.verify(PHONE, "000000", Some(&owner.access)).await.is(429, "rate_limited");
        app.send(PHONE, Some(&owner.access)).await.is(429, "rate_limited");
        let code = app.code(PHONE, Some(&rival.access)).await;
        assert_ok(&app.verify(PHONE, &code, Some(&rival.access)).await);
        assert!(app.is_verified(&rival).await);
    }

    async fn a_user_who_asks_for_a_phone_that_is_not_his_gets_a_decoy(app) {
        let owner = app.register(PHONE).await;
        let stranger = app.register(OTHER_PHONE).await;
        let code = app.code(PHONE, None).await;
        app.pass(60);
        let sent = app.send(PHONE, Some(&stranger.access)).await;
        assert_ok(&sent);
        assert_eq!(fields(&sent), ["challenge_id", "detail", "expires_in", "phone", "resend_after"]);
        let unknown = app.send("+14152000009", Some(&stranger.access)).await;
        assert_eq!((unknown.status, fields(&unknown)), (200, fields(&sent)));
        // His guesses count down like anybody's, and none is right: not even the code that the owner has.
        for phone in [PHONE, "+14152000009"] {
            for (entered, remaining) in [(&code, 2), (&wrong(&code), 1)] {
                let answer = app.verify(phone, entered, Some(&stranger.access)).await;
                answer.is(400, "otp_invalid");
                assert_eq!(answer.body["attempts_remaining"], remaining);
            }
            app.verify(phone, &code, Some(&stranger.access)).await.is(400, "otp_attempts_exceeded");
        }
        assert_eq!(app.numbers().await, [PHONE]);
        // And the owner's challenge was neither replaced nor spent.
        let answer = app.verify(PHONE, &wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        assert_ok(&app.verify(PHONE, &code, None).await);
        assert!(app.is_verified(&owner).await);
    }

    async fn a_signed_in_user_may_enter_the_code_that_he_asked_for_without_a_token(app) {
        let owner = app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        let answer = app.verify(PHONE, &wrong(&code), Some(&owner.access)).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        assert_ok(&app.verify(PHONE, &code, Some(&owner.access)).await);
        assert!(app.is_verified(&owner).await);
    }

    async fn several_claims_are_settled_by_whoever_signs_in_with_the_code(app) {
        let first = app.register(PHONE).await;
        let second = app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        for _ in 0..5 {
            app.verify(PHONE, &code, None).await.is(409, "ambiguous_claim");
        }
        // A right code that is not taken is no attempt.
        let answer = app.verify(PHONE, &wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        assert!(!app.is_verified(&first).await && !app.is_verified(&second).await);
        assert_ok(&app.verify(PHONE, &code, Some(&second.access)).await);
        assert!(app.is_verified(&second).await);
        assert!(!app.is_verified(&first).await);
        for token in [None, Some(first.access.as_str()), Some(second.access.as_str())] {
            app.verify(PHONE, &code, token).await.is(400, "otp_expired");
        }
        assert!(!app.is_verified(&first).await);
    }

    async fn a_claim_that_comes_after_the_code_makes_it_ambiguous_too(app) {
        let first = app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        let second = app.register(PHONE).await;
        app.verify(PHONE, &code, None).await.is(409, "ambiguous_claim");
        assert_ok(&app.verify(PHONE, &code, Some(&first.access)).await);
        assert!(app.is_verified(&first).await);
        assert!(!app.is_verified(&second).await);
    }

    async fn a_right_code_comes_too_late_when_another_account_has_the_phone(app) {
        let first = app.register(PHONE).await;
        let second = app.register(PHONE).await;
        let late = app.code(PHONE, Some(&second.access)).await;
        app.pass(60);
        let code = app.code(PHONE, Some(&first.access)).await;
        assert_ok(&app.verify(PHONE, &code, Some(&first.access)).await);
        app.verify(PHONE, &late, Some(&second.access)).await.is(409, "phone_taken");
        assert!(!app.is_verified(&second).await);
        assert!(app.is_verified(&first).await);
        // A code that is sent from then on moves the number.
        app.pass(60);
        let code = app.code(PHONE, Some(&second.access)).await;
        assert_ok(&app.verify(PHONE, &code, Some(&second.access)).await);
        assert!(app.is_verified(&second).await && !app.is_verified(&first).await);
    }

    async fn a_public_code_comes_too_late_when_another_account_has_the_phone(app) {
        let first = app.register(PHONE).await;
        let second = app.register(PHONE).await;
        let public = app.code(PHONE, None).await;
        app.pass(60);
        let code = app.code(PHONE, Some(&first.access)).await;
        assert_ok(&app.verify(PHONE, &code, Some(&first.access)).await);
        app.verify(PHONE, &public, Some(&second.access)).await.is(409, "phone_taken");
        app.verify(PHONE, &public, None).await.is(400, "otp_expired");
        assert!(!app.is_verified(&second).await);
    }

    // But for a signed-in user who claims it: `changes.rs` has that.
    async fn a_phone_that_is_proven_elsewhere_gets_no_code(app) {
        let owner = app.register(PHONE).await;
        app.own_phone(&owner).await;
        let late = app.register(PHONE).await;
        for token in [None, Some(owner.access.as_str())] {
            assert_ok(&app.send(PHONE, token).await);
            app.verify(PHONE, "000000", token).await.is(400, "otp_invalid");
            app.pass(60);
        }
        assert_eq!(app.numbers().await, [PHONE]);
        assert!(!app.is_verified(&late).await);
        assert!(app.is_verified(&owner).await);
        let login = json!({ "phone": PHONE, "password": crate::support::PASSWORD });
        let answer = app.post("/api/users/login/", login).await;
        assert_eq!(answer.body["user"]["id"], owner.id, "{answer:?}");
    }

    async fn a_code_is_good_for_its_own_phone_alone(app) {
        let first = app.register(PHONE).await;
        let second = app.register(OTHER_PHONE).await;
        let code = app.code(PHONE, None).await;
        let mut other = app.code(OTHER_PHONE, None).await;
        while other == code {
            app.pass(60);
            other = app.code(OTHER_PHONE, None).await;
        }
        app.verify(OTHER_PHONE, &code, None).await.is(400, "otp_invalid");
        app.verify(OTHER_PHONE, &code, Some(&first.access)).await.is(400, "otp_expired");
        assert_ok(&app.verify(PHONE, &code, None).await);
        assert!(app.is_verified(&first).await);
        assert!(!app.is_verified(&second).await);
    }

    async fn a_token_that_is_no_good_is_refused_and_has_no_effect(app) {
        let owner = app.register(PHONE).await;
        let ended = app.register(PHONE).await;
        assert_eq!(app.post_as("/api/users/logout/", json!({}), Some(&ended.access)).await.status, 204);
        for (token, code) in [(ended.access.as_str(), "token_revoked"), ("nonsense", "token_invalid")] {
            app.send(PHONE, Some(token)).await.is(401, code);
        }
        // No cooldown began; and a right code is not spent.
        let code = app.code(PHONE, Some(&owner.access)).await;
        app.verify(PHONE, &code, Some(&ended.access)).await.is(401, "token_revoked");
        assert_ok(&app.verify(PHONE, &code, Some(&owner.access)).await);
    }

    async fn the_database_itself_refuses_a_second_owner(app) {
        app.verified(PHONE).await;
        app.register(PHONE).await;
        let error = verify_all_in_the_database(&app, PHONE).await.unwrap_err();
        let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
        assert!(matches!(kind, Some(sqlx::error::ErrorKind::UniqueViolation)), "{error:?}");
    }
}

/// Behind the service's back.
async fn verify_all_in_the_database(app: &TestApp, phone: &str) -> Result<u64, sqlx::Error> {
    const SQL: &str = "UPDATE users SET phone_verified = (1 = 1) WHERE phone = $1";
    if let Some(url) = app.variable("DATABASE_URL") {
        let mut database = sqlx::PgConnection::connect(url).await?;
        let updated = sqlx::query(SQL).bind(phone).execute(&mut database).await?;
        return Ok(updated.rows_affected());
    }
    let file = app.folder.0.join("data/ringback.db");
    let mut database = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    let updated = sqlx::query(SQL).bind(phone).execute(&mut database).await?;
    Ok(updated.rows_affected())
}
