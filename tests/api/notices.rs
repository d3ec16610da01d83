//! Notices of changes, from the change to the mail.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, eventually, on_both};

const KIND: &str = "kind=\"password_changed\"";

/// What came to an address by e-mail, the oldest first.
async fn mails_to(app: &TestApp, email: &str) -> Vec<Value> {
    let inbox = app.get("/dev/inbox.json").await;
    let mut mails = inbox.body.as_array().unwrap().clone();
    mails.retain(|message| message["channel"] == "email" && message["to"] == email);
    mails.reverse();
    mails
}

on_both! {
    async fn a_password_change_is_told_to_a_proven_address(app) {
        let account = app.register("+14152000001").await;
        let code = app.email_code(&account.email, None).await;
        assert_eq!(app.verify_email(&account.email, &code, None).await.status, 200);
        // The counts are those of the process: others may add to them.
        let queued = app.metric("ringback_notices_total", &[KIND, "outcome=\"queued\""]).await;
        let new = "quiet-otter-47";
        let change = json!({ "current_password": PASSWORD, "password": new, "password_confirm": new });
        let changed = app.post_as("/api/users/password/change/", change, Some(&account.access)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
        assert!(app.metric("ringback_notices_total", &[KIND, "outcome=\"queued\""]).await > queued);
        let notice = eventually("the notice", async || mails_to(&app, &account.email).await.into_iter().nth(1)).await;
        let text = notice["body"].as_str().unwrap();
        assert!(text.contains("password"), "{text}");
        assert!(!text.contains(&code) && !text.contains(new), "{text}");
        // Once it was taken, nothing of it is left to be sent again.
        eventually("an empty table", async || {
            let left = app.sql_text("SELECT CAST(count(*) AS text) FROM notices".to_owned()).await;
            (left == "0").then_some(())
        })
        .await;
        assert!(app.metric("ringback_notices_total", &[KIND, "outcome=\"sent\""]).await > 0.0);
        assert_eq!(mails_to(&app, &account.email).await.len(), 2);
    }
}
