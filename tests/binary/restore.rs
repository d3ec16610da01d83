//! A backup of the database is enough to go on from, as docs/operations.md says it.

use std::process::Command;

use serde_json::json;
use support::{Answer, service::Folder};

use crate::production::{PASSWORD, PHONE, database, production, start, with_token};

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[actix_web::test]
async fn from_a_backup_everybody_goes_on() {
    let (folder, email) = (Folder::new(), "saved@example.com");
    let (mut variables, provider) = production("info").await;
    let service = start(&folder, &variables);
    let register = json!({ "email": email, "phone": PHONE, "first_name": "Ada", "password": PASSWORD,
                           "password_confirm": PASSWORD });
    let made = service.post("/api/users/register/", register.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let send = json!({ "phone": PHONE }).to_string();
    assert_eq!(service.post("/api/users/send-phone-otp/", send).await.status, 200);
    let otp = service.code(PHONE, Some(&provider)).await;
    let verify = json!({ "phone": PHONE, "otp": otp }).to_string();
    assert_eq!(
        service.post("/api/users/verify-phone-otp/", verify).await.status,
        200
    );

    let dump = folder.path().join("ringback.dump");
    let dump = dump.to_str().unwrap();
    let saved = variables["DATABASE_URL"].clone();
    run("pg_dump", &["--format=custom", &format!("--file={dump}"), &saved]);
    drop(service);

    // Another database, and a Redis that has lost everything.
    let restored = database().await;
    run(
        "pg_restore",
        &[
            "--no-owner",
            "--exit-on-error",
            &format!("--dbname={restored}"),
            dump,
        ],
    );
    variables.insert("DATABASE_URL", restored);
    variables.insert("RINGBACK__REDIS__PREFIX", "restored".to_owned());
    let service = start(&folder, &variables);
    let tokens = &made.body["tokens"];
    let access = tokens["access"].as_str().unwrap();
    let me = with_token(&service, "GET", "/api/users/me/", access, json!({})).await;
    assert_eq!(
        (me.status, &me.body["phone_verified"]),
        (200, &json!(true)),
        "{me:?}"
    );
    let goes_on = async |path: &str, body: serde_json::Value| -> Answer {
        let answer = service.post(path, body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    goes_on(
        "/api/users/token/refresh/",
        json!({ "refresh": tokens["refresh"] }),
    )
    .await;
    goes_on(
        "/api/users/login/",
        json!({ "phone": PHONE, "password": PASSWORD }),
    )
    .await;
}
