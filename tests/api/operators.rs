//! Rate limits as clients meet them, and as operators see and change them while the service runs.

use std::{net::Ipv6Addr, sync::Arc};

use serde_json::{Value, json};

use crate::support::{Answer, Backends, PASSWORD, TestApp, eventually, on_both};

/// Puts rules in force.
async fn limit(app: &TestApp, rules: &str) {
    std::fs::write(app.folder.0.join("config/limits.toml"), rules).unwrap();
    let wanted = rules.matches("[[rule]]").count();
    let ids: Vec<_> = rules
        .split("id='")
        .skip(1)
        .map(|rest| rest.split('\'').next().unwrap())
        .collect();
    eventually("the rules", async || {
        let shown = app
            .client
            .get(format!("{}/limits", app.ops))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let all = ids.iter().all(|id| shown.contains(&format!("id    = \"{id}\"")));
        (all && shown.matches("[[rule]]").count() == wanted).then_some(())
    })
    .await;
}

async fn ops(app: &TestApp, path: &str, body: Value) -> Answer {
    Answer::of(app.client.post(format!("{}{path}", app.ops)).json(&body)).await
}

/// A request that costs the service next to nothing, from wherever `header` says.
async fn refresh(app: &TestApp, header: (&str, &str)) -> u16 {
    let request = app
        .client
        .post(format!("{}/api/users/token/refresh/", app.address));
    let request = request
        .header(header.0, header.1)
        .json(&json!({ "refresh": "no token" }));
    request.send().await.unwrap().status().as_u16()
}

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    app.post(
        "/api/users/login/",
        json!({ "email": email, "password": password }),
    )
    .await
}

/// The wait that a refusal tells.
fn refused_by(answer: &Answer, rule: &str) -> u64 {
    answer.is(429, "rate_limited");
    assert_eq!(answer.body["rule"], rule, "{answer:?}");
    answer.body["retry_after"].as_u64().unwrap()
}

on_both! {
    async fn a_thousand_forged_addresses_gain_nothing(app) {
        limit(&app, "[[rule]]\nid='forged'\non='token.refresh'\nby='ip'\nquota=5\nper='1d'\n").await;
        let mut passed = 0;
        for n in 0..1000_u32 {
            let (a, b) = (n / 250, n % 250);
            let (plain, standard) = (format!("198.51.{a}.{b}"), format!("for=198.51.{a}.{b}"));
            let header = if n % 2 == 0 { ("X-Forwarded-For", plain.as_str()) } else { ("Forwarded", standard.as_str()) };
            passed += usize::from(refresh(&app, header).await != 429);
        }
        assert_eq!(passed, 5);
    }

    async fn an_account_that_is_guessed_at_makes_the_guesser_wait(app) {
        let rules = "[[rule]]\nid='guess-minute'\non='login'\nby='user'\nquota=3\nper='1m'\n
                     [[rule]]\nid='guess-day'\non='login'\nby='user'\nquota=5\nper='1d'\n";
        limit(&app, rules).await;
        let jane = app.register("+14152000001").await;
        for _ in 0..10 {
            assert_eq!(login(&app, &jane.email, PASSWORD).await.status, 200, "a right password is given back");
        }
        for email in [jane.email.as_str(), "nobody@example.com"] {
            for _ in 0..3 {
                login(&app, email, "wrong-password").await.is(401, "invalid_credentials");
            }
            let wait = refused_by(&login(&app, email, PASSWORD).await, "guess-minute");
            assert!((15..=20).contains(&wait), "{wait}");
        }
        app.pass(60);
        for email in [jane.email.as_str(), "nobody@example.com"] {
            for _ in 0..2 {
                login(&app, email, "wrong-password").await.is(401, "invalid_credentials");
            }
            let wait = refused_by(&login(&app, email, PASSWORD).await, "guess-day");
            assert!((17_000..=17_280).contains(&wait), "the waits grow: {wait}");
        }
        let joe = app.register("+14152000002").await;
        assert_eq!(login(&app, &joe.email.to_uppercase(), PASSWORD).await.status, 200, "others are let in");
    }

    async fn operators_see_what_a_shadow_rule_would_cost(app) {
        let id = format!("tried-{}", app.register("+14152000009").await.id);
        let rule = format!("[[rule]]\nid='{id}'\non='otp.send'\nby='global'\nquota=1\nper='1d'\nmode='shadow'\n");
        let own = format!("[[rule]]\nid='own-{id}'\non='otp.send'\nby='phone'\nquota=1\nper='1d'\nmode='shadow'\n");
        limit(&app, &(rule + &own)).await;
        app.verified("+14152000001").await;
        app.verified("+14152000002").await;
        app.register("+14152000003").await;
        for _ in 0..2 {
            assert_eq!(app.send("+14152000003", None).await.status, 200, "a shadow refuses nobody");
            app.pass(61);
        }
        for (rule, issued, verified) in [(id.clone(), 3.0, 1.0), (format!("own-{id}"), 1.0, 0.0)] {
            let rule = format!("rule=\"{rule}\"");
            let challenges = async |outcome: &str| {
                app.metric("ringback_limiter_shadow_challenges_total", &[&rule, &format!("\"{outcome}\"")]).await
            };
            assert_eq!((challenges("issued").await, challenges("verified").await), (issued, verified), "{rule}");
            let refused = app.metric("ringback_limiter_decisions_total", &[&rule, "shadow_refused"]).await;
            assert!(refused >= issued, "{rule}: {refused}");
        }
    }

    async fn operators_ask_why_somebody_is_refused_and_help_him(app) {
        let rules = "[[rule]]\nid='send-hour'\non='otp.send'\nby='phone'\nquota=2\nper='1h'\n
                     [[rule]]\nid='send-place'\non='otp.send'\nby=['ip', 'prefix:4']\nquota=9\nper='1h'\nscope='instance'\n";
        limit(&app, rules).await;
        app.register("+14152000001").await;
        let question = json!({ "on": "otp.send", "ip": "127.0.0.1", "phone": "+1 415 200 0001" });
        for refused_by in ["otp-resend-cooldown", "send-hour"] {
            assert_eq!(app.send("+14152000001", None).await.status, 200);
            let told = ops(&app, "/limits/explain", question.clone()).await;
            assert_eq!(told.body["refused_by"], refused_by, "{told:?}");
            app.pass(61);
        }
        refused_by(&app.send("+14152000001", None).await, "send-hour");
        let told = ops(&app, "/limits/explain", question.clone()).await;
        assert_eq!((told.status, &told.body["refused_by"]), (200, &json!("send-hour")));
        let left: Vec<_> = told.body["rules"].as_array().unwrap().iter().map(|rule| (&rule["rule"], &rule["remaining"])).collect();
        let expected = json!([["send-hour", 0], ["send-place", 7], ["otp-max-failures", 10], ["otp-resend-cooldown", 1]]);
        assert_eq!(json!(left), expected);
        let reset = ops(&app, "/limits/reset", json!({ "rule": "send-hour", "key": "+14152000001" })).await;
        assert_eq!(reset.status, 200, "{reset:?}");
        assert_eq!(app.send("+14152000001", None).await.status, 200);

        for (path, body, field) in [
            ("/limits/explain", json!({ "on": "otp.sned", "ip": "127.0.0.1" }), "on"),
            ("/limits/explain", json!({ "on": "me", "ip": "127.0.0.256" }), "ip"),
            ("/limits/explain", json!({ "on": "otp.send", "ip": "::1", "phone": "4152000001" }), "phone"),
            ("/limits/explain", json!({ "on": "me", "ip": "::1", "user": "jane@example.com" }), "user"),
            ("/limits/reset", json!({ "rule": "no-such", "key": "127.0.0.1" }), "rule"),
            ("/limits/reset", json!({ "rule": "send-hour", "key": "127.0.0.1" }), "key"),
            ("/limits/reset", json!({ "rule": "send-place", "key": "127.0.0.1" }), "key"),
        ] {
            let answer = ops(&app, path, body).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"][field].is_array(), "{answer:?}");
        }
        let by = |by: &str| format!("[[rule]]\nid='send-{by}'\non='otp.send'\nby='{by}'\nquota=9\nper='1h'\n");
        limit(&app, &(by("country") + &by("network"))).await;
        let reset = async |rule: &str, key: &str| ops(&app, "/limits/reset", json!({ "rule": rule, "key": key })).await.status;
        // What nothing can be counted by is no customer. Logins are counted by what was typed.
        limit(&app, "[[rule]]\nid='guesses'\non='login'\nby=['ip', 'user']\nquota=9\nper='1h'\n").await;
        let guesses = async |of: &str| reset("guesses", &format!("127.0.0.1,{of}")).await;
        assert_eq!([guesses("jane@example.com").await, guesses("00000000-0000-7000-8000-000000000000").await], [200, 400]);
        limit(&app, &(by("country") + &by("network"))).await;
        let answers = [reset("send-country", "US").await, reset("send-country", "XX").await, reset("send-network", "office").await];
        assert_eq!(answers, [200, 400, 400]);
        app.post("/limits/reset", json!({ "rule": "send-hour", "key": "+14152000001" })).await.is(404, "not_found");
    }

    async fn operators_forget_all_that_holds_somebody_up(app) {
        let jane = app.register("+14152000077").await;
        app.own_phone(&jane).await;
        let rules = "[[rule]]\nid='sends'\non='otp.send'\nby='phone'\nquota=1\nper='1d'\n
                     [[rule]]\nid='logins'\non='login'\nby='user'\nquota=1\nper='1d'\n";
        let rule_of = |answer: &Answer| answer.body["rule"].as_str().unwrap_or_default().to_owned();
        let wrong = json!({ "phone": jane.phone, "password": "not the password" });
        for key in [jane.phone.clone(), format!("{},{}", jane.phone, jane.id), jane.id.clone()] {
            limit(&app, "").await;
            limit(&app, rules).await;
            // The public cooldown and budget, that of the account, and that of the network it has signed in from.
            for token in [None, Some(jane.access.as_str())] {
                assert_eq!(app.send(&jane.phone, token).await.status, 200, "{key}");
                app.send(&jane.phone, token).await.is(429, "resend_cooldown");
            }
            assert_eq!(app.login_code(&jane.phone).await.status, 200, "{key}");
            app.login_code(&jane.phone).await.is(429, "resend_cooldown");
            app.post("/api/users/login/", wrong.clone()).await.is(401, "invalid_credentials");
            assert_eq!(rule_of(&app.post("/api/users/login/", wrong.clone()).await), "logins");
            let asked = json!({ "on": "login", "ip": "127.0.0.1", "phone": jane.phone });
            assert_eq!(ops(&app, "/limits/explain", asked).await.body["refused_by"], "logins");
            let reset = ops(&app, "/limits/reset", json!({ "key": key })).await;
            assert_eq!((reset.status, &reset.body["rule"]), (200, &json!("all")), "{reset:?}");
            for token in [None, Some(jane.access.as_str())] {
                assert_eq!(app.send(&jane.phone, token).await.status, 200, "{key}");
            }
            assert_eq!(app.login_code(&jane.phone).await.status, 200, "{key}");
            app.post("/api/users/login/", wrong.clone()).await.is(401, "invalid_credentials");
            ops(&app, "/limits/reset", json!({ "key": key })).await;
        }
        for key in ["nobody", "+1415"] {
            ops(&app, "/limits/reset", json!({ "key": key })).await.is(400, "validation_failed");
        }
    }

    async fn operators_let_an_address_have_a_code_that_the_otp_rules_hold_up(app) {
        for (n, (named, signed_in)) in [("phone", false), ("phone", true), ("email", false), ("email", true)].into_iter().enumerate() {
            let phone = format!("+1415200010{n}");
            let jane = app.register(&phone).await;
            let token = signed_in.then_some(jane.access.as_str());
            let address = if named == "phone" { &phone } else { &jane.email };
            let send = async || app.post_as(&format!("/api/users/send-{named}-otp/"), json!({ named: address }), token).await;
            let guess = json!({ named: address, "otp": "000000" });
            let reset = async |rule: &str| {
                // As it may be typed.
                let key = if named == "phone" { format!("+1 415 2000 10{n}") } else { address.to_uppercase() };
                let reset = ops(&app, "/limits/reset", json!({ "rule": rule, "key": key })).await;
                assert_eq!((reset.status, &reset.body["by"]), (200, &json!(named)), "{reset:?}");
            };
            assert_eq!(send().await.status, 200);
            send().await.is(429, "resend_cooldown");
            reset("otp-resend-cooldown").await;
            // The tenth wrong code is the first of the fourth one.
            for _ in 0..4 {
                assert_eq!(send().await.status, 200);
                for _ in 0..3 {
                    app.post_as(&format!("/api/users/verify-{named}-otp/"), guess.clone(), token).await;
                }
                app.pass(61);
            }
            refused_by(&send().await, "otp-max-failures");
            let on = json!({ "on": "otp.send", "ip": "127.0.0.1", named: address, "user": token.map(|_| jane.id.clone()) });
            let told = ops(&app, "/limits/explain", on).await;
            assert_eq!(told.body["refused_by"], "otp-max-failures", "{told:?}");
            let rules = told.body["rules"].as_array().unwrap();
            assert_eq!(rules.iter().find(|rule| rule["rule"] == "otp-max-failures").unwrap()["by"], named);
            reset("otp-max-failures").await;
            assert_eq!(send().await.status, 200);
        }
    }

    async fn a_reload_under_load_drops_no_request_and_resets_no_counter(app) {
        let rules = |quota: u32, more: &str| {
            let rule = |id: &str, scope: &str, quota: u32| {
                format!("[[rule]]\nid='{id}'\non='token.refresh'\nby='ip'\nquota={quota}\nper='30d'\nscope='{scope}'\n")
            };
            rule("load-far", "cluster", quota) + &rule("load-near", "instance", quota) + &rule("load-same", "cluster", 3000) + more
        };
        limit(&app, &rules(1000, "")).await;
        let app = Arc::new(app);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let app = Arc::clone(&app);
                actix_web::rt::spawn(async move {
                    for _ in 0..50 {
                        assert_eq!(refresh(&app, ("x-none", "")).await, 401, "let through to be judged");
                    }
                })
            })
            .collect();
        for round in 0..6 {
            let more = "[[rule]]\nid='more'\non='me'\nby='ip'\nquota=9\nper='1h'\n";
            limit(&app, &rules(1000 + round % 2 * 500, if round % 2 == 1 { more } else { "" })).await;
        }
        for client in clients {
            client.await.unwrap();
        }
        limit(&app, &rules(1000, "")).await;
        let told = ops(&app, "/limits/explain", json!({ "on": "token.refresh", "ip": "127.0.0.1" })).await;
        let left: Vec<_> = told.body["rules"].as_array().unwrap().iter().map(|rule| rule["remaining"].clone()).collect();
        assert_eq!(left, [600, 600, 2600], "400 were spent");
    }
}

/// As behind a load balancer.
#[actix_web::test]
async fn the_addresses_of_one_network_are_one_client() {
    let app = TestApp::start_with(
        Backends::Embedded,
        &[("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1")],
    )
    .await;
    limit(
        &app,
        "[[rule]]\nid='net'\non='token.refresh'\nby='ip'\nquota=5\nper='1d'\nscope='instance'\n",
    )
    .await;
    let network = u128::from("2001:db8:1:2::".parse::<Ipv6Addr>().unwrap());
    let from =
        async |address: u128| refresh(&app, ("X-Forwarded-For", &Ipv6Addr::from(address).to_string())).await;
    let mut passed = 0;
    for host in 0..200_u128 {
        passed += usize::from(from(network + host * 0x0123_4567_89ab).await != 429);
    }
    assert_eq!(passed, 5);
    assert_eq!(
        from(network + (1 << 64)).await,
        401,
        "the neighbour's network is another"
    );
    assert_eq!(
        refresh(&app, ("x-none", "")).await,
        401,
        "without a header the proxy itself is counted"
    );
}
