//! Registering with a code: it proves the e-mail address at once, and takes it from whoever never did.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Answer, Backends, PASSWORD, TestApp, eventually, fields, on_both, registration, shape, wrong,
};

const PHONE: &str = "+14152000001";
const EMAIL: &str = "jane@example.com";

async fn ask(app: &TestApp, email: &str) -> Answer {
    app.post("/api/users/register/code/", json!({ "email": email }))
        .await
}

/// Has a code sent: the challenge's id, and the code.
async fn code(app: &TestApp, email: &str) -> (String, String) {
    let before = app.codes_to(email).await;
    let sent = ask(app, email).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let code = eventually("an e-mail", async || {
        app.codes_to(email)
            .await
            .into_iter()
            .find(|code| !before.contains(code))
    })
    .await;
    (sent.text("challenge_id").to_owned(), code)
}

async fn register(app: &TestApp, email: &str, phone: &str, id: &str, otp: &str) -> Answer {
    let mut body = registration(email, phone);
    body["challenge_id"] = json!(id);
    body["otp"] = json!(otp);
    app.post("/api/users/register/", body).await
}

on_both! {
    async fn a_code_proves_the_address_of_a_new_account(app) {
        let sent = ask(&app, "other@example.com").await;
        assert_eq!(fields(&sent), ["challenge_id", "detail", "email", "expires_in", "resend_after"]);
        let (id, code) = code(&app, EMAIL).await;
        let answer = register(&app, EMAIL, PHONE, &id, &wrong(&code)).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        let answer = register(&app, EMAIL, PHONE, &id, &code).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body.pointer("/user/email_verified"), Some(&json!(true)));
        assert_eq!(answer.body.pointer("/user/phone_verified"), Some(&json!(false)));
        let owned = "SELECT CAST(count(*) AS text) FROM users WHERE email_verified AND email_owned_at IS NOT NULL";
        assert_eq!(app.sql_text(owned.to_owned()).await, "1");
        register(&app, EMAIL, PHONE, &id, &code).await.is(400, "otp_expired");
    }

    // All that is wrong is said before the code is judged, which keeps its tries.
    async fn a_code_is_judged_only_when_all_else_is_right(app) {
        let (id, code) = code(&app, EMAIL).await;
        for fault in [json!({ "phone": "12" }), json!({ "password_confirm": "another-one-7" }), json!({ "first_name": "" })] {
            let mut body = registration(EMAIL, PHONE);
            for (name, value) in fault.as_object().unwrap() {
                body[name] = value.clone();
            }
            body["challenge_id"] = json!(id);
            body["otp"] = json!(wrong(&code));
            app.post("/api/users/register/", body).await.is(400, "validation_failed");
        }
        let mut body = registration(EMAIL, PHONE);
        body["otp"] = json!(code);
        let answer = app.post("/api/users/register/", body).await;
        answer.is(400, "validation_failed");
        assert_eq!(answer.faulty_fields(), ["challenge_id"]);
        // A challenge of another address is not touched.
        register(&app, "john@example.com", PHONE, &id, &wrong(&code)).await.is(400, "otp_expired");
        let answer = register(&app, EMAIL, PHONE, &id, &wrong(&code)).await;
        assert_eq!(answer.body["attempts_remaining"], 2);
        assert_eq!(register(&app, EMAIL, PHONE, &id, &code).await.status, 201);
    }

    // A squatter has registered the victim's address, with a phone and a password of their own.
    async fn whoever_owns_an_address_takes_it_from_a_squatter(app) {
        let squatter = app.verified(PHONE).await;
        let answer = app.post("/api/users/register/", registration(&squatter.email, "+14152000002")).await;
        answer.is(409, "email_taken");
        assert!(answer.text("detail").contains("/api/users/register/code/"), "{answer:?}");
        let (id, code) = code(&app, &squatter.email).await;
        let owner = register(&app, &squatter.email, "+14152000002", &id, &code).await;
        assert_eq!(owner.status, 201, "{owner:?}");
        let left = app.get_as("/api/users/me/", &squatter.access).await;
        assert_eq!((left.status, &left.body["email"]), (200, &Value::Null), "its sessions stay");
        let login = app.post("/api/users/login/", json!({ "email": squatter.email, "password": PASSWORD })).await;
        assert_eq!(login.body.pointer("/user/id"), owner.body.pointer("/user/id"));
        let events = format!("SELECT CAST(count(*) AS text) FROM events WHERE kind = 'email.taken' AND user_id = '{}'", squatter.id);
        assert_eq!(app.sql_text(events).await, "1");
        // Nothing that the squatter does gets it back.
        app.pass(60);
        assert_eq!(app.send_email(&squatter.email, Some(&squatter.access)).await.status, 200);
        assert_eq!(app.codes_to(&squatter.email).await, [code]);
    }

    async fn every_address_is_answered_alike(app) {
        let (verified, unverified) = (app.register(PHONE).await, app.register("+14152000002").await);
        let code = app.email_code(&verified.email, None).await;
        assert_eq!(app.verify_email(&verified.email, &code, None).await.status, 200);
        app.pass(60);
        let mut seen = Vec::new();
        for email in [verified.email.as_str(), &unverified.email, "nobody@example.com"] {
            let sent = ask(&app, email).await;
            let id = sent.text("challenge_id").to_owned();
            let mut sent = shape(&sent);
            sent["email"] = Value::Null;
            let mut judged = vec![sent];
            for otp in ["000000", "000001", "000002", "000003"] {
                judged.push(shape(&register(&app, email, "+14152000003", &id, otp).await));
            }
            seen.push(judged);
        }
        assert_eq!([&seen[1], &seen[2]], [&seen[0]; 2]);
        assert_eq!(app.codes_to(&verified.email).await, [code]);
    }

    async fn sixty_registrations_with_one_code_make_one_account(app) {
        let squatter = app.register(PHONE).await;
        let (id, code) = code(&app, &squatter.email).await;
        let answers = join_all((0..60).map(|_| register(&app, &squatter.email, "+14152000002", &id, &code))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        let refused = answers.iter().filter(|answer| answer.status != 201);
        assert!(refused.into_iter().all(|answer| answer.code() == "otp_expired" || answer.status == 503));
        assert_eq!(app.sql_text("SELECT CAST(count(*) AS text) FROM users".to_owned()).await, "2");
    }
}

#[actix_web::test]
async fn where_a_code_is_required_nobody_learns_which_addresses_have_an_account() {
    let required = [("RINGBACK__ACCOUNTS__REGISTER_CODE", "required")];
    let app = TestApp::start_with(Backends::Embedded, &required).await;
    let (id, otp) = code(&app, EMAIL).await;
    assert_eq!(register(&app, EMAIL, PHONE, &id, &otp).await.status, 201);
    for email in [EMAIL, "nobody@example.com"] {
        let answer = app
            .post("/api/users/register/", registration(email, "+14152000002"))
            .await;
        answer.is(400, "validation_failed");
        assert_eq!(answer.faulty_fields(), ["challenge_id", "otp"]);
    }
}
