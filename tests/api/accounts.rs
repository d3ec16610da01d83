//! Signing up and signing in: what each field may be, which passwords are taken, and what a stranger learns.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp, on_both, registration};

const REGISTER: &str = "/api/users/register/";
const LOGIN: &str = "/api/users/login/";

/// Registers `email` with this password and answers the status, and what was said of the password.
async fn set(app: &TestApp, email: &str, password: &str) -> (u16, Value) {
    let mut body = registration(email, "+14152000001");
    body["password"] = json!(password);
    body["password_confirm"] = json!(password);
    let answer = app.post(REGISTER, body).await;
    (answer.status, answer.body["errors"]["password"].clone())
}

async fn login(app: &TestApp, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    app.post(LOGIN, body).await.status
}

async fn hash_of(app: &TestApp, id: &str) -> String {
    app.sql_text(format!("SELECT password_hash FROM users WHERE id = '{id}'"))
        .await
}

on_both! {
    async fn each_field_has_its_rules(app) {
        let long_name = "é".repeat(151);
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_address = format!("{}@{}.com", "a".repeat(64), "b".repeat(250));
        let bad: [(&str, &[&str]); 5] = [
            ("email", &["", " ", "a", "@", "a@", "@b.c", "a@b", "a@b@c.de", "a b@c.de", "a@b..de", "a@.de", "a@b.de.",
                        "a@-b.de", "a@127.0.0.1", "a@[127.0.0.1]", "\"a\"@b.de", "a@b.de,c@d.ef", "a@b_c.de",
                        "a\u{0}@b.de", "a\u{200b}@b.de", "<a@b.de>", "a＠b@c.de", &long_local, &long_address]),
            ("first_name", &["", "  ", "\t\n", "a\u{0}b", "a\nb", "\u{1b}[31m", &long_name]),
            ("last_name", &["\u{3164}", "a\u{7f}b", &long_name]),
            ("phone", &["", "5551234567", "+1"]),
            ("password", &["", "seven77", "12345678", "password", "PASSWORD", "qwertyuiop"]),
        ];
        let before = app.effects().await;
        for (field, values) in bad {
            for value in values {
                let mut body = registration("good@example.com", "+14152000001");
                body[field] = json!(value);
                if field == "password" {
                    body["password_confirm"] = json!(value);
                }
                assert_eq!(app.post(REGISTER, body).await.faulty_fields(), [field], "{value:?}");
            }
        }
        let mut body = registration("good@example.com", "+14152000001");
        body["password_confirm"] = json!("securepass124");
        assert_eq!(app.post(REGISTER, body).await.faulty_fields(), ["password_confirm"]);
        assert_eq!(app.effects().await, before);
        let full_name = "é".repeat(150);
        let longest = format!("{}@example.com", "a".repeat(64));
        let fine = ["a@b.de", "o'neil+tag@example.co.uk", "ünï@bücher.example", "用户@例子.中国", "x@xn--bcher-kva.example",
                    " spaced@example.com\n", "a.b.c@1.example", &longest];
        for (nonce, email) in fine.iter().enumerate() {
            let mut body = registration(email, &format!("+1415200000{nonce}"));
            body["first_name"] = json!(["O’Brien", "王", "علی\u{200c}رضا", &full_name][nonce % 4]);
            body["last_name"] = json!("  de la Cruz ");
            let answer = app.post(REGISTER, body.clone()).await;
            assert_eq!(answer.status, 201, "{email}: {answer:?}");
            let user = &answer.body["user"];
            assert_eq!((&user["first_name"], &user["last_name"]), (&body["first_name"], &json!("de la Cruz")));
            assert_eq!(user["email"], email.trim());
            assert_eq!(login(&app, email, PASSWORD).await, 200, "{email}");
        }
    }

    async fn all_faults_are_said_at_once(app) {
        let body = json!({ "email": "nobody", "phone": 5, "first_name": "", "last_name": 5, "password": "short",
                           "password_confirm": "other" });
        let answer = app.post(REGISTER, body).await;
        // No word on the confirmation of a password that has to be chosen anew.
        assert_eq!(answer.faulty_fields(), ["email", "first_name", "last_name", "password", "phone"]);
        let mut body = registration("jane.doe@example.com", "+14152000001");
        for guess in ["jane.doe@example.com", "JANE.DOE", "14152000001", "+14152000001"] {
            body["password"] = json!(guess);
            body["password_confirm"] = json!("different");
            let answer = app.post(REGISTER, body.clone()).await;
            assert_eq!(answer.faulty_fields(), ["password"], "{guess}");
        }
        assert_eq!(app.effects().await.0, "0 users, 0 sessions");
    }

    async fn a_password_has_8_to_128_characters_of_any_script(app) {
        let fine = ["securepass123", "geheim78", "пароль моей кошки", "密码密码密码密码", "🐈🦊🐈🦊🐈🦊🐈🦊", "   spaces   ",
                    "nul\u{0}nul\u{0}", "nurkleinbuchstaben", "83619467205", &"ü9".repeat(64), &"🐈7".repeat(64)];
        for (nonce, password) in fine.iter().enumerate() {
            let email = format!("p{nonce}@example.com");
            assert_eq!(set(&app, &email, password).await.0, 201, "{password}");
            assert_eq!(login(&app, &email, password).await, 200, "{password}");
            let (second, _) = password.char_indices().nth(1).unwrap();
            assert_eq!(login(&app, &email, &password[second..]).await, 401, "{password}");
            assert_eq!(login(&app, &email, &format!("{password} ")).await, 401, "{password}");
        }
        for password in ["seven77", "密码密码密码密", "e\u{301}e\u{301}e\u{301}e\u{301}", &"x7".repeat(64), &"ü9".repeat(70)] {
            let long = format!("{password}{}", if password.len() > 100 { "x" } else { "" });
            let (status, said) = set(&app, "refused@example.com", &long).await;
            assert_eq!((status, said.as_array().map(Vec::len)), (400, Some(1)), "{long}");
        }
        assert_eq!(login(&app, "p0@example.com", &"x".repeat(15_000)).await, 401, "too long to be one is a wrong one");
        assert_eq!(login(&app, "p0@example.com", "").await, 401);
    }

    async fn spellings_of_a_password_are_one_and_nothing_of_it_is_cut(app) {
        assert_eq!(set(&app, "nfc@example.com", "caf\u{e9} au lait").await.0, 201);
        assert_eq!(login(&app, "nfc@example.com", "cafe\u{301} au lait").await, 200);
        assert_eq!(set(&app, "nfd@example.com", "o\u{308}sterreich7").await.0, 201);
        assert_eq!(login(&app, "nfd@example.com", "\u{f6}sterreich7").await, 200);
        assert_eq!(login(&app, "nfd@example.com", "osterreich7").await, 401);
        assert_eq!(login(&app, "nfd@example.com", "\u{d6}sterreich7").await, 401, "case counts");
        let longest = "long and dull ".repeat(10)[..128].to_owned();
        let other = format!("{}x", &longest[..127]);
        assert_eq!(set(&app, "long@example.com", &longest).await.0, 201);
        assert_eq!(login(&app, "long@example.com", &other).await, 401, "the 128th character counts");
        assert_eq!(login(&app, "long@example.com", &format!("{longest}x")).await, 401);
        assert_eq!(login(&app, "long@example.com", &longest).await, 200);
        assert_eq!(set(&app, "longer@example.com", &format!("{longest}x")).await.0, 400);
    }

    async fn an_email_logs_in_in_any_case_and_a_phone_once_it_is_proven(app) {
        let account = app.register("+14152000001").await;
        for email in [account.email.clone(), account.email.to_uppercase(), format!(" {} ", account.email)] {
            let answer = app.post(LOGIN, json!({ "email": email, "password": PASSWORD })).await;
            assert_eq!((answer.status, &answer.body["user"]["id"]), (200, &json!(account.id)), "{email}");
            assert_eq!(answer.body["user"]["email"], account.email);
        }
        let by_phone = json!({ "phone": account.phone, "password": PASSWORD });
        app.post(LOGIN, by_phone.clone()).await.is(401, "invalid_credentials");
        let code = app.code(&account.phone, None).await;
        assert_eq!(app.verify(&account.phone, &code, None).await.status, 200);
        // Somebody else who claims the phone has his own password, and is not let in by it.
        let mut other = registration("other@example.com", &account.phone);
        other["password"] = json!("another secret");
        other["password_confirm"] = json!("another secret");
        assert_eq!(app.post(REGISTER, other).await.status, 201);
        let answer = app.post(LOGIN, by_phone).await;
        assert_eq!((answer.status, &answer.body["user"]["id"]), (200, &json!(account.id)), "{answer:?}");
        let other = json!({ "phone": account.phone, "password": "another secret" });
        app.post(LOGIN, other).await.is(401, "invalid_credentials");
        for (body, field) in [
            (json!({ "email": account.email, "phone": account.phone, "password": PASSWORD }), "phone"),
            (json!({ "password": PASSWORD }), "email"),
            (json!({ "email": null, "phone": null, "password": PASSWORD }), "email"),
        ] {
            assert_eq!(app.post(LOGIN, body).await.faulty_fields(), [field]);
        }
    }

    async fn a_stranger_learns_nothing_from_a_failed_login(app) {
        let (account, locked) = (app.verified("+14152000001").await, app.verified("+14152000002").await);
        let lock = "UPDATE users SET locked_at = created_at, session_epoch = session_epoch + 1";
        app.sql(format!("{lock} WHERE id = '{}'", locked.id)).await;
        let mut answers = Vec::new();
        for login in [
            json!({ "email": account.email, "password": "wrong password" }),
            json!({ "phone": account.phone, "password": "wrong password" }),
            json!({ "email": "nobody@example.com", "password": PASSWORD }),
            json!({ "phone": "+14152000009", "password": PASSWORD }),
            json!({ "email": locked.email, "password": PASSWORD }),
            json!({ "phone": locked.phone, "password": PASSWORD }),
            json!({ "email": locked.email, "password": "wrong password" }),
        ] {
            let answer = Answer::of(app.request("POST", LOGIN).header("x-request-id", "same").json(&login)).await;
            answer.is(401, "invalid_credentials");
            let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name != "date")
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            headers.sort_unstable();
            answers.push((answer.raw, headers));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        // Who is locked has no session either, and is let in again when he isn't any more.
        app.get_as("/api/users/me/", &locked.access).await.is(401, "token_revoked");
        app.post("/api/users/token/refresh/", json!({ "refresh": locked.refresh })).await.is(401, "token_revoked");
        app.sql(format!("UPDATE users SET locked_at = NULL WHERE id = '{}'", locked.id)).await;
        app.get_as("/api/users/me/", &locked.access).await.is(401, "token_revoked");
        app.post("/api/users/token/refresh/", json!({ "refresh": locked.refresh })).await.is(401, "token_revoked");
        assert_eq!(login(&app, &locked.email, PASSWORD).await, 200);
    }

    async fn an_email_is_taken_once_whoever_is_first(app) {
        let register = |phone: String| {
            let body = registration("Once@Example.com", &phone);
            let app = &app;
            async move { app.post(REGISTER, body).await }
        };
        let answers = join_all((10..30).map(|number| register(format!("+141520000{number}")))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        answers.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.is(409, "email_taken"));
        assert_eq!(made, 1);
        assert_eq!(app.effects().await.0, "1 users, 1 sessions");
    }

    async fn a_password_is_kept_as_argon2id_and_hashed_anew_when_its_cost_changes(app) {
        let account = app.register("+14152000001").await;
        let old = hash_of(&app, &account.id).await;
        assert!(old.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{old}");
        let salt = old.split('$').nth(4).unwrap();
        let other = app.register("+14152000002").await;
        assert!(!hash_of(&app, &other.id).await.contains(salt), "the same password, another salt");
        assert_eq!(login(&app, &account.email, PASSWORD).await, 200);
        assert_eq!(hash_of(&app, &account.id).await, old, "nothing to do at the same cost");

        let cost = [("RINGBACK__PASSWORDS__MEMORY_KIB", "128"), ("RINGBACK__PASSWORDS__ITERATIONS", "3")];
        let dearer = app.sibling_with(&cost).await;
        assert_eq!(login(&dearer, &account.email, "wrong password").await, 401);
        assert_eq!(hash_of(&app, &account.id).await, old, "a wrong password changes nothing");
        assert_eq!(login(&dearer, &account.email, PASSWORD).await, 200);
        let new = hash_of(&app, &account.id).await;
        assert!(new.starts_with("$argon2id$v=19$m=128,t=3,p=1$"), "{new}");
        for instance in [&dearer, &app] {
            assert_eq!(login(instance, &account.email, PASSWORD).await, 200);
            assert_eq!(login(instance, &account.email, "wrong password").await, 401);
        }
    }
}
