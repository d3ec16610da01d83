//! What operators see of codes, and how they pause a country: at once in all instances, and over by itself.

use serde_json::{Value, json};

use crate::support::{Answer, Backends, TestApp, eventually, on_both, shape};

async fn ops(app: &TestApp, path: &str, body: Value) -> Answer {
    Answer::of(app.client.post(format!("{}{path}", app.ops)).json(&body)).await
}

async fn status(app: &TestApp) -> Value {
    Answer::of(app.client.get(format!("{}/limits/status", app.ops)))
        .await
        .body
}

on_both! {
    async fn a_paused_country_is_refused_with_and_without_an_account_and_goes_on_by_itself(app) {
        app.register("+14152000001").await;
        let us = json!({ "country": "US", "seconds": "7200" });
        assert_eq!(ops(&app, "/limits/pause", us).await.body, json!({ "what": "US", "paused": true, "event": true }));
        let (known, unknown) = (app.send("+14152000001", None).await, app.send("+14152000777", None).await);
        known.is(429, "rate_limited");
        assert_eq!(known.text("rule"), "paused");
        assert!((7190..=7200).contains(&known.body["retry_after"].as_u64().unwrap()));
        assert_eq!(shape(&known), shape(&unknown));
        let question = |on: &str| json!({ "on": on, "ip": "127.0.0.1", "phone": "+14152000001" });
        assert_eq!(ops(&app, "/limits/explain", question("otp.send")).await.body["refused_by"], "paused");
        assert_eq!(ops(&app, "/limits/explain", question("otp.verify")).await.body["refused_by"], Value::Null);
        app.post("/api/users/password/forgot/", json!({ "phone": "+14152000001" })).await.is(429, "rate_limited");
        assert_eq!(app.send("+447911123456", None).await.status, 200, "another country");
        assert_eq!(status(&app).await["pauses"][0]["what"], "US");
        app.pass(7201);
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        assert_eq!(status(&app).await["pauses"], json!([]));
    }

    async fn a_prefix_is_paused_and_resumed(app) {
        let prefix = json!({ "prefix": "+1415200", "seconds": "60" });
        ops(&app, "/limits/pause", prefix.clone()).await;
        app.send("+14152000001", None).await.is(429, "rate_limited");
        assert_eq!(app.send("+14153000001", None).await.status, 200);
        let question = json!({ "on": "otp.send", "ip": "127.0.0.1", "phone": "+14152000001" });
        let told = ops(&app, "/limits/explain", question).await;
        let paused = told.body["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "paused");
        assert_eq!(paused.unwrap()["by"], "prefix:7");
        for (was_paused, event) in [(true, json!(true)), (false, json!(null))] {
            let told = ops(&app, "/limits/resume", prefix.clone()).await;
            assert_eq!(told.body, json!({ "what": "1415200", "paused": was_paused, "event": event }));
        }
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        for wrong in [
            json!({ "seconds": "60" }),
            json!({ "country": "US", "prefix": "1", "seconds": "60" }),
            json!({ "country": "XX", "seconds": "60" }),
            json!({ "prefix": "+141520000", "seconds": "60" }),
            json!({ "country": "US", "seconds": "0" }),
            json!({ "country": "US" }),
            json!({ "country": "US", "seconds": "60", "reason": " " }),
        ] {
            ops(&app, "/limits/pause", wrong).await.is(400, "validation_failed");
        }
    }

    async fn what_strangers_spend_keeps_no_administrator_out(app) {
        let account = app.register("+14155550101").await;
        app.own_email(&account).await;
        app.own_phone(&account).await;
        app.grant(&account, "admin").await;
        let spent = |by: &str| format!("[[rule]]\nid='by-{by}'\non='otp.send'\nby='{by}'\nquota=1\nper='1d'\n");
        app.limit(&["global", "country", "prefix", "phone"].map(spent).concat()).await;
        assert_eq!(app.send("+14155550102", None).await.status, 200);
        app.send("+14155550103", None).await.is(429, "rate_limited");
        ops(&app, "/limits/pause", json!({ "country": "US", "seconds": "7200" })).await;
        app.send("+14155550103", None).await.is(429, "rate_limited");
        for _ in 0..2 {
            app.prove(&account).await;
        }
        // Where no SMS goes to the phone's country any more, an e-mail does.
        app.pass(60);
        let narrower = app.sibling_with(&[("RINGBACK__SMS__COUNTRIES_ALLOW", "DE")]).await;
        let (token, _) = narrower.log_in(&account).await;
        let sent = narrower.administer("POST", "/api/admin/session/", None, Some(&token)).await;
        assert_eq!(sent.text("email"), account.email, "{sent:?}");
        let question = json!({ "on": "otp.send", "ip": "127.0.0.1", "phone": account.phone });
        assert_eq!(ops(&narrower, "/limits/explain", question).await.body["phone_not_supported"], true);
    }

    async fn an_operators_pause_is_an_event_like_an_administrators(app) {
        let body = |reason: Value| json!({ "country": "US", "seconds": "60", "reason": reason });
        ops(&app, "/limits/pause", body(json!("somebody pumps"))).await;
        ops(&app, "/limits/pause", body(json!(null))).await;
        for _ in 0..2 {
            ops(&app, "/limits/resume", body(json!("it is over"))).await;
        }
        let events = |of: &str| app.sql_text(format!("SELECT CAST(count(*) AS text) FROM events WHERE actor = 'operator' AND {of}"));
        for (of, count) in [
            ("kind = 'limits.paused'", "2"),
            ("kind = 'limits.paused' AND reason = 'somebody pumps'", "1"),
            ("kind = 'limits.paused' AND CAST(details AS text) LIKE '%US%' AND CAST(details AS text) LIKE '%60%'", "2"),
            ("kind = 'limits.resumed' AND reason = 'it is over'", "1"),
        ] {
            assert_eq!(events(of).await, count, "{of}");
        }
    }

    async fn the_status_tells_what_became_of_codes_and_what_they_cost(app) {
        app.limit("[[rule]]\nid='asks'\non='otp.send'\nby='prefix:7'\ncounts='messages'\nquota=2\nper='1d'\nmode='prove'\nceiling=4\n").await;
        app.verified("+14152000001").await;
        app.register("+14152000002").await;
        assert_eq!(app.send("+14152000002", None).await.status, 200);
        assert_eq!(app.send("+14153000002", None).await.status, 200, "a decoy costs nothing");
        app.send("+14152000003", None).await.is(428, "proof_required");
        let told = status(&app).await;
        let us = json!({ "of": "US", "issued": 2, "verified": 1, "spent": 240 });
        assert_eq!(told["countries"], json!([us]));
        assert_eq!(told["prefixes"], json!([{ "of": "+141520", "issued": 2, "verified": 1, "spent": 240 }]));
        assert_eq!((&told["currency"], &told["asking"][0]["rule"]), (&json!("USD"), &json!("asks")));
        // The metric is one for all tests of this process: this one has a country of its own, on two kinds of backends.
        let faroese = async || app.metric("ringback_sms_codes_total", &["\"FO\"", "issued"]).await;
        let issued = faroese().await;
        app.verified("+298211234").await;
        assert!((issued + 1.0..=issued + 2.0).contains(&faroese().await));
        app.pass(7200);
        assert_eq!(status(&app).await["countries"], json!([]), "of the last hour");
    }
}

#[actix_web::test]
async fn a_pause_holds_in_all_instances_within_a_second() {
    let app = TestApp::start(Backends::Servers).await;
    let other = app.sibling().await;
    ops(
        &app,
        "/limits/pause",
        json!({ "country": "US", "seconds": "600" }),
    )
    .await;
    eventually("the pause", async || {
        let answer = other.send("+14152000001", None).await;
        (answer.body["rule"] == "paused").then_some(())
    })
    .await;
    ops(&other, "/limits/resume", json!({ "country": "US" })).await;
    eventually("its end", async || {
        // Not within the cooldown of the one before.
        app.pass(61);
        (app.send("+14152000001", None).await.status == 200).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_operators_pause_holds_without_a_database_and_says_that_there_is_no_event() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    proxies.database.go_away();
    let body = json!({ "country": "US", "seconds": "600" });
    let told = ops(&app, "/limits/pause", body.clone()).await;
    assert_eq!(told.body, json!({ "what": "US", "paused": true, "event": false }));
    let refused = app.send("+14152000001", None).await;
    assert_eq!(refused.body["rule"], "paused", "{refused:?}");
    let told = ops(&app, "/limits/resume", body).await;
    assert_eq!(told.body, json!({ "what": "US", "paused": true, "event": false }));
}
