//! Leaving, and taking along what is kept.

use serde_json::{Value, json};

use crate::support::{Account, Answer, TestApp, eventually, on_both};

async fn leave(app: &TestApp, account: &Account, body: Value) -> Answer {
    app.call("DELETE", "/api/users/me/", Some(body), Some(&account.access))
        .await
}

fn right() -> Value {
    json!({ "password": "securepass123" })
}

on_both! {
    async fn who_leaves_with_the_password_is_gone(app) {
        let account = app.verified("+14152000001").await;
        leave(&app, &account, json!({})).await.is(400, "validation_failed");
        leave(&app, &account, json!({ "password": "another-one-47" })).await.is(400, "password_incorrect");
        assert_eq!(app.get_as("/api/users/me/", &account.access).await.status, 200);
        assert_eq!(leave(&app, &account, right()).await.status, 204);
        app.get_as("/api/users/me/", &account.access).await.is(401, "token_revoked");
        app.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await.is(401, "token_invalid");
        let login = json!({ "email": account.email, "password": "securepass123" });
        app.post("/api/users/login/", login).await.is(401, "invalid_credentials");
        leave(&app, &account, right()).await.is(401, "token_revoked");
        assert_eq!(app.effects().await.0, "0 users, 0 sessions");
        // The phone is free again.
        app.pass(120);
        app.verified("+14152000001").await;
    }

    async fn who_has_no_password_leaves_with_a_code_of_a_moment_ago(app) {
        let account = app.register("+14152000001").await;
        app.own_phone(&account).await;
        app.sql(format!("UPDATE users SET password_hash = NULL WHERE id = '{}'", account.id)).await;
        let typed = app.code_to_sign_in(&account.phone).await;
        let opened = app.login_by_code(&typed.id, &typed.code).await;
        assert_eq!(opened.status, 200, "{opened:?}");
        app.pass(601);
        let refresh = json!({ "refresh": opened.body["tokens"]["refresh"] });
        let refreshed = app.post("/api/users/token/refresh/", refresh).await;
        let by = |answer: &Answer| Account { access: answer.body["tokens"]["access"].as_str().unwrap().to_owned(), ..account.clone() };
        for body in [json!({}), right()] {
            let late = leave(&app, &by(&refreshed), body).await;
            late.is(400, "password_incorrect");
            assert!(late.text("detail").starts_with("The account has no password: sign in by a code"), "{late:?}");
        }
        let typed = app.code_to_sign_in(&account.phone).await;
        let opened = app.login_by_code(&typed.id, &typed.code).await;
        assert_eq!(leave(&app, &by(&opened), json!({})).await.status, 204);
        assert_eq!(app.effects().await.0, "0 users, 0 sessions");
    }

    async fn an_export_has_all_that_is_kept(app) {
        let account = app.verified("+14152000001").await;
        app.get("/api/users/me/export/").await.is(401, "not_authenticated");
        let export = eventually("the ledger's row", async || {
            let answer = app.get_as("/api/users/me/export/", &account.access).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let is_whole = answer.body["verifications"][0]["verified_at"].is_string();
            is_whole.then_some(answer.body)
        })
        .await;
        assert_eq!(export["user"]["email"], account.email);
        assert_eq!(export["user"]["phone_verified"], true);
        assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(export["notices"], json!([]));
        let kinds: Vec<_> = export["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
        assert!(kinds.contains(&&json!("account.registered")) && kinds.contains(&&json!("session.opened")), "{kinds:?}");
        assert_eq!(kinds[0], "phone.verified");
        // The newest first, within a moment as well.
        let place = |kind: &str| kinds.iter().position(|one| **one == kind).unwrap();
        assert!(place("session.opened") < place("account.registered"), "{kinds:?}");
        let text = export.to_string();
        for secret in ["argon2", "refresh_hash", "password_hash"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
