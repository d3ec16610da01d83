//! Administrators: roles, the second proof, finding accounts, locking and unlocking.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Account, Backends, TestApp, on_both};

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn reason() -> Option<Value> {
    Some(json!({ "reason": "the owner called" }))
}

/// Every route behind the second proof, for an account.
pub fn routes(id: &str) -> Vec<(&'static str, String, Option<Value>)> {
    vec![
        ("GET", "/api/admin/users/".to_owned(), None),
        ("GET", format!("/api/admin/users/{id}/"), None),
        ("POST", format!("/api/admin/users/{id}/lock/"), reason()),
        ("POST", format!("/api/admin/users/{id}/unlock/"), reason()),
        ("POST", format!("/api/admin/users/{id}/confirm-phone/"), reason()),
        ("POST", format!("/api/admin/users/{id}/confirm-email/"), reason()),
        ("POST", format!("/api/admin/users/{id}/end-sessions/"), reason()),
        ("POST", format!("/api/admin/users/{id}/release-limits/"), reason()),
        ("GET", "/api/admin/events/".to_owned(), None),
        ("GET", "/api/admin/verifications/".to_owned(), None),
        ("GET", "/api/admin/stats/".to_owned(), None),
        ("GET", "/api/admin/limits/".to_owned(), None),
        (
            "POST",
            "/api/admin/limits/pause/".to_owned(),
            Some(json!({ "country": "GL", "seconds": 60, "reason": "why" })),
        ),
        (
            "POST",
            "/api/admin/limits/resume/".to_owned(),
            Some(json!({ "country": "GL", "reason": "why" })),
        ),
        (
            "PATCH",
            format!("/api/admin/users/{id}/"),
            Some(json!({ "reason": "why", "first_name": "Ada" })),
        ),
        ("DELETE", format!("/api/admin/users/{id}/"), reason()),
    ]
}

/// The kinds of the events about an account or by it, with actor and reason, the oldest first.
async fn noted(app: &TestApp, kind: &str) -> Vec<String> {
    let list = match app.variable("DATABASE_URL") {
        Some(_) => "string_agg(line, ';' ORDER BY id)",
        None => "group_concat(line, ';')",
    };
    let text = app
        .sql_text(format!(
            "SELECT coalesce({list}, '') FROM (SELECT id, actor || ' ' || coalesce(CAST(actor_id AS text), '') || ' ' || \
             coalesce(CAST(user_id AS text), '') || ' ' || coalesce(reason, '') || ' ' || coalesce(network, '') AS line \
             FROM events WHERE kind = '{kind}' ORDER BY id) AS lines"
        ))
        .await;
    text.split(';')
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn find(app: &TestApp, query: &str, token: &str) -> Vec<String> {
    let found = app
        .administer("GET", &format!("/api/admin/users/?{query}"), None, Some(token))
        .await;
    assert_eq!(found.status, 200, "{found:?}");
    let users = found.body["users"].as_array().unwrap();
    users
        .iter()
        .map(|user| user["id"].as_str().unwrap().to_owned())
        .collect()
}

on_both! {
    async fn an_administrator_gives_a_second_proof_and_helps(app) {
        let admin = app.administrator("admin", "+14155550101").await;
        let said = claims(&admin.access);
        assert_eq!((&said["role"], &said["amr"]), (&json!("admin"), &json!(["pwd", "otp", "sms"])));
        assert_eq!(claims(&admin.account.access).get("role"), None);

        let user = app.verified("+14155550102").await;
        assert_eq!(find(&app, "q=%2B1%20(415)%20555-0102", &admin.access).await, [&*user.id]);
        let locked = app.lock_as(&user.id, &admin.access).await;
        assert_eq!((locked.status, &locked.body["status"]), (200, &json!("locked")), "{locked:?}");
        app.get_as("/api/users/me/", &user.access).await.is(401, "token_revoked");
        assert!(!app.signs_in(&user).await);
        // A double click: one effect.
        assert_eq!(app.lock_as(&user.id, &admin.access).await.status, 200);
        let line = format!("administrator {} {} it was stolen 127.0.0.0/24", admin.account.id, user.id);
        assert_eq!(noted(&app, "account.locked").await, [line]);

        let path = format!("/api/admin/users/{}/unlock/", user.id);
        let unlocked = app.administer("POST", &path, reason(), Some(&admin.access)).await;
        assert_eq!((unlocked.status, &unlocked.body["locked_at"]), (200, &Value::Null), "{unlocked:?}");
        app.get_as("/api/users/me/", &user.access).await.is(401, "token_revoked");
        let (access, _) = app.log_in(&user).await;

        let path = format!("/api/admin/users/{}/", user.id);
        let page = app.administer("GET", &path, None, Some(&admin.access)).await;
        assert_eq!(page.body["user"]["email"], user.email, "{page:?}");
        assert_eq!(page.body["sessions"].as_array().unwrap().len(), 1);
        let ended = format!("{path}end-sessions/");
        assert_eq!(app.administer("POST", &ended, reason(), Some(&admin.access)).await.status, 200);
        app.get_as("/api/users/me/", &access).await.is(401, "token_revoked");
        assert_eq!(noted(&app, "user.viewed").await.len(), 1);
    }

    async fn without_a_second_proof_nothing_is_answered(app) {
        let admin = app.administrator("admin", "+14155550103").await;
        let user = app.verified("+14155550104").await;
        for (method, path, body) in routes(&user.id) {
            app.administer(method, &path, body.clone(), None).await.is(401, "not_authenticated");
            for plain in [&admin.account.access, &user.access] {
                app.administer(method, &path, body.clone(), Some(plain)).await.is(403, "second_proof_required");
            }
            // What is wrong with a body is told to nobody else.
            app.administer(method, &path, None, None).await.is(401, "not_authenticated");
            app.administer(method, &path, None, Some(&user.access)).await.is(403, "second_proof_required");
        }
        app.administer("POST", "/api/admin/session/", None, Some(&user.access)).await.is(403, "forbidden");
        // Nor is any of it on the public port.
        for (method, path, body) in routes(&user.id) {
            app.call(method, &path, body, Some(&admin.access)).await.is(404, "not_found");
        }
    }

    async fn support_does_less_than_admin(app) {
        app.administrator("admin", "+14155550105").await;
        let support = app.administrator("support", "+14155550106").await;
        assert_eq!(claims(&support.access)["role"], "support");
        let user = app.verified("+14155550107").await;
        for (method, path, body) in routes(&user.id) {
            let answer = app.administer(method, &path, body, Some(&support.access)).await;
            match path.ends_with("/lock/") || path.contains("/confirm-") || path.contains("/limits/p") || path.contains("/limits/r") || ["PATCH", "DELETE"].contains(&method) {
                true => answer.is(403, "forbidden"),
                false => assert_eq!(answer.status, 200, "{path} {answer:?}"),
            }
        }
        assert_eq!(noted(&app, "administration.refused").await.len(), 7);
    }

    async fn a_role_that_was_taken_away_acts_at_once_and_comes_back_with_a_new_proof_alone(app) {
        app.administrator("admin", "+14155550108").await;
        let support = app.administrator("support", "+14155550109").await;
        let list = async |token: String| app.administer("GET", "/api/admin/users/", None, Some(&token)).await;
        let account = &support.account;
        app.sql(format!("DELETE FROM administrators WHERE user_id = '{}'", account.id)).await;
        list(support.access.clone()).await.is(403, "forbidden");
        let refreshed = app.post("/api/users/token/refresh/", json!({ "refresh": support.refresh })).await;
        list(refreshed.body["tokens"]["access"].as_str().unwrap().to_owned()).await.is(403, "forbidden");
        let (token, _) = app.log_in(account).await;
        app.administer("POST", "/api/admin/session/", None, Some(&token)).await.is(403, "forbidden");
    }

    async fn refreshed_tokens_go_on_until_the_session_is_over(app) {
        let admin = app.administrator("admin", "+14155550110").await;
        let mut refresh = admin.refresh;
        for _ in 0..7 {
            app.pass(3600);
            let next = app.post("/api/users/token/refresh/", json!({ "refresh": refresh })).await;
            let text = |field: &str| next.body["tokens"][field].as_str().unwrap().to_owned();
            assert_eq!(claims(&text("access"))["role"], "admin");
            assert_eq!(app.administer("GET", "/api/admin/users/", None, Some(&text("access"))).await.status, 200);
            refresh = text("refresh");
        }
        app.pass(3600);
        let over = app.post("/api/users/token/refresh/", json!({ "refresh": refresh })).await;
        over.is(401, "token_expired");
    }

    async fn a_password_that_was_just_reset_administers_nothing(app) {
        let admin = app.administrator("admin", "+14155550111").await;
        let code = app.code_to_reset(&admin.account.email).await;
        let reset = app.reset_password(&code.id, &code.code, "quiet-otter-47").await;
        assert_eq!(reset.status, 200, "{reset:?}");
        app.administer("GET", "/api/admin/users/", None, Some(&admin.access)).await.is(401, "token_revoked");
        let login = async || {
            let login = app.login(&admin.account.email, "quiet-otter-47").await;
            login.body["tokens"]["access"].as_str().unwrap().to_owned()
        };
        app.pass(86_300);
        let refused = app.administer("POST", "/api/admin/session/", None, Some(&login().await)).await;
        refused.is(403, "forbidden");
        assert!(refused.text("detail").contains("24 hours"), "{refused:?}");
        app.pass(101);
        app.prove_from(&admin.account, &login().await).await;
    }

    async fn a_session_by_code_takes_no_second_proof(app) {
        let admin = app.administrator("admin", "+14155550112").await;
        app.pass(60);
        let code = app.code_to_sign_in(&admin.account.phone).await;
        let signed_in = app.login_by_code(&code.id, &code.code).await;
        let token = signed_in.body["tokens"]["access"].as_str().unwrap();
        app.administer("POST", "/api/admin/session/", None, Some(token)).await.is(403, "forbidden");
    }

    async fn a_code_for_the_second_proof_is_good_for_nothing_else_and_for_nobody_else(app) {
        let one = app.administrator("admin", "+14155550113").await;
        let other = app.administrator("admin", "+14155550114").await;
        app.pass(60);
        let (token, _) = app.log_in(&one.account).await;
        let before = app.messages_to(&one.account.phone).await;
        let sent = app.administer("POST", "/api/admin/session/", None, Some(&token)).await;
        let code = crate::support::eventually("a code", async || {
            let mut codes = app.messages_to(&one.account.phone).await;
            codes.retain(|code| !before.contains(code));
            codes.pop()
        }).await;
        let body = json!({ "challenge_id": sent.text("challenge_id"), "otp": code });
        let verify = async |token: &str, body: &Value| {
            app.administer("POST", "/api/admin/session/verify/", Some(body.clone()), Some(token)).await
        };
        verify(&other.account.access, &body).await.is(400, "otp_expired");
        app.login_by_code(sent.text("challenge_id"), &code).await.is(400, "otp_expired");
        app.verify(&one.account.phone, &code, Some(&token)).await.is(400, "otp_expired");
        let wrong = json!({ "challenge_id": sent.text("challenge_id"), "otp": crate::support::wrong(&code) });
        verify(&token, &wrong).await.is(400, "otp_invalid");
        assert_eq!(verify(&token, &json!({ "otp": code })).await.faulty_fields(), ["challenge_id"]);
        assert_eq!(verify(&token, &body).await.status, 200);
        verify(&token, &body).await.is(400, "otp_expired");
    }

    async fn nobody_locks_themselves_or_the_last_administrator_out(app) {
        let one = app.administrator("admin", "+14155550115").await;
        app.lock_as(&one.account.id, &one.access).await.is(403, "forbidden");
        let leave = app.call("DELETE", "/api/users/me/", Some(json!({ "password": crate::support::PASSWORD })), Some(&one.account.access)).await;
        leave.is(403, "forbidden");
        // Two that lock each other at one moment: one stays.
        for round in 0..5 {
            let other = app.administrator("admin", &format!("+1415555012{round}")).await;
            let (a, b) = futures_util::future::join(
                app.lock_as(&other.account.id, &one.access),
                app.lock_as(&one.account.id, &other.access),
            ).await;
            let left = app.sql_text(
                "SELECT CAST(count(*) AS text) FROM administrators a JOIN users u ON u.id = a.user_id WHERE u.locked_at IS NULL".to_owned(),
            ).await;
            assert_eq!(left, "1", "{a:?} {b:?}");
            if a.status != 200 {
                app.sql(format!("UPDATE users SET locked_at = NULL WHERE id = '{}'", one.account.id)).await;
                app.sql(format!("DELETE FROM administrators WHERE user_id = '{}'", other.account.id)).await;
                break;
            }
            app.sql(format!("DELETE FROM administrators WHERE user_id = '{}'", other.account.id)).await;
        }
    }

    async fn accounts_are_found_by_what_their_owners_say(app) {
        let admin = app.administrator("support", "+14155550130").await;
        let person = async |email: &str, phone: &str, last: &str| {
            let mut body = crate::support::registration(email, phone);
            body["last_name"] = last.into();
            let made = app.post("/api/users/register/", body).await;
            assert_eq!(made.status, 201, "{made:?}");
            made.body["user"]["id"].as_str().unwrap().to_owned()
        };
        let one = person("zoe@bücher.example", "+14155550131", "Öztürk").await;
        let two = person("Zora%x@example.com", "+14155550131", "<b>Doe</b>").await;
        let three = person("adam@example.com", "+14155550132", "Zo").await;
        let q = |text: &str| format!("q={}", text.replace('%', "%25").replace('+', "%2B").replace(' ', "%20").replace('<', "%3C"));
        let found = async |text: &str| find(&app, &q(text), &admin.access).await;
        assert_eq!(found("zo").await, [one.clone(), two.clone(), three.clone()]);
        assert_eq!(found("ZOE@BÜCHER.example").await, [&*one]);
        assert_eq!(found("öz").await, [&*one]);
        assert_eq!(found("ÖZTÜRK").await, [&*one]);
        assert_eq!(found("zora%").await, [&*two]);
        assert!(found("zo%a").await.is_empty());
        assert_eq!(found("<B>").await, [&*two]);
        assert_eq!(found("+1 415 555 0131").await, [one.clone(), two.clone()]);
        assert_eq!(found(&three.to_uppercase()).await, [&*three]);
        assert!(found("+1 415 555 013").await.is_empty());
        assert!(found("' OR 1=1 --").await.is_empty());
        assert!(find(&app, "q=a%00b", &admin.access).await.is_empty());

        app.sql(format!("UPDATE users SET locked_at = updated_at WHERE id = '{two}'")).await;
        let status = async |status: &str| find(&app, &format!("q=zo&status={status}"), &admin.access).await;
        assert_eq!(status("locked").await, [&*two]);
        assert_eq!(status("active").await, [one.clone(), three.clone()]);
        assert_eq!(find(&app, "status=locked", &admin.access).await, [&*two]);

        // Page by page, all of them once.
        for (query, expected) in [("q=zo", vec![one, two.clone(), three]), ("status=locked", vec![two])] {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/admin/users/?{query}&limit=1{cursor}");
                let page = app.administer("GET", &path, None, Some(&admin.access)).await;
                assert_eq!(page.status, 200, "{page:?}");
                all.extend(page.body["users"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
                match page.body["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(all, expected);
        }
    }

    async fn parameters_that_are_no_good_are_named(app) {
        let admin = app.administrator("admin", "+14155550140").await;
        let list = async |query: &str| {
            app.administer("GET", &format!("/api/admin/users/?{query}"), None, Some(&admin.access)).await
        };
        let page = list("limit=1").await;
        assert!(page.body["next_cursor"].is_null(), "{page:?}");
        app.register("+14155550141").await;
        let cursor = list("limit=1").await.text("next_cursor").to_owned();
        let (head, tail) = cursor.split_at(cursor.len() - 4);
        let tampered = format!("{head}{}", if tail == "AAAA" { "BBBB" } else { "AAAA" });
        for (query, field) in [
            (format!("cursor={tampered}"), "cursor"),
            (format!("q=a&cursor={cursor}"), "cursor"),
            (format!("status=locked&cursor={cursor}"), "cursor"),
            ("cursor=x".to_owned(), "cursor"),
            ("limit=0".to_owned(), "limit"),
            ("limit=101".to_owned(), "limit"),
            ("limit=1e1".to_owned(), "limit"),
            ("status=gone".to_owned(), "status"),
            (format!("q={}", "x".repeat(255)), "q"),
        ] {
            assert_eq!(list(&query).await.faulty_fields(), [field], "{query}");
        }
        assert_eq!(list(&format!("limit=1&cursor={cursor}")).await.status, 200);

        let user = app.register("+14155550142").await;
        let lock = async |id: &str, body: Value| {
            app.administer("POST", &format!("/api/admin/users/{id}/lock/"), Some(body), Some(&admin.access)).await
        };
        for body in [json!({}), json!({ "reason": "  " }), json!({ "reason": null }), json!({ "reason": 7 }), json!({ "reason": "a\u{0}b" }), json!({ "reason": "\u{200B}" }), json!({ "reason": "a\u{202E}b" }), json!({ "reason": "x".repeat(501) })] {
            assert_eq!(lock(&user.id, body).await.faulty_fields(), ["reason"]);
        }
        for id in ["00000000-0000-7000-8000-000000000000", "x", "%27"] {
            lock(id, json!({ "reason": "why" })).await.is(404, "not_found");
        }
        assert!(app.signs_in(&user).await);
    }

    async fn the_port_answers_to_its_own_names_alone(app) {
        for (host, status) in [("localhost", 401), ("127.0.0.1:8002", 401), ("evil.example.com", 403), ("127.0.0.1.nip.io", 403)] {
            let request = app.client.get(format!("{}/api/admin/users/", app.admin)).header("host", host);
            assert_eq!(crate::support::Answer::of(request).await.status, status, "{host}");
        }
        let document = app.administer("GET", "/openapi.json", None, None).await;
        assert!(document.body["paths"]["/api/admin/users/{id}/lock/"]["post"].is_object());
        let public = app.get("/openapi.json").await;
        assert!(!public.raw.contains("/api/admin/"));
    }
}

/// The code of a test number is known to anybody: a second proof goes by e-mail then.
#[actix_web::test]
async fn test_numbers_never_administer() {
    let numbers = [
        ("RINGBACK__TEST_NUMBERS__CODES", "+14155550150=123456"),
        ("RINGBACK__TEST_NUMBERS__UNTIL", "2099-12-31"),
    ];
    let app = TestApp::start_with(Backends::Embedded, &numbers).await;
    let account: Account = app.register("+14155550150").await;
    app.send(&account.phone, Some(&account.access)).await;
    let proven = app.verify(&account.phone, "123456", Some(&account.access)).await;
    assert_eq!(proven.status, 200, "{proven:?}");
    app.grant(&account, "admin").await;
    let session = async || {
        app.administer("POST", "/api/admin/session/", None, Some(&account.access))
            .await
    };
    session().await.is(403, "forbidden");
    app.own_email(&account).await;
    let sent = session().await;
    assert_eq!(sent.text("email"), account.email, "{sent:?}");
    let known = json!({ "challenge_id": sent.text("challenge_id"), "otp": "123456" });
    let answer = app
        .administer(
            "POST",
            "/api/admin/session/verify/",
            Some(known),
            Some(&account.access),
        )
        .await;
    answer.is(400, "otp_invalid");
}
