//! What the flows do where many come at once, over three instances.

use serde_json::json;

use crate::{
    races::{Fleet, assert_counts, at_once, count},
    support::{Account, Answer, Backends, PASSWORD, TestApp, eventually},
};

const PHONE: &str = "+14152000001";
const NEW_PHONE: &str = "+14152000002";

async fn ask(app: &TestApp, to: &str, account: &Account) -> String {
    let before = app.messages_to(to).await;
    let body = json!({ "phone": to, "password": PASSWORD });
    let sent = app
        .post_as("/api/users/phone/change/", body, Some(&account.access))
        .await;
    assert_eq!(sent.status, 200, "{sent:?}");
    eventually("a code", async || {
        let codes = app.messages_to(to).await;
        codes.into_iter().find(|code| !before.contains(code))
    })
    .await
}

async fn enter(app: &TestApp, to: &str, otp: &str, account: &Account) -> Answer {
    let body = json!({ "phone": to, "otp": otp });
    app.post_as("/api/users/phone/change/verify/", body, Some(&account.access))
        .await
}

async fn number(app: &TestApp, rows: &str) -> String {
    app.sql_text(format!("SELECT CAST(count(*) AS text) FROM {rows}"))
        .await
}

at_once! {
    async fn of_sixty_right_resets_one_sets_the_password(fleet) {
        let app = fleet.first();
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let code = app.code_to_reset(PHONE).await;
        let answers = fleet.at_once(60, async |app, index| {
            app.reset_password(&code.id, &code.code, &format!("quiet-otter-{index}")).await
        });
        let answers = answers.await;
        assert_counts(&answers, &[(1, 200, None), (59, 400, Some("otp_expired"))]);
        let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
        let logins = fleet.at_once(6, async |app, _| app.login(&account.email, &format!("quiet-otter-{winner}")).await);
        assert_counts(&logins.await, &[(6, 200, None)]);
        assert_eq!(number(app, "events WHERE kind = 'password.reset'").await, "1");
    }

    // Two accounts want one phone; each has a code of its own for it.
    async fn of_changes_to_one_phone_one_account_has_it(fleet) {
        let app = fleet.first();
        let mut changes = Vec::new();
        for claim in ["+14152000011", "+14152000012", "+14152000013"] {
            let account = app.verified(claim).await;
            let code = ask(app, NEW_PHONE, &account).await;
            app.pass(60);
            changes.push((account, code));
        }
        let answers = fleet.at_once(30, async |app, index| {
            let (account, code) = &changes[index % 3];
            enter(app, NEW_PHONE, code, account).await
        });
        let answers = answers.await;
        assert_eq!(count(&answers, 200, None), 1, "{answers:?}");
        assert_eq!(number(app, "users WHERE phone = '+14152000002' AND phone_verified").await, "1");
        assert_eq!(number(app, "events WHERE kind = 'phone.changed'").await, "1");
    }

    async fn a_change_beside_a_deletion_leaves_nothing_half(fleet) {
        let app = fleet.first();
        for round in 0..5 {
            let (old, new) = (format!("+1415300000{round}"), format!("+1415400000{round}"));
            let account = app.verified(&old).await;
            let code = ask(app, &new, &account).await;
            let answers = fleet.at_once(6, async |app, index| match index {
                2 => app.call("DELETE", "/api/users/me/", Some(json!({ "password": PASSWORD })), Some(&account.access)).await,
                _ => enter(app, &new, &code, &account).await,
            });
            let answers = answers.await;
            assert_eq!(count(&answers, 204, None), 1, "{answers:?}");
            assert!(answers.iter().all(|answer| answer.status < 500), "{answers:?}");
            assert_eq!(number(app, "users").await, "0");
            let left = format!("events WHERE user_id = '{0}' OR actor_id = '{0}'", account.id);
            assert_eq!(number(app, &left).await, "0");
        }
    }

    // One account changes to the phone that another one claims and proves.
    async fn a_change_beside_a_proof_gives_a_phone_to_one(fleet) {
        let app = fleet.first();
        for round in 0..5 {
            let (old, wanted) = (format!("+1415300000{round}"), format!("+1415400000{round}"));
            let changer = app.verified(&old).await;
            let changing = ask(app, &wanted, &changer).await;
            app.pass(60);
            let claimant = app.register(&wanted).await;
            let proof = app.code(&wanted, Some(&claimant.access)).await;
            let answers = fleet.at_once(6, async |app, index| match index % 2 {
                0 => enter(app, &wanted, &changing, &changer).await,
                _ => app.verify(&wanted, &proof, Some(&claimant.access)).await,
            });
            let answers = answers.await;
            assert!(answers.iter().all(|answer| answer.status < 500), "{answers:?}");
            assert!(count(&answers, 200, None) >= 1, "{answers:?}");
            assert_eq!(number(app, &format!("users WHERE phone = '{wanted}' AND phone_verified")).await, "1");
            app.pass(60);
        }
    }

    // Whoever knows the old password gets no session that outlives the reset, however the two meet.
    async fn a_login_under_way_does_not_outlive_a_reset(fleet) {
        let app = fleet.first();
        let account = app.register(PHONE).await;
        app.own_phone(&account).await;
        let mut password = PASSWORD.to_owned();
        for round in 0..4 {
            let code = app.code_to_reset(PHONE).await;
            let new = format!("quiet-otter-{round}");
            let answers = fleet.at_once(30, async |app, index| match index {
                11 => app.reset_password(&code.id, &code.code, &new).await,
                _ => app.login(&account.email, &password).await,
            });
            let answers = answers.await;
            for opened in answers.iter().filter(|answer| answer.status == 200 && answer.body["tokens"].is_object()) {
                let access = opened.body["tokens"]["access"].as_str().unwrap();
                for app in &fleet.0 {
                    assert_eq!(app.get_as("/api/users/me/", access).await.status, 401, "round {round}");
                }
            }
            password = new;
            app.pass(60);
        }
    }
}
