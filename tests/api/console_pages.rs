//! What the console's pages say: countries by name, what was just done, times, money, and the page of a code.

use serde_json::json;

use crate::{
    console::{Visitor, next_of, value_of},
    support::{Backends, PASSWORD, TestApp, on_both, wrong},
};

on_both! {
    async fn a_country_is_paused_by_its_code_or_name_and_never_another(app) {
        let admin = app.administrator("admin", "+14155550341").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let page = visitor.get("/admin/limits/").await.raw;
        for path in ["/admin/limits/", "/admin/messages/"] {
            assert!(!visitor.get(path).await.raw.contains("maxlength"), "{path} cuts what is typed");
        }
        let mut paused = Vec::new();
        for (typed, country) in [("Germany", "DE (Germany)"), (" tajikistan ", "TJ (Tajikistan)"), ("ge", "GE (Georgia)"), ("Côte d'Ivoire", "CI (Côte d")] {
            let form = [("country", typed), ("prefix", ""), ("seconds", "7200"), ("reason", "somebody pumps")];
            let done = visitor.post_with("/admin/limits/pause/", &form, &page, &[]).await;
            assert_eq!(done.status, 303, "{typed} {}", done.raw);
            let shown = visitor.get(done.header("location")).await.raw;
            paused.push(country);
            for country in &paused {
                assert!(shown.contains(&format!("<td>{country}")), "{typed}, {country}: {shown}");
            }
            assert_eq!(shown.matches("<option value=\"").count() - 5, paused.len(), "{typed}: {shown}");
            assert!(shown.contains(&format!("No code goes to {country}")), "{shown}");
        }
        for typed in ["Atlantis", "GERM", "XX"] {
            let form = [("country", typed), ("prefix", ""), ("seconds", "7200"), ("reason", "somebody pumps")];
            let refused = visitor.post_with("/admin/limits/pause/", &form, &page, &[]).await;
            assert!(refused.status == 400 && refused.raw.contains("as DE"), "{typed} {}", refused.raw);
        }
        // A whole number is no prefix, whatever its beginning is.
        let form = [("country", ""), ("prefix", "+992 911 234567"), ("seconds", "7200"), ("reason", "somebody pumps")];
        assert_eq!(visitor.post_with("/admin/limits/pause/", &form, &page, &[]).await.status, 400);
        let resumed = visitor.post_with("/admin/limits/resume/", &[("what", "DE"), ("reason", "it is over")], &page, &[]).await;
        assert_eq!(resumed.status, 303, "{}", resumed.raw);
        let found = visitor.get("/admin/messages/?user=&country=germany&state=").await;
        assert_eq!(found.status, 200, "{}", found.raw);
    }

    async fn what_was_done_is_said_once_and_never_since_an_address_says_so(app) {
        let admin = app.administrator("admin", "+14155550342").await;
        let user = app.verified("+14155550343").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let own = format!("/admin/users/{}/", user.id);
        for path in [format!("{own}?done=lock"), "/admin/limits/?done=paused".to_owned()] {
            assert!(!visitor.get(&path).await.raw.contains("role=\"status\""), "{path}");
        }
        let page = visitor.get(&own).await.raw;
        let locked = visitor.post_with(&format!("{own}lock/"), &[("reason", "why")], &page, &[]).await;
        assert_eq!(locked.header("location"), own);
        let said = visitor.said.clone();
        assert!(visitor.get(&own).await.raw.contains("The account is locked."));
        assert!(!visitor.get(&own).await.raw.contains("The account is locked."), "it is said twice");
        // Neither a made-up line, nor that of another sign-in.
        for forged in [said.replace('=', "=AAAA"), said.chars().rev().collect(), said[..said.len() - 3].to_owned()] {
            visitor.said = forged;
            assert!(!visitor.get(&own).await.raw.contains("role=\"status\""));
        }
        let mut another = Visitor::signed_in(&app, &admin).await;
        another.said = said;
        assert!(!another.get(&own).await.raw.contains("role=\"status\""));
        let page = another.get(&own).await.raw;
        let gone = another.post_with(&format!("{own}delete/"), &[("reason", "asked")], &page, &[]).await;
        assert_eq!((gone.status, gone.header("location")), (303, "/admin/users/"), "{}", gone.raw);
        assert!(another.get("/admin/users/").await.raw.contains("The account is deleted."));
    }

    async fn times_have_a_zone_money_a_currency_and_details_stand_apart(app) {
        let rules = "[[rule]]\nid = \"money\"\non = \"otp.send\"\nby = \"country\"\ncounts = \"money\"\nquota = \"120 USD\"\nper = \"1h\"\nburst = \"30.5 USD\"\nmode = \"shadow\"\n";
        app.limit(rules).await;
        let admin = app.administrator("admin", "+14155550344").await;
        let user = app.verified("+14155550345").await;
        let mut visitor = Visitor::signed_in(&app, &admin).await;
        let limits = visitor.get("/admin/limits/").await.raw;
        assert!(limits.contains(">120 USD<") && limits.contains(">30.5 USD<"), "{limits}");
        let rule = app.administer("GET", "/api/admin/limits/", None, Some(&admin.access)).await.body["rules"][0].clone();
        assert_eq!((&rule["currency"], &rule["quota"]), (&json!("USD"), &json!(1_200_000)));
        for path in [format!("/admin/users/{}/", user.id), "/admin/users/".to_owned(), "/admin/events/".to_owned(), "/admin/messages/".to_owned(), "/admin/limits/".to_owned()] {
            let page = visitor.get(&path).await.raw;
            let times = page.matches("<time ").count();
            assert!(times > 0 && page.matches(" UTC</time>").count() == times, "{path} {page}");
        }
        let page = visitor.get("/admin/events/?user=&kind=session.opened").await.raw;
        assert!(page.contains("amr: pwd otp sms; role: admin; session: "), "{page}");
    }

    async fn the_page_of_a_code_says_how_many_tries_are_left(app) {
        let admin = app.administrator("admin", "+14155550348").await;
        app.pass(60);
        let mut visitor = Visitor::new(&app).await;
        let sign_in = visitor.get("/admin/sign-in/").await.raw;
        assert!(sign_in.contains("proven e-mail address"), "{sign_in}");
        let before = app.messages_to(&admin.account.phone).await;
        let form = [("login", admin.account.email.as_str()), ("password", PASSWORD)];
        let sent = visitor.post("/admin/sign-in/", &form).await;
        // What the address says of the channel is not believed.
        let page = visitor.get(&format!("{}&to=email", sent.header("location"))).await.raw;
        assert!(page.contains("to your phone"), "{page}");
        let code = visitor.code(&admin, &before).await;
        for left in ["2 more tries", "1 more try"] {
            let again = visitor.type_code(&page, &wrong(&code)).await;
            assert!(again.status == 400 && again.raw.contains(left), "no {left}: {}", again.raw);
            assert!(!again.raw.contains("on its way") && again.raw.contains("name=\"otp\""), "{}", again.raw);
        }
        let over = visitor.type_code(&page, &wrong(&code)).await;
        assert!(over.status == 400 && !over.raw.contains("on its way") && !over.raw.contains("name=\"otp\""), "{}", over.raw);
        assert!(over.raw.replace("&#x2f;", "/").contains("href=\"/admin/sign-in/\""), "{}", over.raw);
    }

    async fn a_double_click_loses_no_sign_in(app) {
        let admin = app.administrator("admin", "+14155550349").await;
        app.pass(60);
        let before = app.messages_to(&admin.account.phone).await;
        let mut visitor = Visitor::new(&app).await;
        let page = visitor.get("/admin/sign-in/").await.raw;
        let form = [("login", admin.account.email.as_str()), ("password", PASSWORD), ("next", "/admin/limits/")];
        let visit = visitor.cookie.clone();
        assert_eq!(visitor.post_with("/admin/sign-in/", &form, &page, &[]).await.status, 303);
        // The answer is thrown away: the form is sent once more, as if nothing had come.
        visitor.cookie = visit;
        let second = visitor.post_with("/admin/sign-in/", &form, &page, &[]).await;
        assert_eq!(second.status, 303, "{}", second.raw);
        let prove = visitor.get(second.header("location")).await;
        assert!(prove.raw.contains("still good") && prove.raw.contains(" s.") && !prove.raw.contains("on its way"), "{}", prove.raw);
        let code = visitor.code(&admin, &before).await;
        let password = visitor.cookie.clone();
        let inside = visitor.type_code(&prove.raw, &code).await;
        assert_eq!((inside.status, inside.header("location")), (303, "/admin/limits/"), "{}", inside.raw);
        visitor.cookie = password.clone();
        assert_ne!(visitor.type_code(&prove.raw, &wrong(&code)).await.status, 303, "another code gets in");
        visitor.cookie = password.clone();
        let second = visitor.type_code(&prove.raw, &code).await;
        assert_eq!((second.status, second.header("location")), (303, "/admin/limits/"), "{}", second.raw);
        let limits = visitor.get("/admin/limits/").await;
        assert_eq!(limits.status, 200, "{}", limits.raw);
        // Much later it is no double click.
        app.pass(60);
        visitor.cookie = password;
        let late = visitor.type_code(&prove.raw, &code).await;
        assert!(late.status == 401 && late.raw.contains("was not done"), "{}", late.raw);
        let _ = (value_of(&limits.raw, "csrf"), next_of(&limits.raw));
    }
}

/// Whose code goes by e-mail is told so.
#[actix_web::test]
async fn a_code_by_email_is_said_to_come_by_email() {
    let app = TestApp::start_with(Backends::Embedded, &[("RINGBACK__SMS__COUNTRIES_ALLOW", "DE")]).await;
    let admin = app.register("+14155550351").await;
    app.own_email(&admin).await;
    app.grant(&admin, "admin").await;
    app.pass(60);
    let mut visitor = Visitor::new(&app).await;
    let form = [("login", admin.email.as_str()), ("password", PASSWORD)];
    let sent = visitor.post("/admin/sign-in/", &form).await;
    let page = visitor.get(sent.header("location")).await.raw;
    assert!(
        page.contains("A code is on its way to your e-mail address."),
        "{page}"
    );
}
