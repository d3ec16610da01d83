//! Changing the password: who goes on, who doesn't, and how often one may guess the current one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Account, Answer, Backends, PASSWORD, TestApp, on_both};

const NEW: &str = "quiet-otter-47";

fn body(current: &str, new: &str) -> Value {
    json!({ "current_password": current, "password": new, "password_confirm": new })
}

async fn change(app: &TestApp, access: &str, body: Value) -> Answer {
    app.post_as("/api/users/password/change/", body, Some(access))
        .await
}

async fn log_in(app: &TestApp, account: &Account, password: &str) -> Answer {
    let login = json!({ "email": account.email, "password": password });
    app.post("/api/users/login/", login).await
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/api/users/token/refresh/", json!({ "refresh": token }))
        .await
}

async fn is_good(app: &TestApp, access: &str) -> bool {
    app.get_as("/api/users/me/", access).await.status == 200
}

on_both! {
    async fn a_change_ends_all_other_sessions_and_its_own_goes_on(app) {
        let account = app.register("+14152000001").await;
        let (other, other_refresh) = app.log_in(&account).await;
        let changed = change(&app, &account.access, body(PASSWORD, NEW)).await;
        assert_eq!((changed.status, changed.raw.len()), (204, 0));
        assert!(is_good(&app, &account.access).await);
        let renewed = refresh(&app, &account.refresh).await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
        assert!(is_good(&app, renewed.body["tokens"]["access"].as_str().unwrap()).await);
        app.get_as("/api/users/me/", &other).await.is(401, "token_revoked");
        refresh(&app, &other_refresh).await.is(401, "token_revoked");
        log_in(&app, &account, PASSWORD).await.is(401, "invalid_credentials");
        assert_eq!(log_in(&app, &account, NEW).await.status, 200);
        assert_eq!(change(&app, &account.access, body(NEW, PASSWORD)).await.status, 204);
    }

    async fn a_faulty_change_changes_nothing(app) {
        let account = app.register("+14152000001").await;
        change(&app, &account.access, body("another", NEW)).await.is(400, "password_incorrect");
        for (field, faulty) in [
            ("password", body(PASSWORD, "short")),
            ("password", body(PASSWORD, &account.email)),
            ("password", body(PASSWORD, &account.phone)),
            ("password", body(PASSWORD, "password123")),
            ("password_confirm", json!({ "current_password": PASSWORD, "password": NEW, "password_confirm": "other-otter" })),
            ("current_password", json!({ "password": NEW, "password_confirm": NEW })),
            ("password_confirm", json!({ "current_password": PASSWORD, "password": NEW })),
            ("password", json!({ "current_password": PASSWORD })),
        ] {
            let answer = change(&app, &account.access, faulty).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"][field].is_array(), "{answer:?}");
        }
        let nobody = app.post("/api/users/password/change/", body(PASSWORD, NEW)).await;
        nobody.is(401, "not_authenticated");
        assert_eq!(log_in(&app, &account, PASSWORD).await.status, 200);
    }

    /// Whatever comes first: nobody who logged in with the old password is in afterwards, and the session that changed it is.
    async fn a_change_races_with_logins_and_refreshes(app) {
        for round in 0..3 {
            let account = app.register(&format!("+1415200000{round}")).await;
            let (_, others) = app.log_in(&account).await;
            let logins = join_all((0..30).map(|_| log_in(&app, &account, PASSWORD)));
            let refreshes = join_all((0..5).map(|_| refresh(&app, &others)));
            let own = join_all((0..5).map(|_| refresh(&app, &account.refresh)));
            let changed = change(&app, &account.access, body(PASSWORD, NEW));
            let (logins, refreshes, own, changed) = futures_util::join!(logins, refreshes, own, changed);
            assert_eq!(changed.status, 204, "{changed:?}");
            for answer in logins.iter().chain(&refreshes).filter(|answer| answer.status == 200) {
                let access = answer.body["tokens"]["access"].as_str().unwrap();
                assert!(!is_good(&app, access).await, "{answer:?}");
            }
            assert!(logins.iter().all(|answer| [200, 401].contains(&answer.status)), "{logins:?}");
            for answer in own {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(is_good(&app, answer.body["tokens"]["access"].as_str().unwrap()).await);
            }
            assert_eq!(log_in(&app, &account, NEW).await.status, 200);
        }
    }

    async fn of_changes_from_many_sessions_at_once_one_is_made(app) {
        let account = app.register("+14152000001").await;
        let mut accesses = vec![account.access.clone()];
        for _ in 0..19 {
            accesses.push(app.log_in(&account).await.0);
        }
        let wanted: Vec<_> = (0..20).map(|n| format!("quiet-otter-{n}")).collect();
        let changes = accesses.iter().zip(&wanted);
        let answers = join_all(changes.map(|(access, new)| change(&app, access, body(PASSWORD, new)))).await;
        let made: Vec<_> = (0..20).filter(|&n| answers[n].status == 204).collect();
        assert_eq!(made.len(), 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 204) {
            assert!(["password_incorrect", "token_revoked"].contains(&answer.code()), "{answer:?}");
        }
        assert_eq!(log_in(&app, &account, &wanted[made[0]]).await.status, 200);
    }
}

#[actix_web::test]
async fn wrong_passwords_are_counted_and_right_ones_are_given_back() {
    let app = TestApp::start(Backends::Embedded).await;
    let limits = std::fs::read_to_string("config/limits.toml").unwrap();
    let app = {
        let folder = app.folder.0.join("config/limits.toml");
        std::fs::write(folder, limits).unwrap();
        app.sibling().await
    };
    let account = app.register("+14152000001").await;
    for (old, new) in [(PASSWORD, NEW), (NEW, PASSWORD)].into_iter().cycle().take(12) {
        assert_eq!(change(&app, &account.access, body(old, new)).await.status, 204);
    }
    for _ in 0..5 {
        change(&app, &account.access, body("another", NEW))
            .await
            .is(400, "password_incorrect");
    }
    let refused = change(&app, &account.access, body(PASSWORD, NEW)).await;
    refused.is(429, "rate_limited");
    assert_eq!(refused.body["rule"], "password-guess-minute");
    app.pass(12);
    assert_eq!(
        change(&app, &account.access, body(PASSWORD, NEW)).await.status,
        204
    );
}
