//! Limits as clients meet them: each operation's rules, in both scopes, and the file as it changes under the service.

use serde_json::json;

use crate::support::{Account, Answer, Backends, TestApp, eventually, on_both, registration};

/// Every operation there is, by its name in a rule.
const OPERATIONS: [&str; 7] = [
    "register",
    "login",
    "otp.send",
    "otp.verify",
    "otp.status",
    "me",
    "token.refresh",
];

/// A request of this operation that is as good as it can be; `nonce` keeps accounts apart.
async fn act(app: &TestApp, operation: &str, account: &Account, nonce: usize) -> Answer {
    let phone = &account.phone;
    match operation {
        "register" => {
            let email = format!("nonce{nonce}@example.com");
            app.post("/api/users/register/", registration(&email, phone))
                .await
        }
        "login" => {
            let login = json!({ "email": account.email, "password": "securepass123" });
            app.post("/api/users/login/", login).await
        }
        "otp.send" => {
            app.pass(61); // past the cooldown
            app.send(phone, None).await
        }
        "otp.verify" => app.verify(phone, "000000", None).await,
        "otp.status" => {
            app.get("/api/users/otp-status/00000000-0000-4000-8000-000000000000/")
                .await
        }
        "token.refresh" => {
            let body = json!({ "refresh": account.refresh });
            app.post("/api/users/token/refresh/", body).await
        }
        "me" => app.get_as("/api/users/me/", &account.access).await,
        other => panic!("no operation {other}"),
    }
}

/// The status of [`act`] where no rule refuses.
fn admitted(operation: &str) -> u16 {
    match operation {
        "register" => 201,
        "otp.verify" => 400,
        "otp.status" => 404,
        _ => 200,
    }
}

fn rule(id: &str, on: &str, by: &str, quota: u32, scope: &str, mode: &str) -> String {
    format!(
        "[[rule]]\nid = '{id}'\non = '{on}'\nby = '{by}'\nquota = {quota}\nper = '1d'\n\
         scope = '{scope}'\nmode = '{mode}'\n"
    )
}

on_both! {
    async fn each_operation_is_limited_in_both_scopes(app) {
        let mut nonce = 0;
        for scope in ["instance", "cluster"] {
            for operation in OPERATIONS {
                nonce += 1;
                let account = app.register(&format!("+14152000{nonce:03}")).await;
                let id = format!("{}-{scope}", operation.replace('.', "-"));
                app.limit(&rule(&id, operation, "ip", 2, scope, "enforce")).await;
                for _ in 0..2 {
                    nonce += 1;
                    let answer = act(&app, operation, &account, nonce).await;
                    assert_eq!(answer.status, admitted(operation), "{id}: {answer:?}");
                }
                let before = app.effects().await;
                for _ in 0..2 {
                    nonce += 1;
                    let answer = act(&app, operation, &account, nonce).await;
                    answer.is(429, "rate_limited");
                    assert_eq!((answer.text("rule"), answer.text("scope")), (id.as_str(), scope), "{operation}");
                }
                assert_eq!(app.effects().await, before, "{operation}: what is refused has no effect");
                for other in OPERATIONS.iter().filter(|other| **other != operation) {
                    nonce += 1;
                    let answer = act(&app, other, &account, nonce).await;
                    assert_eq!(answer.status, admitted(other), "{other} under {id}: {answer:?}");
                }
                app.pass(86_400);
                let account = app.register(&format!("+14153000{nonce:03}")).await;
                nonce += 1;
                let answer = act(&app, operation, &account, nonce).await;
                assert_eq!(answer.status, admitted(operation), "{id} after its time: {answer:?}");
                app.limit("").await;
            }
        }
    }

    async fn a_token_that_is_refused_counts_nowhere(app) {
        for scope in ["instance", "cluster"] {
            let account = app.register(&format!("+141520{:05}", scope.len())).await;
            let login = json!({ "email": account.email, "password": "securepass123" });
            let other = app.post("/api/users/login/", login).await;
            let other = other.body["tokens"]["access"].as_str().unwrap().to_owned();
            app.post_as("/api/users/logout/", json!({}), Some(&account.access)).await;
            app.limit(&rule(&format!("me-{scope}"), "me", "user", 2, scope, "enforce")).await;
            for _ in 0..5 {
                app.get_as("/api/users/me/", &account.access).await.is(401, "token_revoked");
            }
            for status in [200, 200, 429] {
                assert_eq!(app.get_as("/api/users/me/", &other).await.status, status, "{scope}");
            }
            app.limit("").await;
        }
    }

    async fn a_rule_on_any_counts_all_operations_together(app) {
        for scope in ["instance", "cluster"] {
            let (account, id) = (app.register("+14152000001").await, format!("any-{scope}"));
            app.limit(&rule(&id, "any", "ip", 7, scope, "enforce")).await;
            for (nonce, operation) in OPERATIONS.iter().enumerate() {
                let answer = act(&app, operation, &account, nonce + 10 * scope.len()).await;
                assert_eq!(answer.status, admitted(operation), "{id} {operation}: {answer:?}");
            }
            for (nonce, operation) in OPERATIONS.iter().enumerate() {
                let answer = act(&app, operation, &account, nonce + 200).await;
                answer.is(429, "rate_limited");
                assert_eq!(answer.text("rule"), id, "{operation}");
            }
            app.limit("").await;
        }
    }

    async fn a_rule_counts_by_what_it_says(app) {
        // By: one that is counted together with the first, and one that isn't.
        let cases = [
            ("phone", "+1 415 200 0001", Some("+14152000002")),
            ("prefix", "+14152099999", Some("+14153000001")),
            ("country", "+12125550100", Some("+442079460958")),
            ("global", "+442079460958", None),
        ];
        for scope in ["instance", "cluster"] {
            for (by, same, other) in cases {
                let id = format!("by-{by}-{scope}");
                app.limit(&rule(&id, "otp.verify", by, 1, scope, "enforce")).await;
                app.verify("+14152000001", "000000", None).await.is(400, "otp_expired");
                let answer = app.verify(same, "000000", None).await;
                answer.is(429, "rate_limited");
                assert_eq!(answer.text("rule"), id);
                if let Some(other) = other {
                    app.verify(other, "000000", None).await.is(400, "otp_expired");
                }
            }
            let (one, two) = (app.register("+14152000001").await, app.register("+14152000002").await);
            let id = format!("by-user-{scope}");
            app.limit(&rule(&id, "me", "user", 1, scope, "enforce")).await;
            assert_eq!(app.get_as("/api/users/me/", &one.access).await.status, 200);
            app.get_as("/api/users/me/", &one.access).await.is(429, "rate_limited");
            assert_eq!(app.get_as("/api/users/me/", &two.access).await.status, 200);
            app.limit(&rule("send-by-user", "otp.send", "user", 1, scope, "enforce")).await;
            for status in [200, 429] {
                app.pass(61);
                assert_eq!(app.send(&one.phone, Some(&one.access)).await.status, status);
                assert_eq!(app.send("+14152009999", None).await.status, 200, "nobody signed in, nothing to count by");
            }
            app.limit("").await;
        }
    }

    async fn a_shadow_rule_is_counted_and_never_refuses(app) {
        for scope in ["instance", "cluster"] {
            // Metrics are the whole process's: a name that no other test has.
            let id = format!("shadow-{scope}-{}", if app.provider.is_some() { "servers" } else { "embedded" });
            for operation in ["login", "otp.send", "me"] {
                let account = app.register("+14152000001").await;
                app.limit(&rule(&id, operation, "ip", 1, scope, "shadow")).await;
                let labels = [format!("rule=\"{id}\""), "outcome=\"shadow_refused\"".to_owned()];
                let labels = [labels[0].as_str(), labels[1].as_str()];
                let before = app.metric("ringback_limiter_decisions_total", &labels).await;
                for nonce in 0..4 {
                    let answer = act(&app, operation, &account, nonce).await;
                    assert_eq!(answer.status, 200, "{operation}: {answer:?}");
                }
                let counted = app.metric("ringback_limiter_decisions_total", &labels).await - before;
                assert!((3.0..=4.0).contains(&counted), "{operation} {scope}: {counted}");
                app.limit(&rule(&id, operation, "ip", 1, scope, "off")).await;
                for nonce in 0..3 {
                    assert_eq!(act(&app, operation, &account, nonce).await.status, 200);
                }
            }
        }
    }

    async fn of_several_rules_the_strictest_speaks_and_the_others_lose_nothing(app) {
        let rules = [rule("wide", "otp.verify", "ip", 4, "instance", "enforce"),
                     rule("narrow", "otp.verify", "phone", 1, "cluster", "enforce")].concat();
        app.limit(&rules).await;
        app.verify("+14152000001", "000000", None).await.is(400, "otp_expired");
        for _ in 0..10 {
            let answer = app.verify("+14152000001", "000000", None).await;
            answer.is(429, "rate_limited");
            assert_eq!(answer.text("rule"), "narrow");
        }
        for phone in ["+14152000002", "+14152000003", "+14152000004"] {
            app.verify(phone, "000000", None).await.is(400, "otp_expired");
        }
        let answer = app.verify("+14152000005", "000000", None).await;
        assert_eq!((answer.status, answer.text("rule")), (429, "wide"), "ten refusals spent nothing of it");
    }

    async fn the_file_is_taken_while_the_service_runs_and_counters_are_kept(app) {
        let login = json!({ "email": "nobody@example.com", "password": "securepass123" });
        let status = async || app.post("/api/users/login/", login.clone()).await.status;
        app.write_limits(&rule("live", "login", "ip", 1, "instance", "enforce"));
        eventually("the rule", async || (status().await == 429).then_some(())).await;
        // Written with another quota: what was counted still counts.
        app.write_limits(&rule("live", "login", "ip", 2, "instance", "enforce"));
        eventually("the wider rule", async || (status().await == 401).then_some(())).await;
        assert_eq!(status().await, 429);
        // A faulty file is refused whole, and said so.
        let good = rule("new", "login", "ip", 1000, "instance", "enforce");
        app.write_limits(&format!("{good}[[rule]]\nid = 'bad'\non = 'nothing'\n"));
        let ready = eventually("a warning", async || {
            let ready = app.get("/readyz").await;
            (ready.body["warnings"] != json!([])).then_some(ready)
        }).await;
        assert_eq!(ready.status, 200, "the last good file is in force: {ready:?}");
        assert!(ready.body["warnings"].to_string().contains("limits file"), "{ready:?}");
        assert_eq!(status().await, 429);
        app.write_limits("");
        eventually("no limits", async || (status().await == 401).then_some(())).await;
        assert_eq!(app.get("/readyz").await.body["warnings"], json!([]));
    }
}

#[actix_web::test]
async fn a_cluster_rule_is_counted_once_for_all_instances_and_an_instance_rule_by_each() {
    let app = TestApp::start(Backends::Servers).await;
    let other = app.sibling().await;
    let login = json!({ "email": "nobody@example.com", "password": "securepass123" });
    for (scope, passing) in [("cluster", 4), ("instance", 8)] {
        for instance in [&app, &other] {
            instance
                .limit(&rule(scope, "login", "ip", 4, scope, "enforce"))
                .await;
        }
        let requests = (0..40).map(|nth| {
            let instance = [&app, &other][nth % 2];
            instance.post("/api/users/login/", login.clone())
        });
        let answers = futures_util::future::join_all(requests).await;
        let passed = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!(passed, passing, "{scope}");
        for answer in answers.iter().filter(|answer| answer.status != 401) {
            answer.is(429, "rate_limited");
        }
    }
}
