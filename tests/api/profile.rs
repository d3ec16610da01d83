//! Changing one's name.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, on_both};

async fn change(app: &TestApp, access: &str, body: Value) -> Answer {
    app.call("PATCH", "/api/users/me/", Some(body), Some(access))
        .await
}

on_both! {
    async fn a_name_is_changed_in_part_and_nothing_else_is(app) {
        let account = app.register("+14152000001").await;
        let before = app.get_as("/api/users/me/", &account.access).await.body;
        app.pass(5);
        let answer = change(&app, &account.access, json!({ "first_name": "  Ada " })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.body["first_name"], &answer.body["last_name"]), (&json!("Ada"), &json!("User")));
        assert!(answer.body["updated_at"].as_str() > before["updated_at"].as_str());
        let read_only = json!({
            "id": "7", "phone_verified": true, "email_verified": true, "created_at": "2000-01-01T00:00:00Z",
            "updated_at": "2000-01-01T00:00:00Z", "password": "another-one-7", "last_name": null, "unknown": [1],
        });
        let answer = change(&app, &account.access, read_only).await;
        let mut expected = before;
        expected["first_name"] = "Ada".into();
        expected["last_name"] = "".into();
        expected["updated_at"] = answer.body["updated_at"].clone();
        assert_eq!(answer.body, expected);
        assert_eq!(app.get_as("/api/users/me/", &account.access).await.body, expected);
        app.log_in(&account).await;
        let nothing = change(&app, &account.access, json!({})).await;
        assert_eq!((nothing.status, &nothing.body), (200, &expected));
        let same = change(&app, &account.access, json!({ "first_name": "Ada" })).await;
        assert_eq!((same.status, &same.body), (200, &expected), "not even its time is another");
        let noted = "SELECT CAST(count(*) AS text) FROM events WHERE kind = 'account.updated'";
        assert_eq!(app.sql_text(noted.to_owned()).await, "2");
    }

    async fn addresses_change_by_routes_of_their_own(app) {
        let account = app.register("+14152000001").await;
        let before = app.get_as("/api/users/me/", &account.access).await.body;
        for (field, value, word) in [
            ("email", json!("ada@example.com"), "/api/users/email/change/"),
            ("phone", json!("+14152000002"), "/api/users/phone/change/"),
            ("phone", json!(null), "/api/users/phone/change/"),
            ("first_name", json!(null), "null"),
            ("first_name", json!(" "), "name"),
            ("last_name", json!(7), "string"),
        ] {
            let mut body = json!({ "first_name": "Ada" });
            body[field] = value;
            let answer = change(&app, &account.access, body).await;
            answer.is(400, "validation_failed");
            let told = answer.body["errors"][field][0].as_str().unwrap();
            assert!(told.contains(word), "{told}");
        }
        assert_eq!(app.get_as("/api/users/me/", &account.access).await.body, before);
        app.call("PATCH", "/api/users/me/", Some(json!({})), None).await.is(401, "not_authenticated");
    }
}
