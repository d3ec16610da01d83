//! What was refused is kept, counted together: by kind, account, network, reason and minute.

use serde_json::json;

use crate::support::{PASSWORD, TestApp, eventually, on_both, wrong};

/// The refusals that were written, one a line: kind, whose, reason, times. None until the first.
async fn written(app: &TestApp) -> Option<Vec<String>> {
    let lines = match app.provider.is_none() {
        true => "group_concat(line, char(10))",
        false => "string_agg(line, chr(10))",
    };
    let text = app
        .sql_text(format!(
            "SELECT coalesce({lines}, '') FROM (SELECT kind || ' ' || actor || ' ' || coalesce(CAST(user_id AS text), '-') || ' ' || \
             coalesce(network, '-') || ' ' || details || ' ' || CAST(times AS text) AS line FROM events \
             WHERE kind IN ('login.failed', 'code.refused', 'request.refused') ORDER BY kind, actor, details) AS lines"
        ))
        .await;
    (!text.is_empty()).then(|| text.lines().map(str::to_owned).collect())
}

on_both! {
    async fn refusals_of_a_minute_are_one_row_for_each_reason(app) {
        // The minute begins now, so that all of it is one.
        app.begin_minute();
        let account = app.verified("+14152000001").await;
        app.limit("[[rule]]\nid = \"me-per-user\"\non = \"me\"\nby = \"user\"\nquota = 1\nper = \"1h\"\n").await;
        for _ in 0..3 {
            app.login(&account.email, "not-the-password").await.is(401, "invalid_credentials");
            app.login("nobody@example.com", PASSWORD).await.is(401, "invalid_credentials");
        }
        app.pass(1);
        app.register("+14152000002").await;
        let code = app.code("+14152000002", None).await;
        for _ in 0..2 {
            app.verify("+14152000002", &wrong(&code), None).await.is(400, "otp_invalid");
        }
        app.send("+14152000002", None).await.is(429, "resend_cooldown");
        for status in [200, 429, 429] {
            assert_eq!(app.get_as("/api/users/me/", &account.access).await.status, status);
        }
        app.limit("").await;
        let change = json!({ "current_password": "wrong-one-47", "password": "quiet-otter-47", "password_confirm": "quiet-otter-47" });
        app.post_as("/api/users/password/change/", change, Some(&account.access)).await.is(400, "password_incorrect");
        assert_eq!(written(&app).await, None, "the minute isn't over");
        app.pass(60);
        let rows = eventually("refusals", async || written(&app).await).await;
        let (id, net) = (&account.id, "127.0.0.0/24");
        assert_eq!(rows, [
            format!(r#"code.refused anyone - {net} {{"reason":"otp_invalid"}} 2"#),
            format!(r#"login.failed anyone {id} {net} {{"reason":"password"}} 3"#),
            format!(r#"login.failed anyone - {net} {{"reason":"unknown"}} 3"#),
            format!(r#"login.failed user {id} {net} {{"reason":"password_incorrect"}} 1"#),
            format!(r#"request.refused anyone - {net} {{"reason":"otp-resend-cooldown"}} 1"#),
            format!(r#"request.refused user {id} {net} {{"reason":"me-per-user"}} 2"#),
        ]);
        // Whoever it is about may have them.
        let export = app.get_as("/api/users/me/export/", &account.access).await;
        let events = export.body["events"].as_array().unwrap();
        let failed = events.iter().find(|event| event["kind"] == "login.failed" && event["times"] == 3);
        assert!(failed.is_some(), "{events:?}");
    }

    async fn what_was_refused_is_written_as_the_service_ends(app) {
        app.login("nobody@example.com", PASSWORD).await.is(401, "invalid_credentials");
        let mut app = app;
        app.running.take().unwrap().stop().await;
        let row = r#"login.failed anyone - 127.0.0.0/24 {"reason":"unknown"} 1"#;
        assert_eq!(written(&app).await, Some(vec![row.to_owned()]));
    }
}
