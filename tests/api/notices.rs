//! Notices of changes, from the change to the mail.

use serde_json::{Value, json};

use crate::support::{Account, Answer, PASSWORD, TestApp, eventually, on_both};

const KIND: &str = "kind=\"password_changed\"";

/// What came to an address by e-mail, the oldest first.
async fn mails_to(app: &TestApp, email: &str) -> Vec<Value> {
    let inbox = app.get("/dev/inbox.json").await;
    let mut mails = inbox.body.as_array().unwrap().clone();
    mails.retain(|message| message["channel"] == "email" && message["to"] == email);
    mails.reverse();
    mails
}

/// Sets the password that the account has.
async fn change_password(app: &TestApp, account: &Account) {
    let change = json!({ "current_password": PASSWORD, "password": PASSWORD, "password_confirm": PASSWORD });
    let changed = app
        .post_as("/api/users/password/change/", change, Some(&account.access))
        .await;
    assert_eq!(changed.status, 204, "{changed:?}");
}

/// Waits until no notice is left.
async fn all_sent(app: &TestApp) {
    let left = "SELECT CAST(count(*) AS text) FROM notices";
    eventually("no notice", async || {
        (app.sql_text(left.to_owned()).await == "0").then_some(())
    })
    .await;
}

/// How many SMS that tell of a change came to a phone, once no notice is left.
async fn told_by_sms(app: &TestApp, phone: &str) -> usize {
    all_sent(app).await;
    let messages = app.messages().await;
    let told = messages
        .iter()
        .filter(|(to, text)| to == phone && text.contains("was changed"));
    told.count()
}

on_both! {
    /// Else whoever has an account has as many SMS as they like, at the operator's cost.
    async fn an_account_has_so_many_notices_and_no_more(app) {
        app.limit(include_str!("../../config/limits.toml")).await;
        let account = app.verified("+14152000001").await;
        for _ in 0..12 {
            change_password(&app, &account).await;
        }
        assert_eq!(told_by_sms(&app, "+14152000001").await, 5);
    }

    async fn notices_spend_of_what_codes_may_cost(app) {
        app.limit("[[rule]]\nid = 'money'\non = 'otp.send'\nby = 'global'\ncounts = 'money'\nquota = '1 USD'\nper = '30d'\nburst = '0.04 USD'\n").await;
        let account = app.verified("+14152000001").await;
        for _ in 0..5 {
            change_password(&app, &account).await;
        }
        assert_eq!(told_by_sms(&app, "+14152000001").await, 2, "after the code, of 0.012 dollars each");
    }

    async fn a_pause_holds_notices_back(app) {
        let account = app.verified("+14152000001").await;
        let us = json!({ "country": "US", "seconds": "600" });
        let paused = Answer::of(app.client.post(format!("{}/limits/pause", app.ops)).json(&us)).await;
        assert_eq!(paused.status, 200, "{paused:?}");
        let held = async || app.metric("ringback_notices_total", &[KIND, "outcome=\"held\""]).await;
        let before = held().await;
        change_password(&app, &account).await;
        eventually("the notice is held", async || (held().await > before).then_some(())).await;
        assert!(app.messages().await.iter().all(|(_, text)| !text.contains("was changed")));
        app.pass(601);
        assert_eq!(told_by_sms(&app, "+14152000001").await, 1);
    }

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
        all_sent(&app).await;
        assert!(app.metric("ringback_notices_total", &[KIND, "outcome=\"sent\""]).await > 0.0);
        assert_eq!(mails_to(&app, &account.email).await.len(), 2);
    }
}
