//! Sessions: refresh tokens are spent at each use, an old one that turns up again ends its session, so does a logout.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, TestApp, on_both};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/api/users/token/refresh/", json!({ "refresh": token }))
        .await
}

/// The new pair: access token, refresh token.
async fn refreshed(app: &TestApp, token: &str) -> (String, String) {
    let answer = refresh(app, token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens = &answer.body["tokens"];
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
    (text("access"), text("refresh"))
}

async fn me(app: &TestApp, access: &str) -> (u16, String) {
    let answer = app.get_as("/api/users/me/", access).await;
    let code = if answer.status == 200 { "" } else { answer.code() };
    (answer.status, code.to_owned())
}

fn good() -> (u16, String) {
    (200, String::new())
}

fn revoked() -> (u16, String) {
    (401, "token_revoked".to_owned())
}

on_both! {
    async fn each_refresh_gives_a_new_pair_of_the_same_session(app) {
        let account = app.register("+14152000001").await;
        let (mut token, mut seen) = (account.refresh.clone(), vec![account.refresh.clone()]);
        for _ in 0..5 {
            app.pass(20);
            let (access, next) = refreshed(&app, &token).await;
            assert!(!seen.contains(&next), "each token is a new one");
            assert_eq!(me(&app, &access).await, good());
            assert_eq!(me(&app, &account.access).await, good(), "an access token lives its own time");
            seen.push(next.clone());
            token = next;
        }
        assert_eq!(app.effects().await.0, "1 users, 1 sessions");
    }

    async fn a_lost_answer_is_given_again_until_it_is_shown(app) {
        let account = app.register("+14152000001").await;
        let (lost, next) = refreshed(&app, &account.refresh).await;
        for pause in [5, 11, 3_600] {
            app.pass(pause);
            let (_, again) = refreshed(&app, &account.refresh).await;
            assert_eq!(again, next, "the same answer, so that both can go on from it");
        }
        assert_eq!(me(&app, &lost).await, (401, "token_expired".to_owned()), "no sign that it arrived");
        let (access, _) = refreshed(&app, &account.refresh).await;
        assert_eq!(me(&app, &access).await, good());
        refresh(&app, &account.refresh).await.is(401, "token_revoked");
    }

    async fn an_answer_whose_refresh_token_was_shown_is_not_given_again(app) {
        let account = app.register("+14152000001").await;
        let (_, next) = refreshed(&app, &account.refresh).await;
        app.pass(60);
        refreshed(&app, &next).await;
        refresh(&app, &account.refresh).await.is(401, "token_revoked");
    }

    /// They share a store of tokens, and each of them refreshes.
    async fn tabs_that_use_one_token_within_ten_seconds_end_up_with_the_newest(app) {
        let account = app.register("+14152000001").await;
        let (_, second) = refreshed(&app, &account.refresh).await;
        app.pass(4);
        let (_, third) = refreshed(&app, &second).await;
        app.pass(4);
        let (access, newest) = refreshed(&app, &account.refresh).await;
        assert_eq!(newest, third);
        assert_eq!(me(&app, &access).await, good());
        let (_, again) = refreshed(&app, &second).await;
        assert_eq!(again, third);
        let (access, next) = refreshed(&app, &third).await;
        assert_eq!(me(&app, &access).await, good());
        refreshed(&app, &next).await;
    }

    async fn a_spent_token_ends_its_session(app) {
        let account = app.register("+14152000001").await;
        let login = json!({ "email": account.email, "password": "securepass123" });
        let elsewhere = app.post("/api/users/login/", login).await;
        let (access, next) = refreshed(&app, &account.refresh).await;
        assert_eq!(me(&app, &access).await, good());
        app.pass(11);
        refresh(&app, &account.refresh).await.is(401, "token_revoked");
        for access in [&account.access, &access] {
            assert_eq!(me(&app, access).await, revoked());
        }
        for token in [&account.refresh, &next] {
            refresh(&app, token).await.is(401, "token_revoked");
        }
        app.send(&account.phone, Some(&access)).await.is(401, "token_revoked");
        let elsewhere = elsewhere.body["tokens"]["access"].as_str().unwrap();
        assert_eq!(me(&app, elsewhere).await, good(), "the thief had one session");
    }

    async fn a_token_of_before_the_last_ends_its_session_after_ten_seconds(app) {
        let account = app.register("+14152000001").await;
        let (_, second) = refreshed(&app, &account.refresh).await;
        let (access, third) = refreshed(&app, &second).await;
        app.pass(11);
        refresh(&app, &account.refresh).await.is(401, "token_revoked");
        assert_eq!(me(&app, &access).await, revoked());
        refresh(&app, &third).await.is(401, "token_revoked");
    }

    async fn what_is_no_refresh_token_ends_nothing(app) {
        let account = app.register("+14152000001").await;
        let mut forged = account.refresh.clone();
        forged.replace_range(60..61, if forged.as_bytes()[60] == b'A' { "B" } else { "A" });
        for token in [forged.as_str(), &account.refresh[1..], &format!("{}=", account.refresh), &account.access,
                      "", " ", "é", "a.b.c", &format!(" {}", account.refresh), &"A".repeat(70), &"A".repeat(16_000)] {
            let answer = refresh(&app, token).await;
            assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{token}");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        }
        refreshed(&app, &account.refresh).await;
    }

    async fn a_session_lasts_thirty_days(app) {
        let account = app.register("+14152000001").await;
        app.pass(30 * 24 * 3_600 - 60);
        let (access, next) = refreshed(&app, &account.refresh).await;
        assert_eq!(me(&app, &access).await, good());
        app.pass(120);
        refresh(&app, &next).await.is(401, "token_expired");
    }

    async fn one_token_refreshed_at_once_on_two_instances_gives_one_successor(app) {
        let other = app.sibling().await;
        for round in 0..5 {
            let account = app.register(&format!("+1415200000{round}")).await;
            let instances = [&app, &other];
            let answers = join_all((0..20).map(|nth| refreshed(instances[nth % 2], &account.refresh))).await;
            let (_, next) = &answers[0];
            assert!(answers.iter().all(|(_, token)| token == next), "two chains of one session");
            for (access, _) in &answers {
                assert_eq!(me(&other, access).await, good());
            }
            refreshed(&other, next).await;
        }
    }

    /// Whoever is first of two that hold the token, the reuse is noticed by all instances.
    async fn reuse_at_once_on_two_instances_ends_the_session_for_both(app) {
        let other = app.sibling().await;
        let account = app.register("+14152000001").await;
        let (access, next) = refreshed(&app, &account.refresh).await;
        assert_eq!(me(&app, &access).await, good());
        app.pass(11);
        let instances = [&app, &other];
        let answers = join_all((0..20).map(|nth| refresh(instances[nth % 2], &account.refresh))).await;
        for answer in answers {
            answer.is(401, "token_revoked");
        }
        for instance in instances {
            assert_eq!(me(instance, &access).await, revoked());
            refresh(instance, &next).await.is(401, "token_revoked");
        }
    }

    async fn a_logout_takes_effect_at_once_on_all_instances(app) {
        let other = app.sibling().await;
        let account = app.register("+14152000001").await;
        let login = json!({ "email": account.email, "password": "securepass123" });
        let elsewhere = other.post("/api/users/login/", login).await;
        let elsewhere = elsewhere.body["tokens"]["access"].as_str().unwrap();
        for instance in [&app, &other] {
            // Seen before, so that whatever an instance may remember of it is remembered.
            assert_eq!(me(instance, &account.access).await, good());
        }
        let answer = app.post_as("/api/users/logout/", json!({}), Some(&account.access)).await;
        assert_eq!((answer.status, answer.raw.as_str()), (204, ""));
        for instance in [&other, &app] {
            assert_eq!(me(instance, &account.access).await, revoked());
            refresh(instance, &account.refresh).await.is(401, "token_revoked");
            instance.send(&account.phone, Some(&account.access)).await.is(401, "token_revoked");
            instance.post_as("/api/users/logout/", json!({}), Some(&account.access)).await.is(401, "token_revoked");
            assert_eq!(me(instance, elsewhere).await, good(), "another session of his goes on");
        }
    }

    /// A page that was open over night, or a phone that lost its access token.
    async fn a_refresh_token_is_enough_to_sign_out(app) {
        let logout = async |refresh: &str, access: Option<&str>| {
            app.post_as("/api/users/logout/", json!({ "refresh": refresh }), access).await
        };
        let account = app.register("+14152000001").await;
        app.pass(3_600);
        assert_eq!(logout(&account.refresh, Some(&account.access)).await.status, 204, "expired");
        refresh(&app, &account.refresh).await.is(401, "token_revoked");
        assert_eq!(logout(&account.refresh, None).await.status, 204, "it has ended already");

        let account = app.register("+14152000002").await;
        let (access, next) = refreshed(&app, &account.refresh).await;
        assert_eq!(logout(&account.refresh, None).await.status, 204, "a spent one tells the session too");
        assert_eq!(me(&app, &access).await, revoked());
        refresh(&app, &next).await.is(401, "token_revoked");

        let account = app.register("+14152000003").await;
        for none in ["nonsense", &account.access, &"A".repeat(70)] {
            logout(none, None).await.is(401, "token_invalid");
        }
        logout("nonsense", Some("nonsense")).await.is(401, "token_invalid");
        let faulty = json!({ "refresh": 7 });
        app.post_as("/api/users/logout/", faulty, Some(&account.access)).await.is(400, "validation_failed");
        assert_eq!(me(&app, &account.access).await, good());
        assert_eq!(logout("nonsense", Some(&account.access)).await.status, 204, "the access token is good");
        assert_eq!(me(&app, &account.access).await, revoked());
    }

    /// No body is asked for. One that comes along is read, or refused: it may name another session.
    async fn a_logout_needs_no_body(app) {
        let account = app.register("+14152000001").await;
        let logout = async |kind: &str, body: &str| {
            let request = app.request("POST", "/api/users/logout/").bearer_auth(&account.access);
            Answer::of(request.header("content-type", kind).body(body.to_owned())).await
        };
        let (_, refresh) = app.log_in(&account).await;
        let other = json!({ "refresh": refresh }).to_string();
        for (kind, body) in [("text/plain", other.as_str()), ("application/x-www-form-urlencoded", "refresh=a"), ("", "{}")] {
            logout(kind, body).await.is(415, "unsupported_media_type");
        }
        logout("application/json", "[1]").await.is(400, "malformed_json");
        assert_eq!(me(&app, &account.access).await, good());
        assert_eq!(logout("text/plain", "").await.status, 204, "of whatever kind, there is none");
        assert_eq!(me(&app, &account.access).await, revoked());
    }
}
