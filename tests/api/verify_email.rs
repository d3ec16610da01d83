//! E-mail addresses proven by code: as phones are, and apart from them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Account, Answer, Backends, TestApp, eventually, fields, on_both, shape, wrong};

const PHONE: &str = "+14152000001";
const NOBODYS: &str = "nobody@example.com";

/// Whether `me` says that the account's e-mail address is verified.
async fn has_verified_email(app: &TestApp, account: &Account) -> bool {
    let me = app.get_as("/api/users/me/", &account.access).await;
    assert_eq!(me.status, 200, "{me:?}");
    me.body["email_verified"] == true
}

const LOCKED: &str = "+14152000077";

on_both! {
    async fn a_locked_account_gets_no_code_and_proves_nothing(app) {
        let account = app.register(LOCKED).await;
        let set = |at: &str| app.sql(format!("UPDATE users SET locked_at = {at} WHERE id = '{}'", account.id));
        let before = [app.code(LOCKED, None).await, app.email_code(&account.email, None).await];
        set("created_at").await;
        app.verify(LOCKED, &before[0], None).await.is(400, "otp_expired");
        app.verify_email(&account.email, &before[1], None).await.is(400, "otp_expired");
        app.pass(61);
        let messages = async || (app.messages_to(LOCKED).await.len(), app.messages_to(&account.email).await.len());
        let (sms, mails) = messages().await;
        assert_eq!(app.send(LOCKED, None).await.status, 200);
        assert_eq!(app.send_email(&account.email, None).await.status, 200);
        app.pass(61);
        set("NULL").await;
        // Those to the account that is open again are the only ones that went out.
        app.code(LOCKED, None).await;
        app.email_code(&account.email, None).await;
        assert_eq!(messages().await, (sms + 1, mails + 1));
    }

    async fn somebody_proves_an_email_address(app) {
        let account = app.register(PHONE).await;
        assert!(!has_verified_email(&app, &account).await);
        let code = app.email_code(&account.email, None).await;
        let answer = app.verify_email(&account.email, &wrong(&code), None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        // However it is written.
        let answer = app.verify_email(&account.email.to_uppercase(), &code, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(fields(&answer), ["detail", "email", "email_verified"]);
        assert_eq!(answer.body["email_verified"], true);
        assert!(has_verified_email(&app, &account).await && !app.is_verified(&account).await);
        app.verify_email(&account.email, &code, None).await.is(400, "otp_expired");
    }

    async fn a_code_is_answered_with_all_that_a_client_needs(app) {
        let account = app.register(PHONE).await;
        let sent = app.send_email(&account.email, None).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        assert_eq!(fields(&sent), ["challenge_id", "detail", "email", "expires_in", "resend_after"]);
        assert_eq!((sent.text("email"), &sent.body["expires_in"], &sent.body["resend_after"]),
            (account.email.as_str(), &json!(600), &json!(60)));
        app.send_email(&account.email, None).await.is(429, "resend_cooldown");
        let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
        app.pass(1);
        let status = app.get(&path).await;
        assert_eq!((status.text("channel"), status.text("status")), ("email", "sent"));
    }

    async fn an_address_without_an_account_or_verified_already_is_answered_alike(app) {
        let account = app.register(PHONE).await;
        let verified = app.register("+14152000002").await;
        let code = app.email_code(&verified.email, None).await;
        assert_eq!(app.verify_email(&verified.email, &code, None).await.status, 200);
        app.pass(60);
        let (mut answers, mut judged): (Vec<Value>, Vec<Value>) = Default::default();
        for email in [account.email.as_str(), verified.email.as_str(), NOBODYS] {
            let mut sent = shape(&app.send_email(email, None).await);
            sent["email"] = Value::Null;
            answers.push(sent);
            for otp in ["000000", "000001", "000002", "000003"] {
                judged.push(shape(&app.verify_email(email, otp, None).await));
            }
        }
        assert_eq!([&answers[1], &answers[2]], [&answers[0]; 2]);
        assert_eq!(judged[0]["attempts_remaining"], 2);
        assert_eq!(judged[3]["code"], "otp_attempts_exceeded");
        assert_eq!([&judged[4..8], &judged[8..]], [&judged[..4]; 2]);
        eventually("the one e-mail", async || (!app.codes_to(&account.email).await.is_empty()).then_some(())).await;
        assert_eq!(app.codes_to(NOBODYS).await, [""; 0]);
        assert_eq!(app.codes_to(&verified.email).await, [code]);
    }

    async fn a_challenge_that_is_asked_for_with_a_token_is_that_users_alone(app) {
        let (mine, other) = (app.register(PHONE).await, app.register("+14152000002").await);
        let code = app.email_code(&mine.email, Some(&mine.access)).await;
        for token in [None, Some(other.access.as_str())] {
            app.verify_email(&mine.email, &code, token).await.is(400, "otp_expired");
        }
        // Another's token has no code sent to it.
        app.pass(60);
        assert_eq!(app.send_email(&mine.email, Some(&other.access)).await.status, 200);
        assert_eq!(app.verify_email(&mine.email, &code, Some(&mine.access)).await.status, 200);
        assert!(has_verified_email(&app, &mine).await && !has_verified_email(&app, &other).await);
        assert_eq!(app.codes_to(&mine.email).await.len(), 1);
    }

    // One account's phone and e-mail address, each with a code: neither opens the other, and the failures of one are not
    // the other's.
    async fn a_code_for_a_phone_is_not_one_for_an_email_address(app) {
        let account = app.register(PHONE).await;
        let token = Some(account.access.as_str());
        let by_phone = app.code(PHONE, token).await;
        let by_email = app.email_code(&account.email, token).await;
        if by_phone == by_email {
            return; // once in a million
        }
        let answer = app.verify_email(&account.email, &by_phone, token).await;
        answer.is(400, "otp_invalid");
        let answer = app.verify(PHONE, &by_email, token).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2, "the e-mail's attempt is another's");
        assert_eq!(app.verify(PHONE, &by_phone, token).await.status, 200);
        assert_eq!(app.verify_email(&account.email, &by_email, token).await.status, 200);
        assert!(app.is_verified(&account).await && has_verified_email(&app, &account).await);
    }

    async fn the_id_of_a_phones_challenge_is_none_of_an_email_addresss(app) {
        let account = app.register(PHONE).await;
        let sent = app.send(PHONE, None).await;
        let code = app.email_code(&account.email, None).await;
        let body = json!({ "email": account.email, "otp": code, "challenge_id": sent.text("challenge_id") });
        app.post("/api/users/verify-email-otp/", body).await.is(400, "otp_expired");
        assert_eq!(app.verify_email(&account.email, &code, None).await.status, 200);
    }

    async fn three_wrong_codes_end_a_challenge_and_ten_lock_the_address(app) {
        let account = app.register(PHONE).await;
        for round in 0..4 {
            let code = app.email_code(&account.email, None).await;
            for _ in 0..if round < 3 { 3 } else { 1 } {
                app.verify_email(&account.email, &wrong(&code), None).await;
            }
            let expected = if round < 3 { (400, "otp_attempts_exceeded") } else { (429, "rate_limited") };
            app.verify_email(&account.email, &code, None).await.is(expected.0, expected.1);
            app.pass(60);
        }
        app.send_email(&account.email, None).await.is(429, "rate_limited");
        // The account's phone is another matter.
        let code = app.code(PHONE, None).await;
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    }

    async fn however_many_are_right_at_once_one_succeeds(app) {
        let account = app.register(PHONE).await;
        let siblings = match app.provider.is_some() {
            true => vec![app.sibling().await, app.sibling().await],
            false => Vec::new(),
        };
        let apps: Vec<&TestApp> = siblings.iter().chain([&app]).collect();
        let code = app.email_code(&account.email, None).await;
        let asks = (0..60).map(|index| apps[index % apps.len()].verify_email(&account.email, &code, None));
        let answers = join_all(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "otp_expired").count(), 59);
        assert!(has_verified_email(&app, &account).await);
    }

    async fn however_many_guess_at_once_three_are_judged(app) {
        let account = app.register(PHONE).await;
        let siblings = match app.provider.is_some() {
            true => vec![app.sibling().await, app.sibling().await],
            false => Vec::new(),
        };
        let apps: Vec<&TestApp> = siblings.iter().chain([&app]).collect();
        let guess = wrong(&app.email_code(&account.email, None).await);
        let asks = (0..60).map(|index| apps[index % apps.len()].verify_email(&account.email, &guess, None));
        let answers = join_all(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "otp_invalid").count(), 2);
        assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "otp_attempts_exceeded").count(), 58);
    }

    async fn a_new_code_replaces_the_one_before_and_gives_no_guess_back(app) {
        let account = app.register(PHONE).await;
        let mut codes: Vec<String> = Vec::new();
        for _ in 0..3 {
            let code = app.email_code(&account.email, None).await;
            if let Some(replaced) = codes.last() {
                let answer = app.verify_email(&account.email, replaced, None).await;
                answer.is(400, "otp_invalid");
                assert_eq!(answer.body["attempts_remaining"], 2, "a code that was replaced is a wrong one");
            }
            codes.push(code);
            app.pass(60);
        }
        let code = codes.pop().unwrap();
        assert_eq!(app.verify_email(&account.email, &code, None).await.status, 200);
        assert!(has_verified_email(&app, &account).await);
    }

    async fn an_email_is_in_the_language_that_the_client_asks_for(app) {
        for (phone, asked, subject) in [
            (PHONE, "de-AT, en;q=0.5", "Ringback: Bestätigen Sie Ihre E-Mail-Adresse"),
            ("+14152000002", "xx, fr;q=0.2, pt-BR;q=0.7", "Ringback: confirme o seu e-mail"),
        ] {
            let account = app.register(phone).await;
            let request = app.request("POST", "/api/users/send-email-otp/").header("accept-language", asked);
            let answer = Answer::of(request.json(&json!({ "email": account.email }))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let sent = eventually("the e-mail", async || {
                let inbox = app.get("/dev/inbox.json").await.body;
                let mut messages = inbox.as_array().unwrap().iter();
                messages.find(|message| message["to"] == account.email).cloned()
            }).await;
            assert_eq!(sent["subject"], subject);
        }
    }

    async fn what_is_no_email_address_or_no_code_costs_no_attempt(app) {
        let account = app.register(PHONE).await;
        let code = app.email_code(&account.email, None).await;
        for body in [json!({}), json!({ "email": null }), json!({ "email": "hello" }), json!({ "email": 7 })] {
            app.post("/api/users/send-email-otp/", body).await.is(400, "validation_failed");
        }
        for otp in ["", "12345", "12345a", "1234567"] {
            let answer = app.verify_email(&account.email, otp, None).await;
            answer.is(400, "validation_failed");
            assert!(answer.body["errors"]["otp"][0].is_string(), "{answer:?}");
        }
        let answer = app.verify_email(&account.email, &wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2);
    }
}

#[actix_web::test]
async fn without_a_way_to_send_e_mail_no_code_is_asked_for_in_vain() {
    let variables = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
        ("RINGBACK_SECRET", "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk="),
    ];
    let app = TestApp::start_with(Backends::Servers, &variables).await;
    let email = json!({ "email": "jane@example.com" });
    let code = json!({ "email": "jane@example.com", "otp": "123456" });
    for (path, body) in [("send-email-otp", email), ("verify-email-otp", code)] {
        let answer = app.post(&format!("/api/users/{path}/"), body).await;
        answer.is(503, "mail_not_configured");
        assert!(!answer.header("retry-after").is_empty());
    }
}
