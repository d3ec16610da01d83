//! Events go out by signed webhooks, whatever becomes of the service and the receiver.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use ringback::webhook::WebhookKeys;

use crate::support::{Backends, PASSWORD, Receiver, TestApp, Webhook, eventually};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BOTH: [Backends; 2] = [Backends::Embedded, Backends::Servers];

pub fn hook(name: &str, receiver: &Receiver, kinds: &str) -> String {
    let url = &receiver.url;
    format!(r#"{{ name = "{name}", url = "{url}", secret = "{SECRET}", kinds = [{kinds}] }}"#)
}

pub async fn start(backends: Backends, hooks: &[String]) -> TestApp {
    let hooks = format!("[{}]", hooks.join(", "));
    let app = TestApp::start_with(backends, &[("RINGBACK__EVENTS__WEBHOOK", &hooks)]).await;
    began(&app, 1).await;
    app
}

/// Waits until so many webhooks have a place: what happens from then on goes out.
async fn began(app: &TestApp, count: usize) {
    eventually("a place of each webhook", async || {
        let query = "SELECT CAST(count(*) AS text) FROM event_webhooks";
        let begun = app.sql_text(query.to_owned()).await;
        (begun.parse::<usize>().unwrap() >= count).then_some(())
    })
    .await;
}

/// What was taken, once there are so many with ids of their own.
pub async fn taken(receiver: &Receiver, count: usize) -> Vec<Webhook> {
    eventually("webhooks", async || {
        let taken = receiver.taken();
        let ids: BTreeSet<_> = taken.iter().map(|webhook| &webhook.id).collect();
        (ids.len() >= count).then_some(taken)
    })
    .await
}

fn kinds(taken: &[Webhook]) -> Vec<&str> {
    taken
        .iter()
        .map(|webhook| webhook.body["type"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_change_goes_out_signed_and_in_order() {
    for backends in BOTH {
        let receiver = Receiver::start().await;
        let app = start(backends, &[hook("crm", &receiver, "")]).await;
        let account = app.register("+14152000001").await;
        let patch = json!({ "first_name": "Joan" });
        app.call("PATCH", "/api/users/me/", Some(patch), Some(&account.access))
            .await;
        let all = taken(&receiver, 3).await;
        assert_eq!(
            kinds(&all),
            ["account.registered", "session.opened", "account.updated"]
        );
        let first = &all[0];
        let data = &first.body["data"];
        assert_eq!(
            (data["user_id"].as_str(), data["id"].as_str()),
            (Some(&*account.id), Some(&*first.id))
        );
        assert_eq!(
            (&data["actor"], &data["network"], &data["times"]),
            (&json!("user"), &json!("127.0.0.0/24"), &json!(1))
        );
        assert!(
            data["details"].is_object() && first.body["timestamp"].is_string(),
            "{data}"
        );
        for webhook in &all {
            assert!(!webhook.text.contains(&account.email) && !webhook.text.contains("4152000001"));
            assert!(webhook.signature.starts_with("v1,"));
        }
        // Refusals are told to whoever asks for them alone.
        app.login(&account.email, "wrong-one-47")
            .await
            .is(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn a_dead_receiver_holds_nobody_else_up_and_gets_all_of_it_later() {
    for backends in BOTH {
        let (dead, alive) = (Receiver::start().await, Receiver::start().await);
        dead.fail(Some((500, "")));
        let hooks = [
            hook("dead", &dead, r#""account.*""#),
            hook("alive", &alive, r#""account.*""#),
        ];
        let app = start(backends, &hooks).await;
        began(&app, 2).await;
        for n in 1..=5 {
            app.register(&format!("+1415200000{n}")).await;
        }
        taken(&alive, 5).await;
        eventually("a try", async || (dead.refused() > 0).then_some(())).await;
        assert_eq!(dead.taken().len(), 0);
        dead.fail(None);
        app.pass(900);
        let late = taken(&dead, 5).await;
        let ids =
            |taken: &[Webhook]| -> BTreeSet<_> { taken.iter().map(|webhook| webhook.id.clone()).collect() };
        assert_eq!(ids(&late), ids(&alive.taken()));
    }
}

#[actix_web::test]
async fn one_event_that_is_refused_holds_up_its_account_alone() {
    for backends in BOTH {
        let receiver = Receiver::start().await;
        let app = start(backends, &[hook("crm", &receiver, "")]).await;
        receiver.fail(Some((422, "account.updated")));
        let jane = app.register("+14152000001").await;
        let patch = json!({ "first_name": "Joan" });
        app.call("PATCH", "/api/users/me/", Some(patch), Some(&jane.access))
            .await;
        eventually("a refusal", async || (receiver.refused() > 0).then_some(())).await;
        app.login(&jane.email, PASSWORD).await;
        app.register("+14152000002").await;
        let all = taken(&receiver, 4).await;
        assert_eq!(
            kinds(&all),
            [
                "account.registered",
                "session.opened",
                "account.registered",
                "session.opened"
            ]
        );
        receiver.fail(None);
        app.pass(10);
        let all = taken(&receiver, 6).await;
        assert_eq!(kinds(&all)[4..], ["account.updated", "session.opened"]);
    }
}

#[actix_web::test]
async fn what_was_refused_goes_out_where_it_is_asked_for() {
    let receiver = Receiver::start().await;
    let app = start(
        Backends::Embedded,
        &[hook("siem", &receiver, r#""login.failed""#)],
    )
    .await;
    app.begin_minute();
    for _ in 0..3 {
        app.login("nobody@example.com", PASSWORD)
            .await
            .is(401, "invalid_credentials");
    }
    app.pass(60);
    let all = taken(&receiver, 1).await;
    assert_eq!(
        (kinds(&all), &all[0].body["data"]["times"]),
        (vec!["login.failed"], &json!(3))
    );
}

// Killed while the receiver has the events and the service doesn't know it yet: another instance sends them again, with the
// ids that they had.
#[actix_web::test]
async fn a_process_that_is_killed_loses_no_event() {
    for backends in BOTH {
        let receiver = Receiver::start().await;
        receiver.delay(Duration::from_secs(60));
        let hooks = format!("[{}]", hook("crm", &receiver, ""));
        let variables = [("RINGBACK__EVENTS__WEBHOOK", hooks.as_str())];
        let prepared = TestApp::prepare(backends, &variables).await;
        let (process, app) = prepared.clone().spawn().await;
        began(&app, 1).await;
        for n in 1..=4 {
            app.register(&format!("+1415200000{n}")).await;
        }
        let before = taken(&receiver, 1).await;
        // Its end is SIGKILL.
        drop(process);
        receiver.delay(Duration::ZERO);
        let next = prepared.start().await;
        next.pass(61);
        let after = taken(&receiver, 8).await;
        let again = after.iter().filter(|webhook| webhook.id == before[0].id).count();
        assert!(again >= 2, "what was under way comes again");
        let of = |user: &str| -> Vec<_> {
            let mut seen = BTreeSet::new();
            let about = after
                .iter()
                .filter(|webhook| webhook.body["data"]["user_id"] == user);
            about
                .filter(|webhook| seen.insert(&webhook.id))
                .map(|webhook| webhook.body["type"].clone())
                .collect()
        };
        for webhook in &after {
            let user = webhook.body["data"]["user_id"].as_str().unwrap();
            assert_eq!(of(user), ["account.registered", "session.opened"]);
        }
    }
}

/// Whether the sender had the secret.
fn is_signed(webhook: &Webhook) -> bool {
    let at = webhook.timestamp.parse().unwrap();
    WebhookKeys::parse(SECRET)
        .unwrap()
        .sign(&webhook.id, at, &webhook.text)
        == webhook.signature
}

// As an operator does whose receiver lost what it had taken.
#[actix_web::test]
async fn what_went_out_goes_out_once_more_by_a_command() {
    for backends in BOTH {
        let (crm, other) = (Receiver::start().await, Receiver::start().await);
        let hooks = [
            hook("crm", &crm, r#""account.*", "session.*""#),
            hook("other", &other, ""),
        ];
        let app = start(backends, &hooks).await;
        began(&app, 2).await;
        let jane = app.register("+14152000001").await;
        let first = taken(&crm, 2).await;
        taken(&other, 2).await;
        eventually("an end", async || {
            let waiting = app
                .sql_text("SELECT CAST(count(*) AS text) FROM event_deliveries".to_owned())
                .await;
            (waiting == "0").then_some(())
        })
        .await;
        let replay = async |since: &str, webhook: &str| {
            let arguments = ["events", "replay", "--since", since, "--webhook", webhook];
            app.run(&arguments).await
        };
        let (code, said) = replay("1h", "crm").await;
        assert_eq!(
            (code, said.contains("crm: 2 events go out once more")),
            (0, true),
            "{said}"
        );
        let all = eventually("the same once more", async || {
            let all = crm.taken();
            (all.len() >= 4).then_some(all)
        })
        .await;
        let told = |some: &[Webhook]| -> Vec<_> {
            some.iter()
                .map(|one| (one.id.clone(), one.body.clone()))
                .collect()
        };
        assert_eq!(
            told(&all[2..]),
            told(&first),
            "with the ids that they had, in their order"
        );
        assert!(all.iter().all(is_signed), "{all:?}");
        assert_eq!(all[2].body["data"]["user_id"], jane.id);
        assert_eq!(other.taken().len(), 2, "the other one asked for nothing");
        // What is not older, what is no webhook, and what is no time.
        let (code, said) = replay("2099-01-01T00:00:00Z", "crm").await;
        assert_eq!((code, said.contains("crm: 0 events")), (0, true), "{said}");
        let (code, said) = replay("1h", "crn").await;
        assert_eq!((code, said.contains("no such webhook")), (1, true), "{said}");
        assert_eq!(replay("yesterday", "crm").await.0, 2);
        // To all of them.
        let (code, said) = app.run(&["events", "replay", "--since", "1h"]).await;
        assert_eq!((code, said.contains("other: 2 events")), (0, true), "{said}");
        eventually("both", async || {
            (crm.taken().len() == 6 && other.taken().len() == 4).then_some(())
        })
        .await;
    }
}
