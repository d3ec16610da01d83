//! A forgotten password, and everybody who would like to set somebody else's.

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};

use crate::support::{Account, Answer, PASSWORD, TestApp, fields, on_both, shape, wrong};

const PHONE: &str = "+14152000001";
const OTHER_PHONE: &str = "+14152000002";
const NOBODYS: &str = "nobody@example.com";
const NOBODYS_PHONE: &str = "+14152000009";
const NEW: &str = "quiet-otter-47";

/// That nobody is signed in to the account any more by what was open before.
async fn assert_all_ended(app: &TestApp, account: &Account) {
    let me = app.get_as("/api/users/me/", &account.access).await;
    me.is(401, "token_revoked");
    let body = json!({ "refresh": account.refresh });
    let refreshed = app.post("/api/users/token/refresh/", body).await;
    refreshed.is(401, "token_revoked");
}

/// Whether the account has this password.
async fn has_password(app: &TestApp, account: &Account, password: &str) -> bool {
    let answer = app.login(&account.email, password).await;
    assert!([200, 401].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

/// Whether a code comes for an address that lets whoever reads it into an account, by either way; both are tried.
async fn opens_something(app: &TestApp, address: &str) -> bool {
    let before = app.messages_to(address).await.len();
    for sent in [app.forgot(address).await, {
        app.pass(60);
        app.login_code(address).await
    }] {
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    app.pass(60);
    let sentinel = app
        .register(&format!("+1999{:07}", app.messages().await.len()))
        .await;
    app.code(&sentinel.phone, None).await;
    app.email_code(&sentinel.email, None).await;
    app.pass(60);
    app.messages_to(address).await.len() > before
}

/// An account for a made-up e-mail address, as `register` makes it, but for this one.
async fn register_as(app: &TestApp, email: &str, phone: &str) -> Account {
    let answer = app
        .post("/api/users/register/", crate::support::registration(email, phone))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let text = |pointer: &str| {
        answer
            .body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    Account {
        email: email.to_owned(),
        phone: phone.to_owned(),
        id: text("/user/id"),
        access: text("/tokens/access"),
        refresh: text("/tokens/refresh"),
    }
}

fn alike(answer: &Answer) -> Value {
    json!({ "status": answer.status, "body": shape(answer) })
}

on_both! {
    async fn somebody_sets_a_new_password_by_phone_or_email(app) {
        for (place, by_phone) in [(1, true), (2, false)] {
            let account = app.register(&format!("+1415200000{place}")).await;
            app.own_phone(&account).await;
            app.own_email(&account).await;
            let address = if by_phone { &account.phone } else { &account.email };
            let before = app.messages_to(address).await;
            let sent = app.forgot(address).await;
            assert_eq!(fields(&sent), ["challenge_id", "detail", "expires_in", "resend_after"]);
            assert_eq!([&sent.body["expires_in"], &sent.body["resend_after"]], [600, 60]);
            let code = crate::support::eventually("a code", async || {
                app.messages_to(address).await.into_iter().find(|code| !before.contains(code))
            }).await;
            let id = sent.text("challenge_id");
            app.reset_password(id, &wrong(&code), NEW).await.is(400, "otp_invalid");
            assert!(has_password(&app, &account, PASSWORD).await);
            let answer = app.reset_password(id, &code, NEW).await;
            assert_eq!((answer.status, fields(&answer)), (200, vec!["detail".to_owned()]), "{answer:?}");
            assert_all_ended(&app, &account).await;
            assert!(has_password(&app, &account, NEW).await && !has_password(&app, &account, PASSWORD).await);
            app.reset_password(id, &code, NEW).await.is(400, "otp_expired");
            let noted = app.sql_text(format!(
                "SELECT CAST(count(*) AS text) FROM events WHERE kind = 'password.reset' AND user_id = '{}'", account.id
            )).await;
            let told = app.sql_text(format!(
                "SELECT CAST(count(*) AS text) FROM users WHERE password_reset_at IS NOT NULL AND id = '{}'", account.id
            )).await;
            assert_eq!((noted.as_str(), told.as_str()), ("1", "1"));
        }
    }

    /// Two spellings are one address here, and may be two mailboxes where mail arrives: the other one may be a stranger's.
    async fn a_code_goes_to_the_address_as_its_account_has_it(app) {
        let account = register_as(&app, "Fina@example.com", PHONE).await;
        for (sent, typed) in ["fina@example.com", "\u{FB01}na@EXAMPLE.com"].into_iter().enumerate() {
            let codes = 2 * sent;
            assert_eq!(app.send_email(typed, None).await.status, 200, "{typed}");
            app.pass(60);
            assert_eq!(app.forgot(typed).await.status, 200, "{typed}");
            app.pass(60);
            crate::support::eventually("two codes at the address of the account", async || {
                (app.codes_to(&account.email).await.len() == codes + 2).then_some(())
            }).await;
        }
    }

    async fn an_account_without_a_password_gets_one(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        app.sql(format!("UPDATE users SET password_hash = NULL WHERE id = '{}'", account.id)).await;
        assert!(!has_password(&app, &account, PASSWORD).await);
        let code = app.code_to_reset(PHONE).await;
        assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
        assert!(has_password(&app, &account, NEW).await);
    }

    // A phone was mistyped at registration. Its holder gets the code, and may even enter it.
    async fn the_holder_of_a_mistyped_phone_gets_nowhere(app) {
        let alice = app.register(PHONE).await;
        let code = app.code(PHONE, None).await;
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
        app.pass(60);
        assert!(!opens_something(&app, PHONE).await);
        // Nor does what Alice asks for with her token open it: she doesn't see the code, and its holder has no token.
        app.code(PHONE, Some(&alice.access)).await;
        app.pass(60);
        assert!(!opens_something(&app, PHONE).await);
        // Alice is not kept out: her e-mail address is hers to prove.
        app.own_email(&alice).await;
        let code = app.code_to_reset(&alice.email).await;
        assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
        assert!(!opens_something(&app, PHONE).await);
    }

    // An e-mail address was mistyped at registration: it is somebody else's.
    async fn the_owner_of_a_mistyped_email_address_gets_nowhere_once_the_phone_is_proven(app) {
        let alice = app.register(PHONE).await;
        app.own_phone(&alice).await;
        assert!(!opens_something(&app, &alice.email).await);
        let code = app.email_code(&alice.email, None).await;
        assert_eq!(app.verify_email(&alice.email, &code, None).await.status, 200);
        app.pass(60);
        assert!(!opens_something(&app, &alice.email).await, "a proof without a token opens nothing");
        assert_eq!(app.get_as("/api/users/me/", &alice.access).await.status, 200);
        assert!(opens_something(&app, PHONE).await, "and keeps nobody out");
    }

    // While nothing is proven, the account is whoever's the e-mail address is; whoever made it starts anew.
    async fn an_account_of_which_nothing_is_proven_is_reset_by_its_email_address(app) {
        let squatter = app.register(PHONE).await;
        let code = app.code_to_reset(&squatter.email).await;
        app.login_by_code(&code.id, &code.code).await.is(400, "otp_expired");
        assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
        assert_all_ended(&app, &squatter).await;
        assert!(has_password(&app, &squatter, NEW).await && !has_password(&app, &squatter, PASSWORD).await);
        // The squatter still has the phone that the account claims: entering its code opens nothing, and doesn't keep the
        // owner of the address from another reset.
        app.pass(60);
        let code = app.code(PHONE, None).await;
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
        app.pass(60);
        assert!(!opens_something(&app, PHONE).await);
        assert_eq!(app.login(PHONE, PASSWORD).await.status, 401);
        let code = app.code_to_reset(&squatter.email).await;
        assert_eq!(app.reset_password(&code.id, &code.code, "another-otter-48").await.status, 200);
    }

    // Somebody registered with the victim's e-mail address and a phone that is the squatter's own and proven.
    async fn a_squatters_account_is_not_handed_to_the_victim_with_the_squatter_in_it(app) {
        let victims = "victim@example.com";
        let squatter = register_as(&app, victims, PHONE).await;
        app.own_phone(&squatter).await;
        assert!(!opens_something(&app, victims).await);
        let code = app.email_code(victims, None).await;
        assert_eq!(app.verify_email(victims, &code, None).await.status, 200);
        app.pass(60);
        assert!(!opens_something(&app, victims).await);
        // With a code that was sent while nothing was proven, neither.
        let other = register_as(&app, "other@example.com", OTHER_PHONE).await;
        let sent = app.code_to_reset(&other.email).await;
        app.own_phone(&other).await;
        app.reset_password(&sent.id, &sent.code, NEW).await.is(400, "otp_expired");
        assert!(has_password(&app, &other, PASSWORD).await);
    }

    // The number was given up, and somebody else has it now.
    async fn the_new_holder_of_a_number_resets_nothing_where_an_email_address_is_proven(app) {
        let alice = app.register(PHONE).await;
        app.own_phone(&alice).await;
        app.own_email(&alice).await;
        assert!(opens_something(&app, PHONE).await);
        app.pass(181 * 86_400);
        assert!(!opens_something(&app, PHONE).await);
        assert!(opens_something(&app, &alice.email).await);
    }

    async fn a_locked_account_is_reset_by_nothing(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        app.own_email(&account).await;
        let code = app.code_to_reset(PHONE).await;
        app.pass(60);
        app.sql(format!("UPDATE users SET locked_at = created_at WHERE id = '{}'", account.id)).await;
        assert!(!opens_something(&app, PHONE).await && !opens_something(&app, &account.email).await);
        app.reset_password(&code.id, &code.code, NEW).await.is(400, "otp_expired");
        app.sql(format!("UPDATE users SET locked_at = NULL WHERE id = '{}'", account.id)).await;
        assert!(has_password(&app, &account, PASSWORD).await);
    }

    async fn what_ends_all_sessions_ends_the_codes_that_were_out(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        app.own_email(&account).await;
        app.pass(61);
        let sign_in = app.code_to_sign_in(PHONE).await;
        let other = app.code_to_reset(&account.email).await;
        app.pass(61);
        let reset = app.code_to_reset(PHONE).await;
        app.pass(1);
        assert_eq!(app.reset_password(&reset.id, &reset.code, NEW).await.status, 200);
        app.login_by_code(&sign_in.id, &sign_in.code).await.is(400, "otp_expired");
        app.reset_password(&other.id, &other.code, PASSWORD).await.is(400, "otp_expired");
        assert!(has_password(&app, &account, NEW).await);
        // Those that are asked for afterwards are good, until the next such end.
        app.pass(61);
        let later = app.code_to_sign_in(PHONE).await;
        assert_eq!(app.login_by_code(&later.id, &later.code).await.status, 200);
        app.pass(61);
        let locked = app.code_to_sign_in(PHONE).await;
        let admin = app.administrator("admin", "+14155550119").await;
        app.pass(1);
        for what in ["lock", "unlock"] {
            let path = format!("/api/admin/users/{}/{what}/", account.id);
            let done = app.administer("POST", &path, Some(json!({ "reason": "lost" })), Some(&admin.access)).await;
            assert_eq!(done.status, 200, "{done:?}");
        }
        app.login_by_code(&locked.id, &locked.code).await.is(400, "otp_expired");
    }

    async fn an_address_that_resets_nothing_is_answered_alike(app) {
        let (owner, claimant) = (app.register(PHONE).await, app.register(OTHER_PHONE).await);
        app.own_phone(&owner).await;
        app.own_email(&owner).await;
        app.own_phone(&claimant).await;
        app.sql(format!("UPDATE users SET phone_owned_at = NULL WHERE id = '{}'", claimant.id)).await;
        for addresses in [[PHONE, OTHER_PHONE, NOBODYS_PHONE], [&owner.email, &claimant.email, NOBODYS]] {
            let mut answers = Vec::new();
            for address in addresses {
                let sent = app.forgot(address).await;
                let id = sent.text("challenge_id").to_owned();
                let mut steps = vec![alike(&sent)];
                for otp in ["000000", "000001", "000002", "000003"] {
                    steps.push(alike(&app.reset_password(&id, otp, NEW).await));
                }
                steps.push(alike(&app.forgot(address).await));
                answers.push(steps);
            }
            assert_eq!([&answers[1], &answers[2]], [&answers[0]; 2]);
            assert_eq!(answers[0][1]["body"]["attempts_remaining"], 2);
        }
    }

    async fn rules_on_the_password_cost_no_code(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let code = app.code_to_reset(PHONE).await;
        // Before a code is judged: none of these spends an attempt.
        for password in ["short", "password", "zzzzzzzzzz", "        "] {
            for otp in [&code.code, &wrong(&code.code)] {
                let answer = app.reset_password(&code.id, otp, password).await;
                assert_eq!(answer.faulty_fields(), ["password"], "{answer:?}");
            }
        }
        let body = json!({ "challenge_id": code.id, "otp": wrong(&code.code), "password": NEW, "password_confirm": "another" });
        assert_eq!(app.post("/api/users/password/reset/", body).await.faulty_fields(), ["password_confirm"]);
        // What needs the account is told to whoever has the code, and to nobody else; the code stays good.
        let personal = account.email.clone();
        app.reset_password(&code.id, &wrong(&code.code), &personal).await.is(400, "otp_invalid");
        for _ in 0..5 {
            let answer = app.reset_password(&code.id, &code.code, &personal).await;
            answer.is(400, "validation_failed");
            assert_eq!(answer.faulty_fields(), ["password"]);
        }
        assert!(has_password(&app, &account, PASSWORD).await);
        assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
    }

    async fn however_many_are_right_at_once_one_sets_the_password(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let siblings = match app.provider.is_some() {
            true => vec![app.sibling().await, app.sibling().await],
            false => Vec::new(),
        };
        let apps: Vec<&TestApp> = siblings.iter().chain([&app]).collect();
        let code = app.code_to_reset(PHONE).await;
        let password = |index: usize| format!("quiet-otter-{index}");
        let asks = (0..60).map(|index| {
            let (app, password) = (apps[index % apps.len()], password(index));
            let code = code.clone();
            async move { app.reset_password(&code.id, &code.code, &password).await }
        });
        let answers = join_all(asks).await;
        let winners: Vec<_> = (0..60).filter(|&index| answers[index].status == 200).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "otp_expired").count(), 59);
        assert!(has_password(&app, &account, &password(winners[0])).await);
    }

    async fn a_login_that_is_under_way_does_not_outlive_a_reset(app) {
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        for round in 0..6 {
            let (old, new) = (format!("old-otter-{round}"), format!("old-otter-{}", round + 1));
            if round == 0 {
                let code = app.code_to_reset(PHONE).await;
                app.reset_password(&code.id, &code.code, &old).await;
                app.pass(60);
            }
            let code = app.code_to_reset(PHONE).await;
            let logins = join_all((0..12).map(|_| app.login(&account.email, &old)));
            let (answer, logins) = tokio::join!(app.reset_password(&code.id, &code.code, &new), logins);
            assert_eq!(answer.status, 200, "{answer:?}");
            for login in logins {
                if login.status == 200 {
                    let access = login.body["tokens"]["access"].as_str().unwrap();
                    app.get_as("/api/users/me/", access).await.is(401, "token_revoked");
                } else {
                    login.is(401, "invalid_credentials");
                }
            }
            app.pass(60);
        }
    }
}

/// Room for two hashes: one runs, one waits.
const TWO: [(&str, &str); 3] = [
    ("RINGBACK__PASSWORDS__THREADS", "1"),
    ("RINGBACK__PASSWORDS__QUEUE", "1"),
    ("RINGBACK__DATABASE__TIMEOUT", "10s"),
];

#[actix_web::test]
async fn where_too_many_passwords_wait_no_code_is_judged() {
    let (app, proxies) = TestApp::start_behind_proxies(&TWO).await;
    let account = app.register(PHONE).await;
    app.own_phone(&account).await;
    let code = app.code_to_reset(PHONE).await;
    proxies.database.hang();
    let mut asked: FuturesUnordered<_> = (0..3).map(|_| app.login(&account.email, PASSWORD)).collect();
    // Two wait for the database meanwhile; the third is not one of them.
    asked.next().await.unwrap().is(503, "unavailable");
    for _ in 0..5 {
        let answer = app.reset_password(&code.id, &wrong(&code.code), NEW).await;
        answer.is(503, "unavailable");
    }
    proxies.database.come_back();
    while let Some(answer) = asked.next().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = app.reset_password(&code.id, &wrong(&code.code), NEW).await;
    answer.is(400, "otp_invalid");
    assert_eq!(
        answer.body["attempts_remaining"], 2,
        "none of the five was judged"
    );
    assert_eq!(app.reset_password(&code.id, &code.code, NEW).await.status, 200);
}
