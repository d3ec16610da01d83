//! Signing in by a code: which addresses open an account, and that nobody learns which do.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Account, Answer, Backends, PASSWORD, TestApp, eventually, fields, on_both, shape, wrong,
};

const PHONE: &str = "+14152000001";
const OTHER_PHONE: &str = "+14152000002";
const NOBODYS: &str = "nobody@example.com";
const NOBODYS_PHONE: &str = "+14152000009";
const DAY: i64 = 86_400;

/// What an access token says.
fn claims(answer: &Answer) -> Value {
    let token = answer.body["tokens"]["access"].as_str().unwrap();
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// That the answer opened a session of this account.
async fn assert_signed_in(app: &TestApp, answer: &Answer, account: &Account) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(fields(answer), ["tokens", "user"]);
    assert_eq!(answer.body["user"]["id"], account.id);
    let access = answer.body["tokens"]["access"].as_str().unwrap();
    let me = app.get_as("/api/users/me/", access).await;
    assert_eq!((me.status, me.text("id")), (200, account.id.as_str()), "{me:?}");
}

/// An answer without what differs by nature.
fn alike(answer: &Answer) -> Value {
    let mut body = shape(answer);
    if let Some(email) = body.get_mut("email") {
        *email = Value::Null;
    }
    json!({ "status": answer.status, "body": body })
}

/// Whether a code to sign in comes for an address; what is answered is the same in any case.
async fn gets_a_code(app: &TestApp, address: &str) -> bool {
    let before = app.messages_to(address).await.len();
    let sent = app.login_code(address).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    // What was asked for before the next one is through when that one is.
    let sentinel = app
        .register(&format!("+1999{:07}", app.messages().await.len()))
        .await;
    app.code(&sentinel.phone, None).await;
    app.email_code(&sentinel.email, None).await;
    app.pass(60);
    app.messages_to(address).await.len() > before
}

on_both! {
    async fn somebody_signs_in_by_a_code_to_the_phone_or_the_email_address(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        app.own_email(&account).await;
        for (address, field, amr) in [(PHONE, "phone", json!(["otp", "sms"])), (account.email.as_str(), "email", json!(["otp"]))] {
            let before = app.messages_to(address).await;
            let sent = app.login_code(address).await;
            let mut expected = ["challenge_id", "detail", "expires_in", "resend_after", field];
            expected.sort_unstable();
            assert_eq!(fields(&sent), expected, "{sent:?}");
            assert_eq!((sent.text(field), &sent.body["expires_in"], &sent.body["resend_after"]), (address, &json!(600), &json!(60)));
            let code = eventually("a code", async || {
                app.messages_to(address).await.into_iter().find(|code| !before.contains(code))
            }).await;
            let id = sent.text("challenge_id");
            let status = app.get(&format!("/api/users/otp-status/{id}/")).await;
            assert_eq!(status.status, 200, "{status:?}");
            let answer = app.login_by_code(id, &wrong(&code)).await;
            answer.is(400, "otp_invalid");
            assert_eq!(answer.body["attempts_remaining"], 2);
            let answer = app.login_by_code(id, &code).await;
            assert_signed_in(&app, &answer, &account).await;
            assert_eq!(claims(&answer)["amr"], amr);
            app.login_by_code(id, &code).await.is(400, "otp_expired");
            app.login_code(address).await.is(429, "resend_cooldown");
        }
    }

    async fn only_an_address_that_the_account_itself_proved_signs_in(app) {
        // Nothing proven; proven without a token; locked.
        let account = app.register(PHONE).await;
        assert!(!gets_a_code(&app, PHONE).await && !gets_a_code(&app, &account.email).await);
        let (by_phone, by_email) = (app.code(PHONE, None).await, app.email_code(&account.email, None).await);
        assert_eq!(app.verify(PHONE, &by_phone, None).await.status, 200);
        assert_eq!(app.verify_email(&account.email, &by_email, None).await.status, 200);
        app.pass(60);
        assert!(!gets_a_code(&app, PHONE).await && !gets_a_code(&app, &account.email).await);
        // Proven once more, with its token.
        app.own_phone(&account).await;
        assert!(gets_a_code(&app, PHONE).await && !gets_a_code(&app, &account.email).await);
        app.own_email(&account).await;
        assert!(gets_a_code(&app, &account.email).await);
        app.sql(format!("UPDATE users SET locked_at = created_at WHERE id = '{}'", account.id)).await;
        assert!(!gets_a_code(&app, PHONE).await && !gets_a_code(&app, &account.email).await);
    }

    async fn an_address_that_opens_nothing_is_answered_alike(app) {
        let (owner, claimant) = (app.register(PHONE).await, app.register(OTHER_PHONE).await);
        app.own_phone(&owner).await;
        app.own_email(&owner).await;
        let mut answers = Vec::new();
        for address in [PHONE, OTHER_PHONE, NOBODYS_PHONE] {
            answers.push(steps_of(&app, address).await);
        }
        assert_eq!([&answers[1], &answers[2]], [&answers[0]; 2]);
        let mut answers = Vec::new();
        for address in [owner.email.as_str(), claimant.email.as_str(), NOBODYS] {
            answers.push(steps_of(&app, address).await);
        }
        assert_eq!([&answers[1], &answers[2]], [&answers[0]; 2]);
        assert_eq!(answers[0][2]["body"]["attempts_remaining"], 2);
        assert_eq!(answers[0][5]["body"]["code"], "otp_attempts_exceeded");
    }

    async fn a_strangers_request_replaces_nobodys_code(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let mine = app.code_to_sign_in(PHONE).await;
        app.pass(60);
        let mut theirs = Vec::new();
        for _ in 0..2 {
            theirs.push(app.code_to_sign_in(PHONE).await);
            app.pass(60);
        }
        // Each code is good with its own id alone.
        app.login_by_code(&theirs[0].id, &wrong(&theirs[0].code)).await.is(400, "otp_invalid");
        let answer = app.login_by_code(&mine.id, &mine.code).await;
        assert_signed_in(&app, &answer, &account).await;
        let answer = app.login_by_code(&theirs[1].id, &theirs[1].code).await;
        assert_signed_in(&app, &answer, &account).await;
        // Of four the oldest is replaced.
        let mut four = Vec::new();
        for _ in 0..4 {
            four.push(app.code_to_sign_in(PHONE).await);
            app.pass(60);
        }
        let replaced = app.login_by_code(&theirs[0].id, &theirs[0].code).await;
        replaced.is(400, "otp_expired");
        assert_signed_in(&app, &app.login_by_code(&four[3].id, &four[3].code).await, &account).await;
    }

    async fn a_code_of_another_purpose_signs_nobody_in(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let (sign_in, reset) = (app.code_to_sign_in(PHONE).await, {
            app.pass(60);
            app.code_to_reset(PHONE).await
        });
        for _ in 0..5 {
            app.login_by_code(&reset.id, &reset.code).await.is(400, "otp_expired");
            app.reset_password(&sign_in.id, &sign_in.code, "quiet-otter-47").await.is(400, "otp_expired");
        }
        app.verify_by_id(PHONE, &sign_in.code, &sign_in.id, None).await.is(400, "otp_expired");
        app.verify(PHONE, &sign_in.code, Some(&account.access)).await.is(400, "otp_expired");
        assert_signed_in(&app, &app.login_by_code(&sign_in.id, &sign_in.code).await, &account).await;
        assert_eq!(app.reset_password(&reset.id, &reset.code, "quiet-otter-47").await.status, 200);
    }

    async fn wrong_codes_lock_the_address_whichever_challenge_they_were_for(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        for round in 0..4 {
            let code = app.code_to_sign_in(PHONE).await;
            for _ in 0..if round < 3 { 3 } else { 1 } {
                app.login_by_code(&code.id, &wrong(&code.code)).await;
            }
            let expected = if round < 3 { (400, "otp_attempts_exceeded") } else { (429, "rate_limited") };
            app.login_by_code(&code.id, &code.code).await.is(expected.0, expected.1);
            app.pass(60);
        }
        app.login_code(PHONE).await.is(429, "rate_limited");
        // By password it goes on, and for another purpose.
        assert_eq!(app.login(PHONE, PASSWORD).await.status, 200);
        app.pass(3600);
        let code = app.code_to_sign_in(PHONE).await;
        assert_signed_in(&app, &app.login_by_code(&code.id, &code.code).await, &account).await;
    }

    // Networks give numbers that were given up to others.
    async fn a_number_that_was_not_proven_for_long_signs_nobody_in_where_an_email_address_is_proven(app) {
        let (account, alone) = (app.register(PHONE).await, app.register(OTHER_PHONE).await);
        app.own_phone(&account).await;
        app.own_email(&account).await;
        app.own_phone(&alone).await;
        app.pass(179 * DAY);
        assert!(gets_a_code(&app, PHONE).await);
        app.pass(DAY);
        assert!(!gets_a_code(&app, PHONE).await);
        assert!(gets_a_code(&app, OTHER_PHONE).await, "nothing else opens this one");
        // The owner signs in by e-mail, and proves the phone once more.
        let code = app.code_to_sign_in(&account.email).await;
        let answer = app.login_by_code(&code.id, &code.code).await;
        assert_signed_in(&app, &answer, &account).await;
        let access = answer.body["tokens"]["access"].as_str().unwrap().to_owned();
        app.own_phone(&Account { access, ..account.clone() }).await;
        assert!(gets_a_code(&app, PHONE).await);
        // Each sign-in by it is a proof as well.
        for _ in 0..2 {
            app.pass(120 * DAY);
            let code = app.code_to_sign_in(PHONE).await;
            assert_signed_in(&app, &app.login_by_code(&code.id, &code.code).await, &account).await;
        }
    }

    async fn what_changed_since_the_code_was_sent_counts(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        app.own_email(&account).await;
        for change in [
            "locked_at = created_at",
            "phone = '+14152000007'",
            "phone_owned_at = NULL",
            "phone_verified = (1 = 0)",
        ] {
            let code = app.code_to_sign_in(PHONE).await;
            app.sql(format!("UPDATE users SET {change} WHERE id = '{}'", account.id)).await;
            app.login_by_code(&code.id, &code.code).await.is(400, "otp_expired");
            app.sql(format!(
                "UPDATE users SET locked_at = NULL, phone = '{PHONE}', phone_owned_at = updated_at, phone_verified = (1 = 1) WHERE id = '{}'",
                account.id
            )).await;
            app.pass(60);
        }
        let code = app.code_to_sign_in(PHONE).await;
        assert_signed_in(&app, &app.login_by_code(&code.id, &code.code).await, &account).await;
    }

    async fn however_many_are_right_at_once_one_session_is_opened(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let siblings = match app.provider.is_some() {
            true => vec![app.sibling().await, app.sibling().await],
            false => Vec::new(),
        };
        let apps: Vec<&TestApp> = siblings.iter().chain([&app]).collect();
        let code = app.code_to_sign_in(PHONE).await;
        let asks = (0..60).map(|index| apps[index % apps.len()].login_by_code(&code.id, &code.code));
        let answers = join_all(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "otp_expired").count(), 59);
        let sessions = app.sql_text(format!("SELECT CAST(count(*) AS text) FROM sessions WHERE user_id = '{}'", account.id)).await;
        assert_eq!(sessions, "2", "that of the registration, and this one");
    }

    async fn a_login_beside_a_lock_leaves_no_open_session(app) {
        for round in 0..8 {
            let account = app.register(&format!("+1415200010{round}")).await;
            app.own_phone(&account).await;
            let code = app.code_to_sign_in(&account.phone).await;
            let lock = format!(
                "UPDATE users SET locked_at = created_at, session_epoch = session_epoch + 1 WHERE id = '{}'",
                account.id
            );
            let (answer, ()) = tokio::join!(app.login_by_code(&code.id, &code.code), app.sql(lock));
            app.sql(format!("UPDATE users SET locked_at = NULL WHERE id = '{}'", account.id)).await;
            if answer.status == 200 {
                let access = answer.body["tokens"]["access"].as_str().unwrap();
                app.get_as("/api/users/me/", access).await.is(401, "token_revoked");
            } else {
                answer.is(400, "otp_expired");
            }
        }
    }

    async fn bad_input_is_refused_field_by_field(app) {
        for (body, field) in [
            (json!({}), "email"),
            (json!({ "email": "a@example.com", "phone": PHONE }), "phone"),
            (json!({ "email": "no address" }), "email"), (json!({ "phone": "12" }), "phone"),
            (json!({ "email": "", "phone": PHONE }), "email"), (json!({ "email": NOBODYS, "phone": [1] }), "phone"),
        ] {
            for path in ["/api/users/login/code/", "/api/users/password/forgot/"] {
                assert_eq!(app.post(path, body.clone()).await.faulty_fields(), [field], "{path}");
            }
        }
        let verify = |body| app.post("/api/users/login/code/verify/", body);
        assert_eq!(verify(json!({})).await.faulty_fields(), ["challenge_id", "otp"]);
        assert_eq!(verify(json!({ "challenge_id": "7", "otp": "12345" })).await.faulty_fields(), ["challenge_id", "otp"]);
        // An id that nobody made.
        for id in ["00000000-0000-0000-0000-000000000000", "3f2b8c4d-1e6a-4f70-8b9c-0d1e2f3a4b5c"] {
            app.login_by_code(id, "123456").await.is(400, "otp_expired");
        }
    }

    async fn rules_by_address_hold_for_codes_to_sign_in_by(app) {
        let rule = |id, on, by| format!("[[rule]]\nid='{id}'\non='{on}'\nby='{by}'\nquota=2\nper='1d'\n");
        app.limit(&[rule("phones", "otp.send", "phone"), rule("emails", "otp.send", "email")].concat()).await;
        for address in [PHONE, NOBODYS] {
            for _ in 0..2 {
                assert_eq!(app.login_code(address).await.status, 200);
                app.pass(60);
            }
            app.login_code(address).await.is(429, "rate_limited");
            app.forgot(address).await.is(429, "rate_limited");
        }
        app.limit(&rule("guesses", "otp.verify", "ip")).await;
        let id = app.login_code(NOBODYS_PHONE).await.text("challenge_id").to_owned();
        for _ in 0..2 {
            app.login_by_code(&id, "000000").await.is(400, "otp_invalid");
        }
        let answer = app.login_by_code(&id, "000000").await;
        answer.is(429, "rate_limited");
        assert_eq!(answer.text("rule"), "guesses");
    }

    async fn codes_are_counted_by_purpose(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let code = app.code_to_sign_in(PHONE).await;
        app.login_by_code(&code.id, &code.code).await;
        app.forgot(NOBODYS).await;
        let count = async |name, labels: &[&str]| app.metric(name, labels).await;
        assert!(count("ringback_otp_issued_total", &["purpose=\"sign_in\"", "kind=\"sms\""]).await >= 1.0);
        assert!(count("ringback_otp_issued_total", &["purpose=\"reset_password\"", "kind=\"decoy\""]).await >= 1.0);
        assert!(count("ringback_otp_verdicts_total", &["purpose=\"sign_in\"", "verdict=\"right\""]).await >= 1.0);
    }
}

/// What is answered to whoever asks for a code to an address, and guesses.
async fn steps_of(app: &TestApp, address: &str) -> Vec<Value> {
    let sent = app.login_code(address).await;
    let id = sent.text("challenge_id").to_owned();
    let status = app.get(&format!("/api/users/otp-status/{id}/")).await;
    let mut answers = vec![alike(&sent), alike(&status)];
    for otp in ["000000", "000001", "000002", "000003"] {
        answers.push(alike(&app.login_by_code(&id, otp).await));
    }
    answers.push(alike(&app.login_code(address).await));
    answers
}

#[actix_web::test]
async fn a_test_number_signs_nobody_in() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let variables = [
            ("RINGBACK__TEST_NUMBERS__CODES", "+14152000001=135790"),
            ("RINGBACK__TEST_NUMBERS__UNTIL", "2999-12-31"),
        ];
        let app = TestApp::start_with(backends, &variables).await;
        let account = app.register(PHONE).await;
        let token = Some(account.access.as_str());
        app.send(PHONE, token).await;
        assert_eq!(app.verify(PHONE, "135790", token).await.status, 200);
        app.pass(60);
        assert!(!gets_a_code(&app, PHONE).await);
        for sent in [app.login_code(PHONE).await, {
            app.pass(60);
            app.forgot(PHONE).await
        }] {
            let id = sent.text("challenge_id");
            app.login_by_code(id, "135790").await;
            app.reset_password(id, "135790", "quiet-otter-47").await;
        }
        assert_eq!(
            app.login(PHONE, PASSWORD).await.status,
            200,
            "the password is as it was"
        );
        let sessions =
            app.sql_text("SELECT CAST(count(*) AS text) FROM sessions WHERE amr <> 'pwd'".to_owned());
        assert_eq!(sessions.await, "0");
    }
}

#[actix_web::test]
async fn a_right_code_that_meets_a_database_that_is_down_is_still_good() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    app.own_phone(&account).await;
    let sign_in = app.code_to_sign_in(PHONE).await;
    app.pass(60);
    let reset = app.code_to_reset(PHONE).await;
    proxies.database.go_away();
    for _ in 0..4 {
        app.login_by_code(&sign_in.id, &sign_in.code)
            .await
            .is(503, "unavailable");
        app.reset_password(&reset.id, &reset.code, "quiet-otter-47")
            .await
            .is(503, "unavailable");
    }
    proxies.database.come_back();
    let signed_in = eventually("the database", async || {
        let answer = app.login_by_code(&sign_in.id, &sign_in.code).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert_signed_in(&app, &signed_in, &account).await;
    let answer = app.reset_password(&reset.id, &reset.code, "quiet-otter-47").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.login(PHONE, "quiet-otter-47").await.status, 200);
}
