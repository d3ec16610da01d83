//! Administrators: what they read of events, messages and sums, and what changes an account for good.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, on_both};

async fn get(app: &TestApp, path: &str, token: &str) -> Answer {
    app.administer("GET", path, None, Some(token)).await
}

async fn ok(app: &TestApp, path: &str, token: &str) -> Value {
    let answer = get(app, path, token).await;
    assert_eq!(answer.status, 200, "{path} {answer:?}");
    answer.body
}

fn texts(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|row| row[field].as_str().unwrap_or_default().to_owned())
        .collect()
}

on_both! {
    async fn a_search_is_noted_with_as_many_as_were_shown(app) {
        let admin = app.administrator("admin", "+14155550346").await;
        app.verified("+14155550347").await;
        let found = app.administer("GET", "/api/admin/users/?limit=1", None, Some(&admin.access)).await;
        assert_eq!((found.body["users"].as_array().unwrap().len(), found.body["next_cursor"].is_string()), (1, true));
        let events = app.administer("GET", "/api/admin/events/?kind=users.searched", None, Some(&admin.access)).await;
        assert_eq!(events.body["events"][0]["details"]["found"], 1, "{events:?}");
    }

    async fn events_tell_who_did_what_to_whom(app) {
        let admin = app.administrator("admin", "+14155550201").await;
        let user = app.verified("+14155550202").await;
        app.lock_as(&user.id, &admin.access).await;
        let about = format!("/api/admin/events/?user={}", user.id);
        let events = ok(&app, &about, &admin.access).await;
        let mut kinds = texts(&events["events"], "kind");
        assert_eq!(kinds[..2], ["account.locked", "phone.verified"]);
        // Of one moment.
        kinds[2..].sort();
        assert_eq!(kinds[2..], ["account.registered", "session.opened"]);
        let locked = &events["events"][0];
        assert_eq!(locked["actor_id"], admin.account.id);
        assert_eq!((&locked["actor"], &locked["reason"]), (&json!("administrator"), &json!("it was stolen")));
        // Each look is one more.
        let again = ok(&app, &about, &admin.access).await;
        assert_eq!(again["events"][0]["kind"], "events.read");
        let one = ok(&app, &format!("{about}&kind=account.locked"), &admin.access).await;
        assert_eq!(one["events"].as_array().unwrap().len(), 1);
        assert_eq!(one["next_cursor"], Value::Null);

        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ok(&app, &format!("/api/admin/events/?kind=session.opened&limit=2{cursor}"), &admin.access).await;
            seen.extend(texts(&page["events"], "id"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut sorted = seen.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        sorted.dedup();
        assert_eq!((sorted.len(), &sorted), (4, &seen));
        for (query, field) in [("user=x", "user"), ("kind=x", "kind"), ("since=now", "since"), ("limit=0", "limit"), ("cursor=AAAA", "cursor")] {
            let answer = get(&app, &format!("/api/admin/events/?{query}"), &admin.access).await;
            assert_eq!(answer.faulty_fields(), [field], "{query}");
        }
        let stolen = cursor.replace("&cursor=", "");
        let answer = get(&app, &format!("/api/admin/events/?kind=session.ended&cursor={stolen}"), &admin.access).await;
        assert_eq!(answer.faulty_fields(), ["cursor"]);
    }

    async fn messages_and_sums_are_those_of_the_ledger(app) {
        let admin = app.administrator("support", "+14155550203").await;
        let user = app.verified("+14155550204").await;
        let path = format!("/api/admin/verifications/?user={}", user.id);
        let rows = crate::support::eventually("the ledger", async || {
            let rows = ok(&app, &path, &admin.access).await;
            let row = rows["verifications"].as_array().unwrap().first().cloned();
            row.filter(|row| !row["verified_at"].is_null())
        }).await;
        assert_eq!((&rows["purpose"], &rows["channel"], &rows["country"]), (&json!("verify_phone"), &json!("sms"), &json!("US")));
        assert_eq!(rows["user_id"], user.id);
        let page = ok(&app, &format!("/api/admin/users/{}/", user.id), &admin.access).await;
        assert_eq!(page["verifications"][0]["challenge_id"], rows["challenge_id"]);
        assert!(ok(&app, &format!("{path}&country=DE"), &admin.access).await["verifications"].as_array().unwrap().is_empty());
        for (query, field) in [("country=us", "country"), ("state=gone", "state"), ("user=%00", "user"), ("cursor=x", "cursor")] {
            let answer = get(&app, &format!("/api/admin/verifications/?{query}"), &admin.access).await;
            assert_eq!(answer.faulty_fields(), [field], "{query}");
        }
        // An offset that nobody has encoded.
        let since = get(&app, "/api/admin/events/?since=2026-11-27T15:00:00+01:00", &admin.access).await;
        assert_eq!(since.status, 200, "{since:?}");
        let stats = ok(&app, "/api/admin/stats/", &admin.access).await;
        assert_eq!(stats["sign_ups"], 2);
        let messages: i64 = stats["messages"].as_array().unwrap().iter().map(|group| group["messages"].as_i64().unwrap()).sum();
        assert!(messages >= 4, "{stats}");
        assert!(stats["hours"].as_array().unwrap().iter().any(|hour| hour["sign_ups"] == 2 || hour["sign_ups"] == 1), "{stats}");
        for (since, field) in [("2001-01-01T00:00:00Z", "since"), ("yesterday", "since")] {
            let answer = get(&app, &format!("/api/admin/stats/?since={since}"), &admin.access).await;
            assert_eq!(answer.faulty_fields(), [field]);
        }
    }

    async fn hours_that_are_over_stay_counted_and_this_one_goes_on(app) {
        app.register("+14155550221").await;
        app.pass(3 * 3600);
        let admin = app.administrator("support", "+14155550222").await;
        let by_hour = async || {
            let stats = ok(&app, "/api/admin/stats/", &admin.access).await;
            let hours = stats["hours"].as_array().unwrap();
            let hours: Vec<_> = hours.iter().filter_map(|hour| hour["sign_ups"].as_i64()).filter(|times| *times > 0).collect();
            assert_eq!(stats["sign_ups"], hours.iter().sum::<i64>());
            hours
        };
        let before = by_hour().await;
        assert_eq!(before, [1, 1]);
        assert_eq!(by_hour().await, before);
        app.register("+14155550223").await;
        let after = by_hour().await;
        assert_eq!((after[0], after.iter().sum::<i64>()), (1, 3), "the next hour may have begun");
    }

    async fn what_holds_an_account_up_is_shown_and_released(app) {
        let admin = app.administrator("support", "+14155550205").await;
        let user = app.register("+14155550206").await;
        app.limit("[[rule]]\nid = \"sends\"\non = \"otp.send\"\nby = \"phone\"\nquota = 1\nper = \"1h\"\n\
                   [[rule]]\nid = \"logins\"\non = \"login\"\nby = \"user\"\nquota = 1\nper = \"1h\"\n").await;
        let path = format!("/api/admin/users/{}/", user.id);
        let limits = async || ok(&app, &path, &admin.access).await["limits"].clone();
        assert_eq!(limits().await, json!([]));
        app.code(&user.phone, Some(&user.access)).await;
        app.pass(60);
        app.send(&user.phone, Some(&user.access)).await.is(429, "rate_limited");
        app.login(&user.email, "another").await.is(401, "invalid_credentials");
        app.login(&user.email, crate::support::PASSWORD).await.is(429, "rate_limited");
        let mut rules = texts(&limits().await, "rule");
        rules.sort();
        assert_eq!(rules, ["logins", "sends"]);
        let release = format!("{path}release-limits/");
        let released = app.administer("POST", &release, Some(json!({ "reason": "they called" })), Some(&admin.access)).await;
        assert_eq!(released.status, 200, "{released:?}");
        assert_eq!(limits().await, json!([]));
        // The cooldown as well.
        app.code(&user.phone, Some(&user.access)).await;
        assert!(app.signs_in(&user).await);
        let events = ok(&app, &format!("/api/admin/events/?user={}&kind=limits.released", user.id), &admin.access).await;
        assert_eq!(events["events"][0]["reason"], "they called");
        // So is what the network counts that somebody without a session is known from.
        let gone = app.register("+14155550216").await;
        app.post_as("/api/users/logout/", json!({}), Some(&gone.access)).await;
        app.login(&gone.email, "another").await.is(401, "invalid_credentials");
        app.login(&gone.email, crate::support::PASSWORD).await.is(429, "rate_limited");
        let release = format!("/api/admin/users/{}/release-limits/", gone.id);
        app.administer("POST", &release, Some(json!({ "reason": "they called" })), Some(&admin.access)).await;
        assert!(app.signs_in(&gone).await);
    }

    async fn a_name_is_changed_and_addresses_are_their_owners(app) {
        let admin = app.administrator("admin", "+14155550207").await;
        let user = app.register("+14155550208").await;
        let path = format!("/api/admin/users/{}/", user.id);
        let change = async |body: Value| app.administer("PATCH", &path, Some(body), Some(&admin.access)).await;
        let changed = change(json!({ "first_name": " Zoë ", "last_name": null, "reason": "a typing error", "id": 7 })).await;
        assert_eq!((changed.status, &changed.body["first_name"], &changed.body["last_name"]), (200, &json!("Zoë"), &json!("")));
        for (body, fields) in [
            (json!({ "reason": "why" }), vec!["first_name"]),
            (json!({ "first_name": "" }), vec!["first_name", "reason"]),
            (json!({ "email": "x@example.com", "phone": "+14155550209", "reason": "why" }), vec!["email", "phone"]),
        ] {
            assert_eq!(change(body.clone()).await.faulty_fields(), fields, "{body}");
        }
        let me = app.get_as("/api/users/me/", &user.access).await;
        assert_eq!((&me.body["first_name"], &me.body["email"]), (&json!("Zoë"), &json!(user.email)));
    }

    async fn a_deletion_wants_a_fresh_proof_and_leaves_nothing(app) {
        let admin = app.administrator("admin", "+14155550210").await;
        let user = app.verified("+14155550211").await;
        let path = format!("/api/admin/users/{}/", user.id);
        let delete = async |token: &str| {
            app.administer("DELETE", &path, Some(json!({ "reason": "it was asked for" })), Some(token)).await
        };
        app.pass(301);
        delete(&admin.access).await.is(403, "second_proof_required");
        assert_eq!(get(&app, &path, &admin.access).await.status, 200);
        // Once more, from the administrator's own session.
        let fresh = app.prove_from(&admin.account, &admin.access).await;
        let own = format!("/api/admin/users/{}/", admin.account.id);
        let answer = app.administer("DELETE", &own, Some(json!({ "reason": "why" })), Some(&fresh.access)).await;
        answer.is(403, "forbidden");
        let gone = delete(&fresh.access).await;
        assert_eq!((gone.status, gone.raw.as_str()), (204, ""), "{gone:?}");
        delete(&fresh.access).await.is(404, "not_found");
        app.get_as("/api/users/me/", &user.access).await.is(401, "token_revoked");
        get(&app, &path, &fresh.access).await.is(404, "not_found");
        let events = ok(&app, "/api/admin/events/?kind=account.deleted", &fresh.access).await;
        let event = &events["events"][0];
        assert_eq!((&event["user_id"], &event["reason"]), (&Value::Null, &json!("it was asked for")));
        assert_eq!(event["actor_id"], admin.account.id);
        let all = ok(&app, "/api/admin/events/?limit=100", &fresh.access).await;
        assert!(!all.to_string().contains(&user.id));
    }
}
