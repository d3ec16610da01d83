//! Administrators and limits: a country is paused and goes on, who is refused now, what shadow rules would have done.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    console::Visitor,
    support::{Answer, TestApp, eventually, on_both},
};

const PAUSE: &str = "/api/admin/limits/pause/";
const RESUME: &str = "/api/admin/limits/resume/";

async fn post(app: &TestApp, path: &str, body: Value, token: &str) -> Answer {
    app.administer("POST", path, Some(body), Some(token)).await
}

async fn limits(app: &TestApp, token: &str) -> Value {
    let answer = app
        .administer("GET", "/api/admin/limits/", None, Some(token))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The events of a kind, the newest first.
async fn events(app: &TestApp, kind: &str, token: &str) -> Vec<Value> {
    let path = format!("/api/admin/events/?kind={kind}");
    let answer = app.administer("GET", &path, None, Some(token)).await;
    answer.body["events"].as_array().unwrap().clone()
}

fn pause(country: &str, seconds: u64) -> Value {
    json!({ "country": country, "seconds": seconds, "reason": "somebody pumps" })
}

on_both! {
    async fn a_country_is_paused_once_however_often_it_is_asked_for(app) {
        let admin = app.administrator("admin", "+14155550401").await;
        app.register("+33612345678").await;
        let first = post(&app, PAUSE, pause("FR", 7200), &admin.access).await;
        assert_eq!((first.status, &first.body["what"]), (200, &json!("FR")), "{first:?}");
        assert!(first.text("until").ends_with('Z'));
        app.send("+33612345678", None).await.is(429, "rate_limited");
        assert_eq!(limits(&app, &admin.access).await["pauses"], json!([first.body]));
        // A double click, a shorter pause: it stays as it is, with one event.
        app.pass(59);
        for seconds in [7200, 60] {
            let again = post(&app, PAUSE, pause("FR", seconds), &admin.access).await;
            assert_eq!(again.body, first.body);
        }
        let paused = events(&app, "limits.paused", &admin.access).await;
        assert_eq!(paused.len(), 1);
        let event = &paused[0];
        assert_eq!((&event["actor"], &event["actor_id"], &event["user_id"]), (&json!("administrator"), &json!(admin.account.id), &Value::Null));
        assert_eq!((&event["reason"], &event["details"]), (&json!("somebody pumps"), &json!({ "country": "FR", "seconds": 7200 })));
        // A longer one takes its place.
        let longer = post(&app, PAUSE, pause("FR", 9000), &admin.access).await;
        assert_ne!(longer.body, first.body);
        assert_eq!(events(&app, "limits.paused", &admin.access).await.len(), 2);
        for _ in 0..2 {
            let resumed = post(&app, RESUME, json!({ "country": "FR", "reason": "it is over" }), &admin.access).await;
            assert_eq!((resumed.status, &resumed.body), (200, &json!({ "what": "FR", "until": null })));
        }
        assert_eq!(app.send("+33612345678", None).await.status, 200);
        let resumed = events(&app, "limits.resumed", &admin.access).await;
        assert_eq!((resumed.len(), &resumed[0]["reason"]), (1, &json!("it is over")));
        // What is over by itself can't be ended any more.
        post(&app, PAUSE, json!({ "prefix": "+33612", "seconds": 60, "reason": "why" }), &admin.access).await;
        assert_eq!(events(&app, "limits.paused", &admin.access).await[0]["details"], json!({ "prefix": 33612, "seconds": 60 }));
        app.pass(61);
        post(&app, RESUME, json!({ "prefix": "33612", "reason": "why" }), &admin.access).await;
        assert_eq!(events(&app, "limits.resumed", &admin.access).await.len(), 1);
    }

    async fn of_administrators_who_pause_at_once_one_does(app) {
        let admins = [app.administrator("admin", "+14155550402").await, app.administrator("admin", "+14155550403").await];
        let each = || (0..8).map(|n| &admins[n % 2].access);
        let answers = join_all(each().map(|token| post(&app, PAUSE, pause("FR", 3600), token))).await;
        let untils: Vec<_> = answers.iter().map(|answer| answer.text("until")).collect();
        assert!(untils.iter().all(|until| *until == untils[0]), "{untils:?}");
        assert_eq!(events(&app, "limits.paused", &admins[0].access).await.len(), 1);
        let resume = || json!({ "country": "FR", "reason": "it is over" });
        let answers = join_all(each().map(|token| post(&app, RESUME, resume(), token))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(events(&app, "limits.resumed", &admins[0].access).await.len(), 1);
    }

    async fn what_is_no_pause_is_named(app) {
        let admin = app.administrator("admin", "+14155550404").await;
        for (body, fields) in [
            (json!({}), vec!["country", "reason", "seconds"]),
            (json!({ "country": "us", "seconds": 60, "reason": "why" }), vec!["country"]),
            (json!({ "country": "US", "prefix": "1", "seconds": 60, "reason": "why" }), vec!["country"]),
            (json!({ "prefix": "0123", "seconds": 60, "reason": "why" }), vec!["prefix"]),
            (json!({ "prefix": "123456789", "seconds": 60, "reason": "why" }), vec!["prefix"]),
            (json!({ "prefix": 99291, "seconds": 60, "reason": "why" }), vec!["prefix"]),
            (json!({ "country": "US", "seconds": 0, "reason": "why" }), vec!["seconds"]),
            (json!({ "country": "US", "seconds": 2_592_001, "reason": "why" }), vec!["seconds"]),
            (json!({ "country": "US", "seconds": "60", "reason": "why" }), vec!["seconds"]),
            (json!({ "country": "US", "seconds": null, "reason": "a\nb" }), vec!["reason", "seconds"]),
            (json!({ "country": "US", "seconds": 60, "reason": " " }), vec!["reason"]),
        ] {
            assert_eq!(post(&app, PAUSE, body.clone(), &admin.access).await.faulty_fields(), fields, "{body}");
        }
        assert_eq!(post(&app, RESUME, json!({ "country": "US" }), &admin.access).await.faulty_fields(), ["reason"]);
        assert_eq!(post(&app, RESUME, json!({ "reason": "why" }), &admin.access).await.faulty_fields(), ["country"]);
        assert_eq!(limits(&app, &admin.access).await["pauses"], json!([]));
    }

    async fn who_is_refused_now_is_shown_by_rule_network_and_account(app) {
        let support = app.administrator("support", "+14155550405").await;
        let user = app.register("+14155550406").await;
        app.limit("[[rule]]\nid='looks'\non='me'\nby='user'\nquota=1\nper='1h'\n").await;
        app.begin_minute();
        for status in [200, 429, 429, 429] {
            assert_eq!(app.get_as("/api/users/me/", &user.access).await.status, status);
        }
        app.login("nobody@example.com", "wrong-otter-47").await.is(401, "invalid_credentials");
        app.pass(60);
        let refused = eventually("the minute", async || {
            let refused = limits(&app, &support.access).await["refused"].as_array().unwrap().clone();
            (refused.len() >= 2).then_some(refused)
        }).await;
        let row = &refused[0];
        assert_eq!((&row["rule"], &row["kind"], &row["times"]), (&json!("looks"), &json!("request.refused"), &json!(3)));
        assert_eq!((&row["network"], &row["user_id"]), (&json!("127.0.0.0/24"), &json!(user.id)));
        assert_eq!((&refused[1]["kind"], &refused[1]["user_id"]), (&json!("login.failed"), &Value::Null));
        let page = Visitor::signed_in(&app, &support).await.get("/admin/limits/").await.raw;
        assert!(page.contains("<td>looks</td>") && page.contains(&format!("/admin/users/{}/", user.id)), "{page}");
        // Support sees; it doesn't pause.
        assert!(!page.contains("/admin/limits/pause/"), "{page}");
        app.pass(900);
        app.limit("[[rule]]\nid='other'\non='register'\nby='ip'\nquota=1000\nper='1h'\n").await;
        let support = app.prove(&support.account).await;
        let later = limits(&app, &support.access).await["refused"].clone();
        assert!(!later.to_string().contains("looks"), "{later}");
        assert!(!events(&app, "limits.read", &support.access).await.is_empty());
    }

    async fn shadow_rules_say_whom_they_would_have_turned_away(app) {
        let support = app.administrator("support", "+14155550407").await;
        app.limit("[[rule]]\nid='tight'\non='otp.send'\nby='country'\nquota=1\nper='1d'\nmode='shadow'\n").await;
        app.verified("+33612345671").await;
        app.verified("+33612345672").await;
        app.register("+33612345673").await;
        assert_eq!(app.send("+33612345673", None).await.status, 200);
        let shown = limits(&app, &support.access).await;
        let shadow = &shown["shadows"][0];
        assert_eq!((&shadow["rule"], &shadow["refused"], &shadow["issued"], &shadow["verified"]), (&json!("tight"), &json!(2), &json!(2), &json!(1)), "{shown}");
        assert_eq!((&shown["rules"][0]["id"], &shown["rules"][0]["mode"]), (&json!("tight"), &json!("shadow")));
        assert_eq!((&shown["codes"][0]["country"], &shown["codes"][0]["issued"], &shown["codes"][0]["verified"]), (&json!("FR"), &json!(3), &json!(2)));
        // Where it is enforced, nothing is left of it.
        app.limit("[[rule]]\nid='loose'\non='otp.send'\nby='country'\nquota=100\nper='1d'\n").await;
        assert_eq!(limits(&app, &support.access).await["shadows"], json!([]));
    }

    async fn a_country_is_paused_and_resumed_by_forms(app) {
        let admin = app.administrator("admin", "+14155550408").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let page = visitor.get("/admin/limits/").await.raw;
        let form = [("country", " tj"), ("prefix", ""), ("seconds", "7200"), ("reason", "<b>pumping</b>")];
        for says in ["It is paused.", "nothing changed"] {
            let answer = visitor.post_with("/admin/limits/pause/", &form, &page, &[]).await;
            assert_eq!((answer.status, answer.header("location")), (303, "/admin/limits/"), "{}", answer.raw);
            let shown = visitor.get(answer.header("location")).await.raw;
            assert!(shown.contains(says) && shown.contains("<td>TJ (Tajikistan)</td>") && shown.contains("<option value=\"TJ\">TJ (Tajikistan)</option>"), "{shown}");
        }
        // What an address says is not what the page says.
        let shown = visitor.get("/admin/limits/?done=%3Cscript%3E").await.raw;
        assert!(!shown.contains("script") && !shown.contains("role=\"status\""), "{shown}");
        let log = visitor.get("/admin/events/?kind=limits.paused").await.raw;
        assert!(log.contains("&lt;b&gt;pumping") && log.contains("country: TJ"), "{log}");
        let wrong = visitor.post_with("/admin/limits/pause/", &[("country", "TJ"), ("seconds", "1e9"), ("reason", "why")], &page, &[]).await;
        assert!(wrong.status == 400 && wrong.raw.contains("role=\"alert\""), "{}", wrong.raw);
        // Pages of other sites, and forms of other sign-ins.
        for (token, headers) in [(page.as_str(), [("sec-fetch-site", "cross-site")]), ("name=\"csrf\" value=\"AAAA\"", [("sec-fetch-site", "same-origin")])] {
            let forged = visitor.post_with("/admin/limits/resume/", &[("what", "TJ"), ("reason", "why")], token, &headers).await;
            assert_eq!(forged.status, 403);
        }
        assert_eq!(limits(&app, &admin.access).await["pauses"][0]["what"], "TJ");
        // The page is stale by the second time.
        for says in ["It is resumed. Codes go to TJ (Tajikistan) again.", "TJ (Tajikistan) was not paused any more"] {
            let answer = visitor.post_with("/admin/limits/resume/", &[("what", "TJ"), ("reason", "why")], &page, &[]).await;
            let shown = visitor.get(answer.header("location")).await.raw;
            assert!(shown.contains(says), "{shown}");
        }
        assert_eq!(events(&app, "limits.resumed", &admin.access).await.len(), 1);
        for what in ["", "<b>", "XX"] {
            assert_eq!(visitor.post_with("/admin/limits/resume/", &[("what", what), ("reason", "why")], &page, &[]).await.status, 400);
        }
        // The role went while the page was open.
        app.grant(&admin.account, "support").await;
        let answer = visitor.post_with("/admin/limits/pause/", &form, &page, &[]).await;
        assert_eq!(answer.status, 403);
    }
}
