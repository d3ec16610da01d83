//! The console: its cookie and forms, what a page of another site can't do, and what a browser shows.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::{
    clients::run,
    support::{
        Account, Administrator, Answer, Backends, PASSWORD, TestApp, eventually, node_modules, on_both,
    },
};

/// Somebody in front of the console, with a cookie, and at times one with what was just done.
pub struct Visitor<'a> {
    app: &'a TestApp,
    pub cookie: String,
    pub said: String,
}

impl<'a> Visitor<'a> {
    pub async fn new(app: &'a TestApp) -> Self {
        let mut visitor = Self {
            app,
            cookie: String::new(),
            said: String::new(),
        };
        let shown = visitor.get("/admin/sign-in/").await;
        assert_eq!(shown.status, 200);
        visitor
    }

    /// Signs an administrator in by both forms.
    pub async fn signed_in(app: &'a TestApp, of: &Administrator) -> Self {
        app.pass(60);
        let mut visitor = Self::new(app).await;
        let root = visitor.get("/").await;
        assert_eq!((root.status, root.header("location")), (303, "/admin/"));
        let sign_in = visitor.get("/admin/sign-in/").await.raw;
        let inside = visitor.sign_in(of, &sign_in).await;
        assert_eq!(inside, "/admin/");
        visitor
    }

    /// Signs in by this sign-in page and the page of the code; gives where that leads.
    pub async fn sign_in(&mut self, of: &Administrator, page: &str) -> String {
        let before = self.app.messages_to(&of.account.phone).await;
        let next = next_of(page);
        let form = [
            ("login", of.account.email.as_str()),
            ("password", PASSWORD),
            ("next", next.as_str()),
        ];
        let sent = self.post_with("/admin/sign-in/", &form, page, &[]).await;
        assert_eq!(sent.status, 303, "{}", sent.raw);
        let prove = sent.header("location").to_owned();
        let shown = self.get(&prove).await;
        assert!(
            shown.raw.contains("A code is on its way to your phone."),
            "{}",
            shown.raw
        );
        // Whoever loads the page anew can type the code that was sent. That it was is said once.
        let prove = self.get(&prove).await;
        assert_eq!(
            value_of(&prove.raw, "challenge_id"),
            value_of(&shown.raw, "challenge_id")
        );
        assert!(!prove.raw.contains("on its way"), "{}", prove.raw);
        let code = self.code(of, &before).await;
        let inside = self.type_code(&prove.raw, &code).await;
        assert_eq!(inside.status, 303, "{}", inside.raw);
        inside.header("location").to_owned()
    }

    /// The code that comes to an administrator's phone after these.
    pub async fn code(&self, of: &Administrator, before: &[String]) -> String {
        eventually("a code", async || {
            let mut codes = self.app.messages_to(&of.account.phone).await;
            codes.retain(|code| !before.contains(code));
            codes.pop()
        })
        .await
    }

    /// Types a code into the page of a second proof.
    pub async fn type_code(&mut self, page: &str, code: &str) -> Answer {
        let (challenge, next) = (value_of(page, "challenge_id"), next_of(page));
        let form = [
            ("challenge_id", challenge.as_str()),
            ("next", next.as_str()),
            ("otp", code),
        ];
        self.post_with("/admin/prove/", &form, page, &[]).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.app.client.get(format!("{}{path}", self.app.admin));
        self.send(request).await
    }

    /// Posts a form of the sign-in page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get("/admin/sign-in/").await.raw;
        self.post_with(path, fields, &page, &[]).await
    }

    /// Posts a form of a page, with further headers.
    pub async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        page: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let token = value_of(page, "csrf");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &token).extend_pairs(fields);
        let mut request = self
            .app
            .client
            .post(format!("{}{path}", self.app.admin))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies = [self.cookie.as_str(), &self.said].join("; ");
        let answer = Answer::of(request.header("cookie", cookies.trim_end_matches("; "))).await;
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.ends_with("Path=/; HttpOnly; SameSite=Strict"), "{set}");
            let pair = set.split(';').next().unwrap();
            let is_said = pair.split('=').next().unwrap().ends_with("-said");
            let kept = if is_said { &mut self.said } else { &mut self.cookie };
            match set.contains("Max-Age=0;") {
                true => kept.clear(),
                false => pair.clone_into(kept),
            }
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        answer
    }
}

/// The value of a hidden field.
pub fn value_of(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The page that a sign-in goes on to, as its forms carry it.
pub fn next_of(page: &str) -> String {
    match page.contains("name=\"next\"") {
        true => value_of(page, "next").replace("&#x2f;", "/"),
        false => String::new(),
    }
}

on_both! {
    async fn an_administrator_helps_by_forms_alone(app) {
        let admin = app.administrator("admin", "+14155550301").await;
        let user = app.verified("+14155550302").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        for path in ["/admin/", "/admin/?range=week", "/admin/users/", "/admin/events/", "/admin/messages/", "/admin/limits/"] {
            let page = visitor.get(path).await;
            assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path} {}", page.raw);
        }
        let found = visitor.get("/admin/users/?q=%2B14155550302&status=").await;
        let path = format!("/admin/users/{}/", user.id);
        assert!(found.raw.contains(&path), "{}", found.raw);
        let page = visitor.get(&path).await.raw;
        // The phone was proven without a token, the e-mail address not at all.
        assert!(page.contains("Confirm phone") && !page.contains("Confirm e-mail"), "{page}");
        for (action, done) in [("lock", "The account is locked."), ("unlock", "unlocked"), ("end-sessions", "sessions ended"), ("release-limits", "released"), ("confirm-phone", "opens the account now")] {
            let answer = visitor.post_with(&format!("{path}{action}/"), &[("reason", "they called")], &page, &[]).await;
            assert_eq!(answer.status, 303, "{}", answer.raw);
            let shown = visitor.get(answer.header("location")).await.raw;
            assert!(shown.contains(done) && shown.contains("they called"), "{shown}");
        }
        assert!(!visitor.get(&path).await.raw.contains("Confirm phone"));
        let unproven = visitor.post_with(&format!("{path}confirm-email/"), &[("reason", "they called")], &page, &[]).await;
        assert_eq!(unproven.status, 409, "{}", unproven.raw);
        let renamed = visitor.post_with(&format!("{path}rename/"), &[("first_name", "<b>Zoë</b>"), ("last_name", "\"><script>"), ("reason", "<img src=x>")], &page, &[]).await;
        assert_eq!(renamed.status, 303, "{}", renamed.raw);
        let shown = visitor.get(&path).await.raw;
        assert!(shown.contains("&lt;b&gt;Zoë&lt;") && !shown.contains("<script") && !shown.contains("<img"), "{shown}");
        let nothing = visitor.post_with(&format!("{path}lock/"), &[("reason", " ")], &page, &[]).await;
        assert!(nothing.status == 400 && nothing.raw.contains("Say why"), "{}", nothing.raw);
        let gone = visitor.post_with(&format!("{path}delete/"), &[("reason", "asked")], &page, &[]).await;
        assert_eq!((gone.status, gone.header("location")), (303, "/admin/users/"), "{}", gone.raw);
        assert_eq!(visitor.get(&path).await.status, 404);
        let out = visitor.post_with("/admin/sign-out/", &[], &page, &[]).await;
        assert_eq!((out.status, out.header("location")), (303, "/admin/sign-in/"));
    }

    async fn pages_of_other_sites_change_nothing(app) {
        let admin = app.administrator("admin", "+14155550303").await;
        let user = app.verified("+14155550304").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let path = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&path).await.raw;
        let lock = format!("{path}lock/");
        let reason = [("reason", "why")];
        for headers in [[("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-site")], [("sec-fetch-site", "none")], [("origin", "https://evil.example.com")], [("origin", "null")]] {
            let answer = visitor.post_with(&lock, &reason, &page, &headers).await;
            assert_eq!(answer.status, 403, "{headers:?}");
        }
        for token in ["", "AAAA", "%%%"] {
            let forged = format!("name=\"csrf\" value=\"{token}\"");
            assert_eq!(visitor.post_with(&lock, &reason, &forged, &[]).await.status, 403);
        }
        // The token of another sign-in.
        let strangers = Visitor::new(&app).await.get("/admin/sign-in/").await.raw;
        assert_eq!(visitor.post_with(&lock, &reason, &strangers, &[]).await.status, 403);
        assert!(app.signs_in(&user).await);
        let own = visitor.post_with(&lock, &reason, &page, &[("sec-fetch-site", "same-origin")]).await;
        assert_eq!(own.status, 303, "{}", own.raw);
    }

    async fn a_cookie_is_no_token_and_a_token_no_cookie(app) {
        let admin = app.administrator("support", "+14155550305").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let request = app.client.get(format!("{}/api/admin/users/", app.admin)).header("cookie", &visitor.cookie);
        Answer::of(request).await.is(401, "not_authenticated");
        let value = visitor.cookie.split_once('=').unwrap().1.to_owned();
        app.administer("GET", "/api/admin/users/", None, Some(&value)).await.is(401, "token_invalid");
        let name = visitor.cookie.split_once('=').unwrap().0.to_owned();
        for forged in [admin.access.clone(), admin.refresh.clone(), value[..value.len() - 2].to_owned(), format!("{value}A"), String::new()] {
            let request = app.client.get(format!("{}/admin/", app.admin)).header("cookie", format!("{name}={forged}"));
            assert_eq!(Answer::of(request.bearer_auth(&admin.access)).await.status, 303, "{forged}");
        }
        // A button that the role has not.
        let user = app.verified("+14155550306").await;
        let path = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&path).await.raw;
        assert!(!page.contains(">Lock<") && !page.contains("delete/"), "{page}");
        assert_eq!(visitor.post_with(&format!("{path}lock/"), &[("reason", "why")], &page, &[]).await.status, 403);
        // The role goes: the next page is none.
        app.sql(format!("DELETE FROM administrators WHERE user_id = '{}'", admin.account.id)).await;
        let refused = visitor.get("/admin/").await;
        assert!(refused.status == 403 && refused.raw.contains("href=\"/admin/sign-in/\""), "{}", refused.raw);
        // Another one comes by a new sign-in.
        app.pass(60);
        app.sql(format!("UPDATE sessions SET role = NULL WHERE user_id = '{}'", admin.account.id)).await;
        app.grant(&admin.account, "support").await;
        assert_eq!(visitor.get("/admin/").await.status, 303);
        app.sql(format!("UPDATE users SET session_epoch = session_epoch + 1 WHERE id = '{}'", admin.account.id)).await;
        assert_eq!(visitor.get("/admin/").await.status, 303);
    }

    async fn a_wrong_password_and_whoever_has_no_role_come_no_further(app) {
        let admin = app.administrator("admin", "+14155550307").await;
        let user = app.verified("+14155550308").await;
        let mut visitor = Visitor::new(&app).await;
        for (login, password, status) in [(admin.account.email.as_str(), "another", 401), ("nobody", PASSWORD, 401), (user.email.as_str(), PASSWORD, 403)] {
            let answer = visitor.post("/admin/sign-in/", &[("login", login), ("password", password)]).await;
            assert_eq!(answer.status, status, "{login} {}", answer.raw);
            assert!(answer.raw.contains("role=\"alert\""), "{}", answer.raw);
            for path in ["/admin/", "/admin/prove/", "/admin/prove/?challenge_id=1"] {
                assert_eq!(visitor.get(path).await.status, 303, "{path}");
            }
        }
        // The session that the password opened is over.
        let live = app.sql_text(format!("SELECT CAST(count(*) AS text) FROM sessions WHERE user_id = '{}' AND revoked_at IS NULL", user.id)).await;
        assert_eq!(live, "1");
    }

    async fn events_are_given_as_files_without_formulas(app) {
        let admin = app.administrator("admin", "+14155550309").await;
        let user = app.verified("+14155550310").await;
        let body = json!({ "reason": "=HYPERLINK(\"http://evil\")" });
        app.administer("POST", &format!("/api/admin/users/{}/lock/", user.id), Some(body), Some(&admin.access)).await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let csv = visitor.get(&format!("/admin/events.csv?user={}&kind=account.locked&since=", user.id)).await;
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"events.csv\"");
        assert_eq!(csv.raw.lines().count(), 2, "{}", csv.raw);
        assert!(csv.raw.contains("\"'=HYPERLINK(\"\"http://evil\"\")\""), "{}", csv.raw);
        // Some spreadsheets take the wide form of the sign, too.
        let other = app.verified("+14155550311").await;
        let body = json!({ "reason": "＝HYPERLINK(\"http://evil\")" });
        app.administer("POST", &format!("/api/admin/users/{}/lock/", other.id), Some(body), Some(&admin.access)).await;
        let csv = visitor.get(&format!("/admin/events.csv?user={}&kind=account.locked", other.id)).await;
        assert!(csv.raw.contains("\"'＝HYPERLINK(\"\"http://evil\"\")\""), "{}", csv.raw);
        let json = visitor.get(&format!("/admin/events.json?user={}&kind=account.locked", user.id)).await;
        assert_eq!(json.body[0]["kind"], "account.locked", "{json:?}");
        assert_eq!(visitor.get("/admin/events.csv?kind=nothing").await.status, 400);
    }
}

/// Runs a program of `browser/` that is an administrator in front of the console, who looks at a user.
pub async fn play(app: &TestApp, admin: &Administrator, user: &Account, program: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    node.arg(program)
        .env("ADDRESS", &app.address)
        .env("ADMIN", &app.admin)
        .env("EMAIL", &admin.account.email)
        .env("PHONE", &admin.account.phone)
        .env("PASSWORD", PASSWORD)
        .env("USER_PHONE", &user.phone)
        .env("FOLDER", here.join("docs/images"))
        .env("NODE_MODULES", node_modules());
    run(&here.join("tests/api/browser"), node).await;
}

/// From the phone call to the solved user, by clicks and keys alone.
#[actix_web::test]
async fn support_helps_a_user_in_a_browser() {
    let app = TestApp::start_with(Backends::Embedded, &[("RINGBACK__OTP__RESEND_COOLDOWN", "1s")]).await;
    let admin = app.administrator("admin", "+14155550320").await;
    let user = app.verified("+14155550321").await;
    play(&app, &admin, &user, "console.mjs").await;
    assert!(!app.signs_in(&user).await, "the browser left it locked");
}
