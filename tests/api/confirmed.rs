//! An address that was proven without the account's token opens nothing, until an administrator has made sure whose it is.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, on_both};

const PHONE: &str = "+14152000001";
const NEW: &str = "quiet-otter-47";

fn reason() -> Option<Value> {
    Some(json!({ "reason": "The owner came with a passport." }))
}

async fn count(app: &TestApp, table: &str) -> String {
    app.sql_text(format!("SELECT CAST(count(*) AS text) FROM {table}"))
        .await
}

on_both! {
    async fn who_proved_a_phone_without_a_token_and_forgot_the_password_is_let_in_again_by_an_administrator(app) {
        let admin = app.administrator("admin", "+14155550101").await;
        let support = app.administrator("support", "+14155550102").await;
        let jane = app.register(PHONE).await;
        let path = |address| format!("/api/admin/users/{}/confirm-{address}/", jane.id);
        let confirm = async |address, token: &str| app.administer("POST", &path(address), reason(), Some(token)).await;

        confirm("phone", &admin.access).await.is(409, "not_verified");
        let code = app.code(PHONE, None).await;
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
        app.pass(60);
        let opens = "users WHERE phone_owned_at IS NOT NULL AND phone = '+14152000001'";
        assert_eq!(count(&app, opens).await, "0");

        confirm("phone", &support.access).await.is(403, "forbidden");
        app.administer("POST", &path("phone"), Some(json!({})), Some(&admin.access)).await.is(400, "validation_failed");
        let confirmed = confirm("phone", &admin.access).await;
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        assert!(confirmed.body["phone_owned_at"].is_string(), "{confirmed:?}");
        // A double click: one effect, and no other address.
        assert_eq!(confirm("phone", &admin.access).await.body, confirmed.body);
        confirm("email", &admin.access).await.is(409, "not_verified");
        assert_eq!(count(&app, "events WHERE kind = 'phone.confirmed' AND reason LIKE '%passport%'").await, "1");

        let code = app.code_to_reset(PHONE).await;
        assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
        assert_eq!(app.login(&jane.email, PASSWORD).await.status, 401);
        assert_eq!(app.login(&jane.email, NEW).await.status, 200);
    }

    async fn nobody_confirms_their_own_address_or_one_of_nobody(app) {
        let admin = app.administrator("admin", "+14155550101").await;
        for (id, status, code) in [(&*admin.account.id, 403, "forbidden"), ("0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9e", 404, "not_found")] {
            let path = format!("/api/admin/users/{id}/confirm-email/");
            app.administer("POST", &path, reason(), Some(&admin.access)).await.is(status, code);
        }
    }
}
