//! What is left of each SMS and its code in the table, when all is over.

use crate::support::{Backends, TestApp, eventually, on_both, wrong};

const PHONE: &str = "+14152000001";
const NOBODYS: &str = "+14152000002";

/// What these tests ask of the table.
trait Ledger {
    async fn ledger_says(&self, columns: &str, expected: &str);
}

impl Ledger for TestApp {
    /// Waits until the ledger's rows say this, each in a line, the oldest first.
    async fn ledger_says(&self, columns: &str, expected: &str) {
        let lines = match self.variable("DATABASE_URL") {
            Some(_) => format!("string_agg({columns}, ';' ORDER BY created_at)"),
            None => format!("group_concat({columns}, ';' ORDER BY created_at)"),
        };
        let query = format!("SELECT coalesce({lines}, '') FROM verifications");
        eventually(expected, async || {
            (self.sql_text(query.clone()).await == expected).then_some(())
        })
        .await;
    }
}

const LIFE: &str = "status || ' ' || attempts || ' ' || purpose || ' ' || coalesce(country, '?') || ' ' || \
    CAST(sent_at IS NOT NULL AS text) || ' ' || CAST(verified_at IS NOT NULL AS text)";

fn flags(app: &TestApp, line: &str) -> String {
    match app.variable("DATABASE_URL") {
        Some(_) => line.replace('+', "true").replace('-', "false"),
        None => line.replace('+', "1").replace('-', "0"),
    }
}

on_both! {
    async fn a_verified_phone_leaves_its_story(app) {
        let account = app.register(PHONE).await;
        // Nobody has this one: no SMS, no row.
        app.send(NOBODYS, None).await;
        for _ in 0..3 {
            app.verify(NOBODYS, "000000", None).await;
        }
        let first = app.code(PHONE, None).await;
        for _ in 0..2 {
            app.verify(PHONE, &wrong(&first), None).await;
        }
        app.pass(60);
        let second = app.code(PHONE, Some(&account.access)).await;
        assert_eq!(app.verify(PHONE, &second, Some(&account.access)).await.status, 200);
        let expected = flags(&app, "sent 2 verify_phone US + -;sent 0 verify_phone US + +");
        app.ledger_says(LIFE, &expected).await;
        app.ledger_says("coalesce(CAST(user_id AS text), '?')", &format!("{0};{0}", account.id)).await;
        let provider = if app.provider.is_some() { "twilio" } else { "dev_inbox" };
        app.ledger_says("provider", &format!("{provider};{provider}")).await;
        assert_eq!(app.metric("ringback_ledger_dropped_total", &[]).await, 0.0);
    }

    async fn a_verified_email_address_leaves_its_story(app) {
        let account = app.register(PHONE).await;
        app.send_email("nobody@example.com", None).await;
        let code = app.email_code(&account.email, None).await;
        app.verify_email(&account.email, &wrong(&code), None).await;
        assert_eq!(app.verify_email(&account.email, &code, None).await.status, 200);
        app.ledger_says(LIFE, &flags(&app, "sent 1 verify_email ? + +")).await;
        let story = "channel || ' ' || provider || ' ' || CAST(user_id AS text)";
        app.ledger_says(story, &format!("email dev_inbox {}", account.id)).await;
    }

    async fn the_last_events_are_written_at_the_end(app) {
        app.register(PHONE).await;
        app.code(PHONE, None).await;
        let mut app = app;
        app.running.take().unwrap().stop().await;
        assert_eq!(app.sql_text("SELECT CAST(count(*) AS text) FROM verifications".to_owned()).await, "1");
    }
}

#[actix_web::test]
async fn a_ledger_that_keeps_nothing_has_no_rows() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &[("RINGBACK__LEDGER__RETENTION", "0s")]).await;
        app.verified(PHONE).await;
        // At its end it writes whatever there is to write.
        let mut app = app;
        app.running.take().unwrap().stop().await;
        let rows = app
            .sql_text("SELECT CAST(count(*) AS text) FROM verifications".to_owned())
            .await;
        assert_eq!(rows, "0", "{backends:?}");
    }
}

#[actix_web::test]
async fn what_happens_while_the_database_is_away_is_written_when_it_is_back() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    app.ledger_says("status", "sent").await;
    let retries = async || app.metric("ringback_ledger_retries_total", &[]).await;
    let before = retries().await;
    proxies.database.go_away();
    app.verify(PHONE, &wrong(&code), None)
        .await
        .is(400, "otp_invalid");
    app.verify(PHONE, &code, None).await.is(503, "unavailable");
    eventually("a try in vain", async || (retries().await > before).then_some(())).await;
    proxies.database.come_back();
    eventually("the database", async || {
        (app.verify(PHONE, &code, None).await.status == 200).then_some(())
    })
    .await;
    app.ledger_says(
        "status || ' ' || attempts || ' ' || CAST(verified_at IS NOT NULL AS text)",
        "sent 1 true",
    )
    .await;
}
