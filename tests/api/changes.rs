//! Another phone or e-mail address: the old one stays in force until the new one is proven, and whoever had it is told.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Account, Answer, Backends, PASSWORD, TestApp, digits, eventually, fields, on_both, shape, wrong,
};

const PHONE: &str = "+14152000001";
const NEW_PHONE: &str = "+14152000002";
const NEW_EMAIL: &str = "new@example.com";

async fn change(app: &TestApp, what: &str, to: &str, password: &str, token: &str) -> Answer {
    let body = json!({ what: to, "password": password });
    app.post_as(&format!("/api/users/{what}/change/"), body, Some(token))
        .await
}

async fn enter(app: &TestApp, what: &str, to: &str, otp: &str, token: &str) -> Answer {
    let body = json!({ what: to, "otp": otp });
    app.post_as(&format!("/api/users/{what}/change/verify/"), body, Some(token))
        .await
}

/// Has a code sent to a new address, and reads it there.
async fn changing(app: &TestApp, what: &str, to: &str, account: &Account) -> String {
    let codes = async || app.messages_to(to).await;
    let before = codes().await;
    let sent = change(app, what, to, PASSWORD, &account.access).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    eventually("a code", async || {
        codes().await.into_iter().find(|code| !before.contains(code))
    })
    .await
}

async fn me(app: &TestApp, account: &Account) -> Value {
    let me = app.get_as("/api/users/me/", &account.access).await;
    assert_eq!(me.status, 200, "{me:?}");
    me.body
}

async fn count(app: &TestApp, rows: &str) -> String {
    app.sql_text(format!("SELECT CAST(count(*) AS text) FROM {rows}"))
        .await
}

on_both! {
    async fn after_a_change_an_administrator_waits_a_day(app) {
        for (what, to) in [("phone", NEW_PHONE), ("email", NEW_EMAIL)] {
            let admin = app.administrator("admin", PHONE).await;
            let code = changing(&app, what, to, &admin.account).await;
            let changed = enter(&app, what, to, &code, &admin.account.access).await;
            assert_eq!(changed.status, 200, "{changed:?}");
            let ask = async || {
                let login = app.login(if what == "email" { to } else { &admin.account.email }, PASSWORD).await;
                let token = login.body["tokens"]["access"].as_str().unwrap().to_owned();
                app.administer("POST", "/api/admin/session/", None, Some(&token)).await
            };
            app.pass(86_300);
            let refused = ask().await;
            refused.is(403, "forbidden");
            assert!(refused.text("detail").contains("changed less than 24 hours ago"), "{refused:?}");
            app.pass(101);
            let sent = ask().await;
            assert_eq!(sent.status, 200, "{sent:?}");
            app.sql(format!("DELETE FROM users WHERE id = '{}'", admin.account.id)).await;
        }
    }

    async fn a_phone_changes_once_the_new_one_is_proven(app) {
        let account = app.verified(PHONE).await;
        let sent = change(&app, "phone", "+14152000009", PASSWORD, &account.access).await;
        assert_eq!(fields(&sent), ["challenge_id", "detail", "expires_in", "phone", "resend_after"]);
        let code = changing(&app, "phone", NEW_PHONE, &account).await;
        let before = me(&app, &account).await;
        assert_eq!((&before["phone"], &before["phone_verified"]), (&json!(PHONE), &json!(true)));
        let answer = enter(&app, "phone", NEW_PHONE, &wrong(&code), &account.access).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        let answer = enter(&app, "phone", NEW_PHONE, &code, &account.access).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.body["phone"], &answer.body["phone_verified"]), (&json!(NEW_PHONE), &json!(true)));
        assert_eq!(me(&app, &account).await, answer.body);
        enter(&app, "phone", NEW_PHONE, &code, &account.access).await.is(400, "otp_expired");
        let login = json!({ "phone": NEW_PHONE, "password": PASSWORD });
        assert_eq!(app.post("/api/users/login/", login).await.status, 200);
        assert_eq!(count(&app, "events WHERE kind = 'phone.changed'").await, "1");
        let owned = format!("users WHERE id = '{}' AND phone_owned_at IS NOT NULL", account.id);
        assert_eq!(count(&app, &owned).await, "1");
    }

    async fn an_email_changes_once_the_new_one_is_proven(app) {
        let account = app.verified(PHONE).await;
        let code = changing(&app, "email", NEW_EMAIL, &account).await;
        assert_eq!(me(&app, &account).await["email"], json!(account.email));
        let answer = enter(&app, "email", NEW_EMAIL, &code, &account.access).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.body["email"], &answer.body["email_verified"]), (&json!(NEW_EMAIL), &json!(true)));
        let login = |email: &str| json!({ "email": email, "password": PASSWORD });
        assert_eq!(app.post("/api/users/login/", login(NEW_EMAIL)).await.status, 200);
        app.post("/api/users/login/", login(&account.email)).await.is(401, "invalid_credentials");
        assert_eq!(count(&app, "events WHERE kind = 'email.changed'").await, "1");
    }

    async fn a_change_asks_for_the_password_and_for_another_address(app) {
        let account = app.verified(PHONE).await;
        for (what, new, old) in [("phone", NEW_PHONE, PHONE), ("email", NEW_EMAIL, account.email.as_str())] {
            change(&app, what, new, "not-it-at-all", &account.access).await.is(400, "password_incorrect");
            let answer = change(&app, what, old, PASSWORD, &account.access).await;
            answer.is(400, "validation_failed");
            assert_eq!(answer.faulty_fields(), [what]);
            let none = app.post_as(&format!("/api/users/{what}/change/"), json!({ what: new }), Some(&account.access)).await;
            none.is(400, "validation_failed");
            assert_eq!(none.faulty_fields(), ["password"]);
            app.post(&format!("/api/users/{what}/change/"), json!({ what: new, "password": PASSWORD })).await.is(401, "not_authenticated");
            enter(&app, what, new, "123456", &account.access).await.is(400, "otp_expired");
        }
        assert_eq!(app.codes_to(NEW_EMAIL).await, [""; 0]);
    }

    // Whoever has a token alone, and whoever types a code of another purpose, change nothing.
    async fn a_code_for_another_purpose_or_user_changes_nothing(app) {
        let (account, other) = (app.register(PHONE).await, app.register(NEW_PHONE).await);
        let code = app.code(NEW_PHONE, None).await;
        enter(&app, "phone", NEW_PHONE, &code, &account.access).await.is(400, "otp_expired");
        app.pass(60);
        let code = changing(&app, "phone", NEW_PHONE, &account).await;
        enter(&app, "phone", NEW_PHONE, &code, &other.access).await.is(400, "otp_expired");
        app.verify(NEW_PHONE, &code, Some(&other.access)).await.is(400, "otp_invalid");
        assert_eq!(enter(&app, "phone", NEW_PHONE, &code, &account.access).await.status, 200);
    }

    // Promise 12, by a change and by a claim.
    async fn a_recycled_number_moves_to_whoever_types_its_code_signed_in(app) {
        for number in ["+14152000003", "+14152000004"] {
            let former = app.verified(number).await;
            let code = app.email_code(&former.email, Some(&former.access)).await;
            assert_eq!(app.verify_email(&former.email, &code, Some(&former.access)).await.status, 200);
            app.pass(60);
            let holder = match number {
                "+14152000003" => {
                    let holder = app.register(PHONE).await;
                    let code = changing(&app, "phone", number, &holder).await;
                    assert_eq!(enter(&app, "phone", number, &code, &holder.access).await.status, 200);
                    holder
                }
                _ => {
                    let holder = app.register(number).await;
                    let code = app.code(number, Some(&holder.access)).await;
                    app.verify(number, &code, None).await.is(400, "otp_expired");
                    assert_eq!(app.verify(number, &code, Some(&holder.access)).await.status, 200);
                    holder
                }
            };
            let now = me(&app, &holder).await;
            assert_eq!((&now["phone"], &now["phone_verified"]), (&json!(number), &json!(true)));
            let then = me(&app, &former).await;
            assert_eq!((&then["phone"], &then["phone_verified"]), (&json!(number), &json!(false)), "its sessions stay");
            let login = json!({ "phone": number, "password": PASSWORD });
            let signed_in = app.post("/api/users/login/", login).await;
            assert_eq!(signed_in.body.pointer("/user/id"), Some(&json!(holder.id)));
            let moved = format!("events WHERE kind = 'phone.moved' AND user_id = '{}'", former.id);
            assert_eq!(count(&app, &moved).await, "1");
            // Its claim has lapsed: nobody's code is ambiguous for it.
            let lapsed = format!("users WHERE id = '{}' AND phone_owned_at IS NULL AND phone_claimed_at < created_at", former.id);
            assert_eq!(count(&app, &lapsed).await, "1");
        }
    }

    async fn a_number_that_is_verified_gets_no_code_without_a_token(app) {
        app.verified(PHONE).await;
        app.register(PHONE).await;
        app.pass(60);
        assert_eq!(app.send(PHONE, None).await.status, 200);
        assert_eq!(app.numbers().await.iter().filter(|number| *number == PHONE).count(), 1);
    }

    async fn a_proven_email_never_moves_and_is_answered_alike(app) {
        let (holder, account) = (app.verified(PHONE).await, app.register(NEW_PHONE).await);
        let code = app.email_code(&holder.email, None).await;
        assert_eq!(app.verify_email(&holder.email, &code, None).await.status, 200);
        app.pass(60);
        let mut seen = Vec::new();
        for email in [holder.email.as_str(), "free@example.com"] {
            let mut sent = shape(&change(&app, "email", email, PASSWORD, &account.access).await);
            sent["email"] = Value::Null;
            let mut judged = vec![sent];
            for otp in ["000000", "000001", "000002", "000003"] {
                judged.push(shape(&enter(&app, "email", email, otp, &account.access).await));
            }
            seen.push(judged);
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(app.codes_to(&holder.email).await, [code]);
        assert_eq!(me(&app, &holder).await["email"], json!(holder.email));
    }

    // A message goes out for the one and none for the other, which its sender's own token must not tell either.
    async fn who_wants_an_email_does_not_learn_that_another_account_has_proven_it(app) {
        let (holder, account) = (app.verified(PHONE).await, app.register(NEW_PHONE).await);
        app.own_email(&holder).await;
        let mut told = Vec::new();
        for email in ["free@example.com", holder.email.as_str()] {
            let before = app.messages_to(email).await.len();
            let sent = change(&app, "email", email, PASSWORD, &account.access).await;
            if email != holder.email {
                eventually("a message", async || (app.messages_to(email).await.len() > before).then_some(())).await;
                let rows = "verifications WHERE purpose = 'change_email' AND status = 'sent'";
                eventually("its row", async || (count(&app, rows).await == "1").then_some(())).await;
            }
            let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
            let status = app.get_as(&path, &account.access).await;
            let export = app.get_as("/api/users/me/export/", &account.access).await;
            let codes = export.body["verifications"].as_array().unwrap();
            told.push((status.body["status"].clone(), status.body["resend_after"].clone(), codes.clone()));
            app.pass(60);
        }
        assert_eq!(told[0], told[1]);
    }

    // A squatter has the address of somebody who never proved it: who reads the mail there takes it.
    async fn an_email_that_nobody_proved_goes_to_whoever_proves_it(app) {
        let (squatter, owner) = (app.register(PHONE).await, app.register(NEW_PHONE).await);
        let code = changing(&app, "email", &squatter.email, &owner).await;
        let answer = enter(&app, "email", &squatter.email, &code, &owner.access).await;
        assert_eq!((answer.status, &answer.body["email"]), (200, &json!(squatter.email)));
        let left = me(&app, &squatter).await;
        assert_eq!((&left["email"], &left["email_verified"]), (&Value::Null, &json!(false)));
        app.post("/api/users/login/", json!({ "email": squatter.email, "password": "not-the-owners" })).await.is(401, "invalid_credentials");
        let taken = format!("events WHERE kind = 'email.taken' AND user_id = '{}'", squatter.id);
        assert_eq!(count(&app, &taken).await, "1");
        // It may have another.
        let code = changing(&app, "email", NEW_EMAIL, &squatter).await;
        assert_eq!(enter(&app, "email", NEW_EMAIL, &code, &squatter.access).await.status, 200);
    }

    async fn whoever_had_the_old_address_is_told(app) {
        let account = app.verified(PHONE).await;
        let code = app.email_code(&account.email, Some(&account.access)).await;
        assert_eq!(app.verify_email(&account.email, &code, Some(&account.access)).await.status, 200);
        app.sql("DELETE FROM notices".to_owned()).await;
        let code = changing(&app, "email", NEW_EMAIL, &account).await;
        assert_eq!(enter(&app, "email", NEW_EMAIL, &code, &account.access).await.status, 200);
        let inbox = async || app.get("/dev/inbox.json").await.body;
        let told = count(&app, "notices WHERE kind = 'email_changed'").await;
        let is_there = |message: &Value| message["to"] == json!(account.email) && message.to_string().contains("example.com");
        assert!(told == "2" || inbox().await.as_array().unwrap().iter().any(is_there), "{told}");
    }

    async fn a_pending_change_is_void_once_the_address_has_changed(app) {
        let account = app.register(PHONE).await;
        let first = changing(&app, "phone", NEW_PHONE, &account).await;
        let second = changing(&app, "phone", "+14152000003", &account).await;
        let answers = join_all([(NEW_PHONE, &first), ("+14152000003", &second)].map(|(phone, code)| {
            enter(&app, "phone", phone, code, &account.access)
        })).await;
        let right = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(right, 1, "{answers:?}");
        for (phone, code) in [(NEW_PHONE, &first), ("+14152000003", &second)] {
            enter(&app, "phone", phone, code, &account.access).await.is(400, "otp_expired");
        }
    }

    async fn sixty_right_codes_at_once_change_it_once(app) {
        let account = app.register(PHONE).await;
        let code = changing(&app, "phone", NEW_PHONE, &account).await;
        let answers = join_all((0..60).map(|_| enter(&app, "phone", NEW_PHONE, &code, &account.access))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "otp_expired"), "{answers:?}");
        assert_eq!(count(&app, "events WHERE kind = 'phone.changed'").await, "1");
    }

    async fn of_many_that_want_one_phone_one_has_it(app) {
        const WANTED: &str = "+14152000009";
        let mut all = Vec::new();
        for number in 10..18 {
            let account = app.register(&format!("+141520000{number}")).await;
            let code = changing(&app, "phone", WANTED, &account).await;
            app.pass(60);
            all.push((account, code));
        }
        let answers = join_all(all.iter().map(|(account, code)| enter(&app, "phone", WANTED, code, &account.access))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "phone_taken"), "{answers:?}");
        assert_eq!(count(&app, &format!("users WHERE phone = '{WANTED}' AND phone_verified")).await, "1");
    }
}

/// Its instance dies with the code of a change on its hands: another sends it, to an address that no table has.
#[actix_web::test]
async fn another_instance_sends_the_code_of_a_change() {
    let quick = [
        ("RINGBACK__DELIVERY__LEASE", "4s"),
        ("RINGBACK__TWILIO__TIMEOUT", "1s"),
        ("RINGBACK__TWILIO__CONNECT_TIMEOUT", "1s"),
        ("RINGBACK__SERVER__SHUTDOWN_TIMEOUT", "1s"),
    ];
    let prepared = TestApp::prepare(Backends::Servers, &quick).await;
    let provider = prepared.provider.clone().unwrap();
    let (mut first, app) = prepared.clone().spawn().await;
    let account = app.register(PHONE).await;
    provider.delay(std::time::Duration::from_secs(3600));
    assert_eq!(
        change(&app, "phone", NEW_PHONE, PASSWORD, &account.access)
            .await
            .status,
        200
    );
    assert!(first.terminate().await.success());
    provider.delay(std::time::Duration::ZERO);
    let (_second, app) = prepared.spawn().await;
    let (to, body) = eventually("the SMS", async || provider.messages().first().cloned()).await;
    assert_eq!(to, NEW_PHONE);
    let answer = enter(&app, "phone", NEW_PHONE, &digits(&body), &account.access).await;
    assert_eq!((answer.status, &answer.body["phone"]), (200, &json!(NEW_PHONE)));
}
