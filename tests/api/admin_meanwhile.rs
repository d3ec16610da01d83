//! Administrators who do the same at once, whose page is old, whose role goes meanwhile, whose address bar says something else.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    administration::routes,
    console::{Visitor, value_of},
    support::{TestApp, on_both},
};

const ACTIONS: [&str; 6] = [
    "lock",
    "unlock",
    "end-sessions",
    "release-limits",
    "rename",
    "delete",
];

/// How many events of a kind there are.
async fn noted(app: &TestApp, kind: &str) -> u64 {
    let count = app
        .sql_text(format!(
            "SELECT CAST(count(*) AS text) FROM events WHERE kind = '{kind}'"
        ))
        .await;
    count.parse().unwrap()
}

fn reason() -> Option<Value> {
    Some(json!({ "reason": "they called" }))
}

on_both! {
    async fn two_who_do_the_same_at_once_do_it_once(app) {
        let one = app.administrator("admin", "+14155550501").await;
        let other = app.administrator("admin", "+14155550502").await;
        let user = app.verified("+14155550503").await;
        let path = format!("/api/admin/users/{}/", user.id);
        let each = || (0..6).map(|n| if n % 2 == 0 { &one.access } else { &other.access });
        for (action, kind) in [("lock", "account.locked"), ("unlock", "account.unlocked")] {
            let path = format!("{path}{action}/");
            let answers = join_all(each().map(|token| app.administer("POST", &path, reason(), Some(token)))).await;
            assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
            assert_eq!(noted(&app, kind).await, 1, "{action}");
        }
        // One locks what the other unlocks: whatever comes last holds, and each change is an event.
        let (lock, unlock) = (format!("{path}lock/"), format!("{path}unlock/"));
        for _ in 0..5 {
            join(app.administer("POST", &lock, reason(), Some(&one.access)), app.administer("POST", &unlock, reason(), Some(&other.access))).await;
        }
        let shown = app.administer("GET", &path, None, Some(&one.access)).await;
        let is_locked = shown.body["user"]["status"] == "locked";
        let (locks, unlocks) = (noted(&app, "account.locked").await, noted(&app, "account.unlocked").await);
        assert_eq!(locks - unlocks, u64::from(is_locked));
        let answers = join_all(each().map(|token| app.administer("DELETE", &path, reason(), Some(token)))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404, 404, 404, 404]);
        assert_eq!(noted(&app, "account.deleted").await, 1);
    }

    async fn a_page_of_an_account_that_is_gone_does_nothing(app) {
        let admin = app.administrator("admin", "+14155550504").await;
        let user = app.verified("+14155550505").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let path = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&path).await.raw;
        let fields = [("reason", "they called"), ("first_name", "Mara"), ("last_name", "")];
        // Pressed twice, on a page of before.
        for (action, kind) in [("lock", "account.locked"), ("unlock", "account.unlocked")] {
            for _ in 0..2 {
                assert_eq!(visitor.post_with(&format!("{path}{action}/"), &fields, &page, &[]).await.status, 303);
            }
            assert_eq!(noted(&app, kind).await, 1, "{action}");
        }
        assert_eq!(visitor.post_with(&format!("{path}delete/"), &fields, &page, &[]).await.status, 303);
        let before = app.sql_text("SELECT CAST(count(*) AS text) FROM events".to_owned()).await;
        for action in ACTIONS {
            let answer = visitor.post_with(&format!("{path}{action}/"), &fields, &page, &[]).await;
            assert_eq!((answer.status, answer.raw.contains("role=\"alert\"")), (404, true), "{action} {}", answer.raw);
        }
        assert_eq!(app.sql_text("SELECT CAST(count(*) AS text) FROM events".to_owned()).await, before);
        let answer = visitor.post_with(&format!("{path}promote/"), &fields, &page, &[]).await;
        assert_eq!(answer.status, 404);
    }

    async fn a_role_that_goes_meanwhile_does_nothing_more(app) {
        app.administrator("admin", "+14155550506").await;
        let admin = app.administrator("admin", "+14155550507").await;
        let user = app.verified("+14155550508").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let path = format!("/admin/users/{}/", user.id);
        let page = visitor.get(&path).await.raw;
        let fields = [("reason", "why"), ("first_name", "Mara"), ("last_name", ""), ("country", "FR"), ("what", "FR"), ("seconds", "60")];
        let pages = ["/admin/", "/admin/users/", &path, "/admin/events/", "/admin/events.csv", "/admin/events.json", "/admin/messages/", "/admin/limits/"];
        let forms = ACTIONS.map(|action| format!("{path}{action}/"));
        let forms = forms.iter().map(String::as_str).chain(["/admin/limits/pause/", "/admin/limits/resume/", "/admin/prove/send/"]);
        let forms: Vec<_> = forms.collect();
        let revoked = format!("DELETE FROM administrators WHERE user_id = '{}'", admin.account.id);
        app.sql(revoked).await;
        for path in pages {
            let answer = visitor.get(path).await;
            assert_eq!((answer.status, answer.raw.contains(&user.email)), (403, false), "{path}");
        }
        for path in &forms {
            assert_eq!(visitor.post_with(path, &fields, &page, &[]).await.status, 403, "{path}");
        }
        for (method, path, body) in routes(&user.id) {
            app.administer(method, &path, body, Some(&admin.access)).await.is(403, "forbidden");
        }
        // Locked: the sign-in is over.
        app.grant(&admin.account, "admin").await;
        app.sql(format!("UPDATE users SET locked_at = updated_at WHERE id = '{}'", admin.account.id)).await;
        for path in pages {
            let answer = visitor.get(path).await;
            let to = answer.header("location").to_owned();
            assert!(answer.status == 303 && to.starts_with("/admin/sign-in/"), "{path} {to}");
        }
        for path in &forms {
            assert_eq!(visitor.post_with(path, &fields, &page, &[]).await.status, 401, "{path}");
        }
        assert!(app.signs_in(&user).await);
        let kept = app.administer("GET", "/api/admin/limits/", None, Some(&admin.access)).await;
        assert_eq!(kept.status, 401, "{kept:?}");
    }

    async fn another_sign_in_of_the_same_administrator_has_forms_of_its_own(app) {
        let admin = app.administrator("admin", "+14155550509").await;
        let user = app.verified("+14155550510").await;
        let mut first = Visitor::signed_in(&app, &admin).await;
        let mut second = Visitor::signed_in(&app, &admin).await;
        let path = format!("/admin/users/{}/", user.id);
        let page = first.get(&path).await.raw;
        let lock = format!("{path}lock/");
        assert_eq!(second.post_with(&lock, &[("reason", "why")], &page, &[]).await.status, 403);
        // A sign-out ends that one alone, on the server as well.
        let cookie = first.cookie.clone();
        assert_eq!(first.post_with("/admin/sign-out/", &[], &page, &[]).await.status, 303);
        let request = app.client.get(format!("{}/admin/", app.admin)).header("cookie", cookie);
        assert_eq!(crate::support::Answer::of(request).await.status, 303);
        assert_eq!(second.get("/admin/").await.status, 200);
        assert!(app.signs_in(&user).await);
    }

    async fn pages_say_what_is_wrong_with_their_address(app) {
        let admin = app.administrator("support", "+14155550511").await;
        for n in 0..2 {
            app.register(&format!("+1415555052{n}")).await;
        }
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let script = "%3Cscript%3Ealert(1)%3C/script%3E";
        let users = visitor.get("/admin/users/?limit=1").await.raw;
        let cursor = value_of(&users, "cursor");
        let mut turned = cursor.clone().into_bytes();
        turned.reverse();
        let turned = String::from_utf8(turned).unwrap();
        for path in [
            format!("/admin/users/?cursor={turned}"),
            format!("/admin/users/?q=a&cursor={cursor}"),
            format!("/admin/events/?cursor={cursor}"),
            format!("/admin/messages/?cursor={cursor}"),
            format!("/admin/users/?status={script}"),
            format!("/admin/users/?limit={script}"),
            format!("/admin/events/?user={script}"),
            format!("/admin/events/?kind={script}"),
            format!("/admin/events/?since={script}"),
            "/admin/events/?limit=101".to_owned(),
            format!("/admin/events.csv?user={script}"),
            format!("/admin/events.json?since={script}"),
            format!("/admin/messages/?user={script}"),
            format!("/admin/messages/?country={script}"),
            format!("/admin/messages/?state={script}"),
        ] {
            let answer = visitor.get(&path).await;
            assert_eq!((answer.status, answer.raw.contains("role=\"alert\"")), (400, true), "{path} {}", answer.raw);
            assert!(!answer.raw.contains("<script"), "{path} {}", answer.raw);
        }
        for path in ["/admin/users/%3Cscript%3E/".to_owned(), "/admin/users/00000000-0000-7000-8000-000000000000/".to_owned()] {
            let answer = visitor.get(&path).await;
            assert_eq!((answer.status, answer.raw.contains("<script")), (404, false), "{path}");
        }
        // What means nothing is passed over, and not shown.
        for path in [format!("/admin/?range={script}"), format!("/admin/limits/?done={script}&x={script}"), format!("/admin/users/?q={script}"), "/admin/users/?limit=1&limit=2".to_owned()] {
            let answer = visitor.get(&path).await;
            assert_eq!((answer.status, answer.raw.contains("<script")), (200, false), "{path}");
        }
    }
}
