//! Where the flows could come apart: a database that goes away between a right code and its effect, a process that is killed,
//! an account that is erased meanwhile, a number whose code is known.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Account, Answer, Backends, PASSWORD, Prepared, TestApp, eventually, registration};

const PHONE: &str = "+14152000001";
const NEW_PHONE: &str = "+14152000002";
const NEW_EMAIL: &str = "new@example.com";
const NEW_PASSWORD: &str = "quiet-otter-47";

async fn ask_change(app: &TestApp, what: &str, to: &str, account: &Account) -> Answer {
    let body = json!({ what: to, "password": PASSWORD });
    app.post_as(&format!("/api/users/{what}/change/"), body, Some(&account.access))
        .await
}

async fn enter_change(app: &TestApp, what: &str, to: &str, otp: &str, account: &Account) -> Answer {
    let body = json!({ what: to, "otp": otp });
    app.post_as(
        &format!("/api/users/{what}/change/verify/"),
        body,
        Some(&account.access),
    )
    .await
}

/// The code of the message that comes to an address.
async fn code_at(app: &TestApp, address: &str) -> String {
    eventually("a code", async || app.messages_to(address).await.pop()).await
}

/// Asks until the answer has this status: the service finds its way back by itself.
async fn once_back(status: u16, ask: impl AsyncFn() -> Answer) {
    eventually("the way back", async || {
        let answer = ask().await;
        (answer.status == status).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_right_code_for_a_reset_is_good_when_the_database_is_back() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    app.own_phone(&account).await;
    let code = app.code_to_reset(PHONE).await;
    proxies.database.go_away();
    let reset = || app.reset_password(&code.id, &code.code, NEW_PASSWORD);
    reset().await.is(503, "unavailable");
    proxies.database.come_back();
    once_back(200, reset).await;
    assert_eq!(app.login(&account.email, NEW_PASSWORD).await.status, 200);
    reset().await.is(400, "otp_expired");
}

#[actix_web::test]
async fn a_right_code_for_registration_is_good_when_the_database_is_back() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let sent = app
        .post("/api/users/register/code/", json!({ "email": NEW_EMAIL }))
        .await;
    let mut body = registration(NEW_EMAIL, PHONE);
    body["challenge_id"] = sent.body["challenge_id"].clone();
    body["otp"] = json!(code_at(&app, NEW_EMAIL).await);
    proxies.database.go_away();
    let register = || app.post("/api/users/register/", body.clone());
    register().await.is(503, "unavailable");
    proxies.database.come_back();
    once_back(201, register).await;
    register().await.is(400, "otp_expired");
}

// The token is asked for before the code is judged: so the database is heard until the change itself.
#[actix_web::test]
async fn a_right_code_for_a_change_is_good_when_the_database_is_back() {
    for (what, to) in [("phone", NEW_PHONE), ("email", NEW_EMAIL)] {
        let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
        let account = app.register(PHONE).await;
        assert_eq!(ask_change(&app, what, to, &account).await.status, 200);
        let code = code_at(&app, to).await;
        proxies.database.mute_at(to);
        let enter = || enter_change(&app, what, to, &code, &account);
        enter().await.is(503, "unavailable");
        proxies.database.come_back();
        once_back(200, enter).await;
        let me = app.get_as("/api/users/me/", &account.access).await;
        assert_eq!(me.body[what], to);
        enter().await.is(400, "otp_expired");
    }
}

/// A password change of an account with a proven phone, by a process that is killed while its notice is on the way.
async fn killed_with_a_notice(prepared: &Prepared) {
    let (process, app) = prepared.clone().spawn().await;
    let account = app.verified(PHONE).await;
    let provider = app.provider.as_ref().unwrap();
    provider.delay(Duration::from_secs(60));
    let change =
        json!({ "current_password": PASSWORD, "password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD });
    let changed = app
        .post_as("/api/users/password/change/", change, Some(&account.access))
        .await;
    assert_eq!(changed.status, 204, "{changed:?}");
    eventually("a lease", async || {
        let leased = "SELECT CAST(count(*) AS text) FROM notices WHERE leased_until IS NOT NULL";
        (app.sql_text(leased.to_owned()).await == "1").then_some(())
    })
    .await;
    // Its end is SIGKILL.
    drop(process);
    provider.delay(Duration::ZERO);
}

#[actix_web::test]
async fn a_process_that_is_killed_between_lease_and_delete_loses_no_notice() {
    let prepared = TestApp::prepare(Backends::Servers, &[]).await;
    killed_with_a_notice(&prepared).await;
    let next = prepared.start().await;
    let notices = async || {
        let messages = next.messages().await.into_iter();
        messages.filter(|(_, body)| body.contains("password")).count()
    };
    let left = async || {
        next.sql_text("SELECT CAST(count(*) AS text) FROM notices".to_owned())
            .await
    };
    assert_eq!((notices().await, left().await), (0, "1".to_owned()));
    // Its lease is over after ten minutes.
    next.pass(601);
    eventually("the notice", async || (notices().await == 1).then_some(())).await;
    eventually("an empty table", async || (left().await == "0").then_some(())).await;
}

#[actix_web::test]
async fn an_erased_account_leaves_no_sealed_address_in_the_outbox() {
    let app = TestApp::start(Backends::Servers).await;
    let account = app.register(PHONE).await;
    let provider = app.provider.as_ref().unwrap();
    provider.fail(Some((500, 20500)));
    assert_eq!(ask_change(&app, "phone", NEW_PHONE, &account).await.status, 200);
    eventually("a try", async || (provider.refused() > 0).then_some(())).await;
    let outbox = async || app.dump_redis().await.iter().any(|kept| kept.is_outbox());
    assert!(outbox().await, "it is pending");
    let left = app
        .call(
            "DELETE",
            "/api/users/me/",
            Some(json!({ "password": PASSWORD })),
            Some(&account.access),
        )
        .await;
    assert_eq!(left.status, 204, "{left:?}");
    provider.fail(None);
    // Whoever takes it over finds nobody whose it is.
    eventually("an empty outbox", async || {
        app.pass(30);
        (!outbox().await).then_some(())
    })
    .await;
    assert_eq!(app.numbers().await, [""; 0], "the address gets nothing");
}

// The squatter's phone is proven, so there is somewhere to say it.
#[actix_web::test]
async fn whoever_loses_an_unproven_address_at_a_registration_is_told() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start(backends).await;
        let loser = app.verified(PHONE).await;
        let sent = app
            .post("/api/users/register/code/", json!({ "email": loser.email }))
            .await;
        let mut body = registration(&loser.email, NEW_PHONE);
        body["challenge_id"] = sent.body["challenge_id"].clone();
        body["otp"] = json!(code_at(&app, &loser.email).await);
        let owner = app.post("/api/users/register/", body).await;
        assert_eq!(owner.status, 201, "{owner:?}");
        eventually("a notice", async || {
            let messages = app.messages().await;
            let told = messages
                .iter()
                .any(|(to, body)| to == PHONE && body.contains("removed"));
            told.then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_test_number_changes_without_a_cooldown_and_opens_nothing() {
    let numbers = [
        ("RINGBACK__TEST_NUMBERS__CODES", "+14152000002=135790"),
        ("RINGBACK__TEST_NUMBERS__UNTIL", "2999-12-31"),
    ];
    let rule = "[[rule]]\nid='phone-day'\non='otp.send'\nby='phone'\nquota=1\nper='1d'\n";
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &numbers).await;
        app.limit(rule).await;
        for _ in 0..2 {
            let account = app.verified(PHONE).await;
            for _ in 0..3 {
                let sent = ask_change(&app, "phone", NEW_PHONE, &account).await;
                assert_eq!(
                    (sent.status, &sent.body["resend_after"]),
                    (200, &json!(0)),
                    "{sent:?}"
                );
            }
            let changed = enter_change(&app, "phone", NEW_PHONE, "135790", &account).await;
            assert_eq!(
                (changed.status, &changed.body["phone_verified"]),
                (200, &Value::Bool(true)),
                "{changed:?}"
            );
            let owned = format!(
                "SELECT CAST(count(*) AS text) FROM users WHERE id = '{}' AND phone_owned_at IS NOT NULL",
                account.id
            );
            assert_eq!(app.sql_text(owned).await, "0");
            app.pass(24 * 3600);
        }
        let texts = app.numbers().await;
        assert!(texts.iter().all(|to| to != NEW_PHONE), "{texts:?}");
    }
}
