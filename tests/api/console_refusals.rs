//! What the console refuses: the traces that it leaves, the form that is shown again, the session that is over.

use serde_json::{Value, json};

use crate::{
    console::{Visitor, next_of, value_of},
    support::{Administrator, PASSWORD, TestApp, eventually, on_both, wrong},
};

/// The events of a kind, the newest first.
async fn events(app: &TestApp, kind: &str, of: &Administrator) -> Vec<Value> {
    let path = format!("/api/admin/events/?kind={kind}");
    let found = app.administer("GET", &path, None, Some(&of.access)).await;
    found.body["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{found:?}"))
        .clone()
}

on_both! {
    async fn what_the_console_refuses_leaves_the_traces_of_the_api(app) {
        let admin = app.administrator("admin", "+14155550331").await;
        app.pass(60);
        app.begin_minute();
        let mut visitor = Visitor::new(&app).await;
        let before = app.messages_to(&admin.account.phone).await;
        let form = [("login", admin.account.email.as_str()), ("password", PASSWORD)];
        let sent = visitor.post("/admin/sign-in/", &form).await;
        let page = visitor.get(sent.header("location")).await.raw;
        let code = visitor.code(&admin, &before).await;
        for _ in 0..2 {
            assert_eq!(visitor.type_code(&page, &wrong(&code)).await.status, 400);
        }
        Visitor::new(&app).await.post("/admin/sign-in/", &form).await;
        app.pass(60);
        for (kind, reason, times) in [("code.refused", "otp_invalid", 2), ("request.refused", "otp-resend-cooldown", 1)] {
            let rows = eventually(kind, async || {
                let rows = events(&app, kind, &admin).await;
                (!rows.is_empty()).then_some(rows)
            })
            .await;
            let row = &rows[0];
            assert_eq!((&row["details"]["reason"], &row["times"]), (&json!(reason), &json!(times)), "{rows:?}");
            assert_eq!((&row["actor"], &row["user_id"]), (&json!("user"), &json!(admin.account.id)), "{rows:?}");
        }
    }

    async fn what_a_role_may_not_is_kept_with_whom_it_was_about_and_why(app) {
        let admin = app.administrator("admin", "+14155550332").await;
        let support = app.administrator("support", "+14155550333").await;
        let user = app.verified("+14155550334").await;
        let path = format!("/api/admin/users/{}/", user.id);
        let why = Some(json!({ "reason": "they called" }));
        app.administer("POST", &format!("{path}lock/"), why.clone(), Some(&support.access)).await.is(403, "forbidden");
        app.administer("DELETE", &path, why, Some(&support.access)).await.is(403, "forbidden");
        app.administer("PATCH", &path, Some(json!({ "reason": 7, "first_name": [] })), Some(&support.access)).await.is(403, "forbidden");
        let pause = json!({ "country": "GL", "seconds": 60, "reason": "why" });
        app.administer("POST", "/api/admin/limits/pause/", Some(pause), Some(&support.access)).await.is(403, "forbidden");
        let nobody = "/api/admin/users/00000000-0000-7000-8000-000000000000/lock/";
        app.administer("POST", nobody, None, Some(&support.access)).await.is(403, "forbidden");
        let mut visitor = Visitor::signed_in(&app, &support).await;
        let own = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&own).await.raw;
        for action in ["lock", "delete"] {
            let refused = visitor.post_with(&format!("{own}{action}/"), &[("reason", "a favour")], &page, &[]).await;
            assert!(refused.status == 403 && refused.raw.contains("Your role does not allow this."), "{}", refused.raw);
            assert!(refused.raw.contains("aria-label=\"Pages\""), "{}", refused.raw);
        }
        let mut rows = events(&app, "administration.refused", &admin).await;
        rows.reverse();
        let told: Vec<_> = rows.iter().map(|row| json!([row["details"], row["user_id"], row["reason"]])).collect();
        let id = &user.id;
        assert_eq!(told, [
            json!([{ "method": "POST", "route": "/api/admin/users/{id}/lock", "wants": "admin" }, id, "they called"]),
            json!([{ "method": "DELETE", "route": "/api/admin/users/{id}", "wants": "admin" }, id, "they called"]),
            json!([{ "method": "PATCH", "route": "/api/admin/users/{id}", "wants": "admin" }, id, null]),
            json!([{ "method": "POST", "route": "/api/admin/limits/pause", "wants": "admin" }, null, "why"]),
            json!([{ "method": "POST", "route": "/api/admin/users/{id}/lock", "wants": "admin" }, null, null]),
            json!([{ "method": "POST", "route": "/admin/users/{id}/{action}", "action": "lock", "wants": "admin" }, id, "a favour"]),
            json!([{ "method": "POST", "route": "/admin/users/{id}/{action}", "action": "delete", "wants": "admin" }, id, "a favour"]),
        ]);
    }

    async fn a_refused_form_is_shown_again_with_what_was_typed(app) {
        let admin = app.administrator("admin", "+14155550335").await;
        let user = app.verified("+14155550336").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let own = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&own).await.raw;
        let again = |answer: &crate::support::Answer, status: u16, parts: &[&str]| {
            assert_eq!(answer.status, status, "{}", answer.raw);
            for part in ["aria-label=\"Pages\"", "role=\"alert\""].iter().chain(parts) {
                assert!(answer.raw.contains(part), "no {part}: {}", answer.raw);
            }
        };
        let rename = [("first_name", "Eve"), ("last_name", "Be\u{202e}e"), ("reason", "typing error")];
        let refused = visitor.post_with(&format!("{own}rename/"), &rename, &page, &[]).await;
        again(&refused, 400, &["value=\"Eve\"", "value=\"Be\u{202e}e\"", "value=\"typing error\"", "last name"]);
        let refused = visitor.post_with(&format!("{own}release-limits/"), &[("reason", " ")], &page, &[]).await;
        again(&refused, 400, &["Say why", "Reason to release limits"]);
        let long = "x".repeat(501);
        let refused = visitor.post_with(&format!("{own}lock/"), &[("reason", &long)], &page, &[]).await;
        again(&refused, 400, &[&long, "Reason to lock"]);
        let refused = visitor.post_with(&format!("{own}confirm-email/"), &[("reason", "they called")], &page, &[]).await;
        again(&refused, 409, &["This address is not proven", "Reason to lock"]);
        let limits = visitor.get("/admin/limits/").await.raw;
        for fields in [[("country", "TJ"), ("prefix", "99291")], [("country", ""), ("prefix", "")]] {
            let mut form = vec![("seconds", "86400"), ("reason", "somebody pumps")];
            form.extend(fields);
            let refused = visitor.post_with("/admin/limits/pause/", &form, &limits, &[]).await;
            again(&refused, 400, &["Send a country, or a prefix.", "value=\"somebody pumps\"", &format!("value=\"{}\"", fields[1].1), "value=\"86400\" selected"]);
        }
        for (path, parts) in [
            ("/admin/events/?user=jane@example.com&kind=&since=2026-11-28", ["value=\"jane@example.com\"", "value=\"2026-11-28\""]),
            ("/admin/events.csv?user=jane@example.com&kind=&since=2026-11-28", ["value=\"jane@example.com\"", "value=\"2026-11-28\""]),
            ("/admin/messages/?user=jane@example.com&country=x", ["value=\"jane@example.com\"", "value=\"x\""]),
            ("/admin/users/?q=jane&status=odd", ["value=\"jane\"", "Either active or locked"]),
        ] {
            again(&visitor.get(path).await, 400, &parts);
        }
        app.pass(301);
        let stale = visitor.post_with(&format!("{own}delete/"), &[("reason", "they asked")], &page, &[]).await;
        again(&stale, 403, &["Send me a code"]);
        assert!(!stale.raw.contains("/api/"), "{}", stale.raw);
        for (path, status) in [("/admin/nothing/", 404), ("/admin/users/nobody/", 404), ("/admin/limits/pause/", 405)] {
            let answer = visitor.get(path).await;
            again(&answer, status, &["To the overview"]);
            assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        }
        let huge = "x".repeat(20_000);
        again(&visitor.post_with(&format!("{own}lock/"), &[("reason", &huge)], &page, &[]).await, 413, &[]);
        let strangers = Visitor::new(&app).await.get("/admin/nothing/").await;
        assert_eq!((strangers.status, strangers.header("content-type")), (404, "text/html; charset=utf-8"));
        assert!(!strangers.raw.contains("aria-label=\"Pages\""), "{}", strangers.raw);
    }

    async fn a_session_that_ended_says_what_was_not_done_and_comes_back(app) {
        let admin = app.administrator("admin", "+14155550337").await;
        let user = app.verified("+14155550338").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let own = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&own).await.raw;
        app.sql(format!("UPDATE users SET session_epoch = session_epoch + 1 WHERE id = '{}'", admin.account.id)).await;
        let ended = visitor.post_with(&format!("{own}lock/"), &[("reason", "they called")], &page, &[]).await;
        assert_eq!(ended.status, 401, "{}", ended.raw);
        assert!(ended.raw.contains("was not done") && ended.raw.contains("role=\"alert\""), "{}", ended.raw);
        assert_eq!(next_of(&ended.raw), own);
        assert!(app.signs_in(&user).await, "it was locked");
        let link = visitor.get(&own).await;
        assert_eq!((link.status, link.header("location")), (303, &*format!("/admin/sign-in/?next=%2Fadmin%2Fusers%2F{}%2F", user.id)));
        let sign_in = visitor.get(link.header("location")).await.raw;
        assert!(sign_in.contains("Your session is over"), "{sign_in}");
        app.pass(60);
        assert_eq!(visitor.sign_in(&admin, &sign_in).await, own);
        assert_eq!(visitor.get(&own).await.status, 200);
        let filter = visitor.get("/admin/users/?q=jane&status=").await;
        assert_eq!(filter.status, 200, "{}", filter.raw);
    }

    async fn a_sign_in_goes_on_to_pages_of_the_console_alone(app) {
        let mut visitor = Visitor::new(&app).await;
        for (asked, kept) in [
            ("/admin/users/?q=jane&status=", "/admin/users/?q=jane&status="),
            ("/admin/limits/", "/admin/limits/"),
            ("https://evil.example.com/admin/", ""),
            ("//evil.example.com/admin/", ""),
            ("/admin/..//evil.example.com/", ""),
            ("/admin/%2e%2e/", ""),
            ("/admin\\evil/", ""),
            ("/admin/users/\r\nlocation: x", ""),
            ("/admin/sign-out/", ""),
            ("/admin/users/1/lock/", ""),
            ("/openapi.json", ""),
        ] {
            let query: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
            let page = visitor.get(&format!("/admin/sign-in/?next={query}")).await.raw;
            assert_eq!(next_of(&page).replace("&amp;", "&"), kept, "{asked}");
        }
        let admin = app.administrator("admin", "+14155550339").await;
        app.pass(60);
        let page = visitor.get("/admin/sign-in/").await.raw;
        let form = [("login", admin.account.email.as_str()), ("password", PASSWORD), ("next", "//evil.example.com/")];
        let sent = visitor.post_with("/admin/sign-in/", &form, &page, &[]).await;
        assert!(sent.header("location").starts_with("/admin/prove/") && !sent.header("location").contains("evil"), "{}", sent.header("location"));
        let page = visitor.get("/admin/prove/?challenge_id=1&next=%2F%2Fevil.example.com%2F").await.raw;
        assert_eq!((value_of(&page, "challenge_id").as_str(), next_of(&page).as_str()), ("1", ""));
        let made_up = visitor.get("/admin/prove/?challenge_id=1").await.raw;
        assert!(!made_up.contains("on its way"), "{made_up}");
    }
}
