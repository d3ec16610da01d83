//! Where somebody is signed in: the list, and ending one or all others.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Account, Answer, Backends, TestApp, eventually, fields, on_both};

const SESSIONS: &str = "/api/users/sessions/";

async fn list(app: &TestApp, access: &str) -> Vec<Value> {
    let answer = app.get_as(SESSIONS, access).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["sessions"].as_array().unwrap().clone()
}

async fn end(app: &TestApp, id: &str, access: &str) -> Answer {
    app.call("DELETE", &format!("{SESSIONS}{id}/"), None, Some(access))
        .await
}

async fn end_others(app: &TestApp, access: &str) -> Answer {
    app.call("DELETE", SESSIONS, None, Some(access)).await
}

async fn is_good(app: &TestApp, access: &str) -> bool {
    app.get_as("/api/users/me/", access).await.status == 200
}

async fn log_in_with(app: &TestApp, account: &Account, agent: &str) -> String {
    let request = app
        .client
        .post(format!("{}/api/users/login/", app.address))
        .header("user-agent", agent)
        .json(&json!({ "email": account.email, "password": "securepass123" }));
    let answer = Answer::of(request).await;
    answer.body["tokens"]["access"].as_str().unwrap().to_owned()
}

/// Waits until it is written that both sessions were used so many seconds after they were opened; uses are written beside
/// the requests.
async fn used_after(app: &TestApp, access: &str, seconds: i64) {
    eventually("the last use", async || {
        let is_noted = |session: &Value| {
            let time = |name: &str| {
                let text = session[name].as_str().unwrap();
                chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp()
            };
            time("last_used_at") - time("created_at") > seconds
        };
        list(app, access).await.iter().all(is_noted).then_some(())
    })
    .await;
}

on_both! {
    async fn a_list_says_where_somebody_is_signed_in(app) {
        let account = app.register("+14152000001").await;
        app.pass(60);
        let phone = log_in_with(
            &app,
            &account,
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
        )
        .await;
        let stranger = app.register("+14152000002").await;
        let answer = app.get_as(SESSIONS, &phone).await;
        assert_eq!(fields(&answer), ["sessions"]);
        let sessions = list(&app, &phone).await;
        assert_eq!(sessions.len(), 2);
        let names: BTreeSet<_> = sessions[0].as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["client", "created_at", "current", "expires_at", "id", "last_used_at", "network"];
        assert_eq!(names, BTreeSet::from(expected));
        assert_eq!((&sessions[0]["client"], &sessions[0]["network"]), (&json!("Chrome on Android"), &json!("127.0.0.0/24")));
        assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
        assert_eq!(sessions[0]["last_used_at"], sessions[0]["created_at"]);
        assert!(sessions[0]["expires_at"].as_str() > sessions[0]["created_at"].as_str());
        let of_the_other = list(&app, &account.access).await;
        assert_eq!((&of_the_other[0]["id"], &of_the_other[0]["current"]), (&sessions[0]["id"], &json!(false)));
        assert_eq!(list(&app, &stranger.access).await.len(), 1);
        app.get(SESSIONS).await.is(401, "not_authenticated");
    }

    async fn a_session_ends_at_once_and_anothers_is_as_none(app) {
        let account = app.register("+14152000001").await;
        let (access, refresh) = app.log_in(&account).await;
        let stranger = app.register("+14152000002").await;
        let sessions = list(&app, &account.access).await;
        let other = sessions.iter().find(|session| session["current"] == false).unwrap();
        let other = other["id"].as_str().unwrap();

        let nobodys = Uuid::from_u128(7).to_string();
        let mut refused = Vec::new();
        for (id, token) in [(other, &stranger.access), (&*nobodys, &account.access), ("7", &account.access)] {
            let answer = end(&app, id, token).await;
            answer.is(404, "not_found");
            refused.push(answer);
        }
        assert!(is_good(&app, &access).await);
        assert_eq!(end(&app, other, &account.access).await.status, 204);
        app.get_as("/api/users/me/", &access).await.is(401, "token_revoked");
        let refresh = app.post("/api/users/token/refresh/", json!({ "refresh": refresh })).await;
        refresh.is(401, "token_revoked");
        let gone = end(&app, other, &account.access).await;
        gone.is(404, "not_found");
        assert_eq!(fields(&gone), fields(&refused[0]));
        assert_eq!(list(&app, &account.access).await.len(), 1);

        let own = list(&app, &account.access).await[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(end(&app, &own, &account.access).await.status, 204);
        end(&app, &own, &account.access).await.is(401, "token_revoked");
    }

    async fn sixty_sessions_end_each_other_and_one_remains(app) {
        let account = app.register("+14152000001").await;
        let mut accesses = vec![account.access.clone()];
        for _ in 0..49 {
            accesses.push(app.log_in(&account).await.0);
        }
        let answers = join_all((0..60).map(|n| end_others(&app, &accesses[n % accesses.len()]))).await;
        let kept = answers.iter().filter(|answer| answer.status == 204).count();
        assert!(kept >= 1, "one was first");
        for answer in answers.iter().filter(|answer| answer.status != 204) {
            answer.is(401, "token_revoked");
        }
        let good = join_all(accesses.iter().map(|access| is_good(&app, access))).await;
        assert_eq!(good.iter().filter(|good| **good).count(), 1);
        let left = accesses.iter().zip(good).find(|(_, good)| *good).unwrap().0;
        assert_eq!(list(&app, left).await.len(), 1);
        assert_eq!(end_others(&app, left).await.status, 204, "with none to end");
    }

    async fn a_list_holds_while_its_sessions_are_renewed(app) {
        let account = app.register("+14152000001").await;
        let (_, mut refresh) = app.log_in(&account).await;
        for _ in 0..10 {
            let renew = app.post("/api/users/token/refresh/", json!({ "refresh": refresh }));
            let lists = join_all((0..8).map(|_| list(&app, &account.access)));
            let (renewed, lists) = futures_util::join!(renew, lists);
            assert!(lists.iter().all(|list| list.len() == 2), "{lists:?}");
            renewed.body["tokens"]["refresh"].as_str().unwrap().clone_into(&mut refresh);
        }
        assert_eq!(list(&app, &account.access).await.len(), 2);
    }

    async fn a_use_is_noted_once_a_minute_beside_the_request(app) {
        let account = app.register("+14152000001").await;
        let used = async || {
            let list = list(&app, &account.access).await;
            list[0]["last_used_at"].as_str().unwrap().to_owned()
        };
        let first = used().await;
        app.pass(59);
        assert_eq!(used().await, first);
        app.pass(300);
        let later = eventually("a later use", async || {
            let now = used().await;
            (now != first).then_some(now)
        });
        assert!(later.await > first);
    }
}

#[actix_web::test]
async fn one_session_too_many_ends_the_one_that_was_unused_the_longest() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &[("RINGBACK__TOKENS__MAX_SESSIONS", "3")]).await;
        let account = app.register("+14152000001").await;
        app.pass(1);
        let (second, token) = app.log_in(&account).await;
        app.pass(1);
        let (third, _) = app.log_in(&account).await;
        app.pass(1);
        let renewed = app
            .post("/api/users/token/refresh/", json!({ "refresh": token }))
            .await;
        assert_eq!(renewed.status, 200);
        app.pass(1);
        let (fourth, _) = app.log_in(&account).await;
        app.pass(1);
        app.get_as("/api/users/me/", &account.access)
            .await
            .is(401, "token_revoked");
        let (fifth, _) = app.log_in(&account).await;
        let expected = [(&second, true), (&third, false), (&fourth, true), (&fifth, true)];
        for (n, (access, good)) in expected.into_iter().enumerate() {
            assert_eq!(is_good(&app, access).await, good, "{n}");
        }
        join_all((0..20).map(|_| app.log_in(&account))).await;
        let (last, _) = app.log_in(&account).await;
        assert_eq!(list(&app, &last).await.len(), 3);
    }
}

#[actix_web::test]
async fn an_unused_session_is_over_at_use_and_at_refresh() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let variables = [
            ("RINGBACK__TOKENS__IDLE_TTL", "30m"),
            ("RINGBACK__TOKENS__ACCESS_TTL", "2h"),
        ];
        let app = TestApp::start_with(backends, &variables).await;
        let account = app.register("+14152000001").await;
        let (access, refresh) = app.log_in(&account).await;
        app.pass(29 * 60);
        assert!(is_good(&app, &account.access).await);
        let renewed = app
            .post("/api/users/token/refresh/", json!({ "refresh": refresh }))
            .await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
        used_after(&app, &account.access, 0).await;
        app.pass(29 * 60);
        assert!(is_good(&app, &account.access).await);
        assert!(is_good(&app, &access).await);
        used_after(&app, &account.access, 29 * 60).await;
        app.pass(32 * 60);
        for access in [&access, &account.access] {
            app.get_as("/api/users/me/", access)
                .await
                .is(401, "token_expired");
        }
        let next = renewed.body["tokens"]["refresh"].clone();
        let refused = app
            .post("/api/users/token/refresh/", json!({ "refresh": next }))
            .await;
        refused.is(401, "token_expired");
    }
}
