//! The main job, end to end.

use serde_json::json;

use crate::support::{TestApp, on_both, registration, wrong};

on_both! {
    async fn somebody_signs_up_and_proves_his_phone(app) {
        let account = app.register("+1 (234) 567-890").await;
        assert_eq!(account.phone, "+1234567890");
        let me = app.get_as("/api/users/me/", &account.access).await;
        assert_eq!((me.status, &me.body["phone_verified"]), (200, &json!(false)));

        let code = app.code("+1234567890", None).await;
        let answer = app.verify("+1234567890", &wrong(&code), None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        let answer = app.verify("+1234567890", &code, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["phone_verified"], true);

        let me = app.get_as("/api/users/me", &account.access).await;
        assert_eq!(me.body["phone_verified"], true);
        app.verify("+1234567890", &code, None).await.is(400, "otp_expired");
        let login = app.post("/api/users/login/", json!({ "phone": "+1234567890", "password": "securepass123" })).await;
        assert_eq!((login.status, &login.body["user"]["id"]), (200, &json!(account.id)));
    }

    async fn an_email_has_one_account_whatever_its_case(app) {
        let answer = app.post("/api/users/register/", registration("Someone@Example.com", "+14152000001")).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.body["user"]["email"], "Someone@Example.com");
        let answer = app.post("/api/users/register/", registration("someone@example.COM", "+14152000002")).await;
        answer.is(409, "email_taken");
    }
}
