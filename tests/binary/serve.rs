//! The main job: one command in an empty folder, and the seed's own calls.

use std::{net::TcpListener, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::production::production;
use support::{
    Answer,
    service::{FREE_PORTS, Folder, Service},
};

/// As they stand in the seed.
const REGISTER: &str = r#"{
    "email": "test@example.com",
    "phone": "+1234567890",
    "first_name": "Test",
    "last_name": "User",
    "password": "securepass123",
    "password_confirm": "securepass123"
  }"#;
const SEND: &str = r#"{
    "phone": "+1234567890"
  }"#;
const VERIFY: &str = r#"{
    "phone": "+1234567890",
    "otp": "123456"
  }"#;

async fn me(service: &Service, token: &Value) -> Answer {
    let request = service.client.get(format!("{}/api/users/me/", service.address));
    let request = request.bearer_auth(token.as_str().unwrap());
    Answer::of(request.header("content-type", "application/json")).await
}

/// The address that the start names under this heading.
fn told(said: &str, heading: &str) -> String {
    let line = said.lines().find(|line| line.trim_start().starts_with(heading));
    let line = line.unwrap_or_else(|| panic!("no {heading} in {said}"));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[actix_web::test]
async fn the_bare_default_says_where_everything_is() {
    let folder = Folder::new();
    // Without a command it serves.
    let mut service = Service::spawn(folder.command(&[], &FREE_PORTS));
    let said = service.wait_for("last line", |said| {
        said.contains("REDIS_URL").then(|| said.to_owned())
    });
    // Whatever is named opens in a browser.
    for heading in ["Start", "API", "Docs", "Inbox", "Metrics", "Admin"] {
        let url = told(&said, heading);
        assert_eq!(reqwest::get(&url).await.unwrap().status(), 200, "{url}");
    }
    let named = said.matches("http://").count();
    assert_eq!(named, 6, "all that is named was asked for: {said}");
    assert_eq!(service.get("/healthz").await.status, 200);
    let ready = service.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["status"]), (200, &json!("ready")));
    assert!(
        !said.to_lowercase().contains("error") && !said.contains("WARN"),
        "{said}"
    );
}

#[actix_web::test]
async fn a_page_that_is_left_out_is_not_named() {
    let folder = Folder::new();
    let without = [
        ("RINGBACK__SERVER__DOCS", "false"),
        ("RINGBACK__SERVER__START_PAGE", "false"),
    ];
    let mut service = Service::start(&folder, &without);
    let said = service.wait_for("last line", |said| {
        said.contains("REDIS_URL").then(|| said.to_owned())
    });
    assert!(!said.contains("/docs/") && !said.contains("Start"), "{said}");
    assert_eq!(service.get("/docs/").await.status, 404);
}

#[actix_web::test]
async fn the_seeds_four_calls_work_verbatim() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    let registered = service.post("/api/users/register/", REGISTER).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let token = &registered.body["tokens"]["access"];
    assert_eq!(me(&service, token).await.body["phone_verified"], false);

    let sent = service.post("/api/users/send-phone-otp/", SEND).await;
    assert_eq!(
        (sent.status, sent.text("phone")),
        (200, "+1234567890"),
        "{sent:?}"
    );
    assert_eq!(
        (&sent.body["expires_in"], &sent.body["resend_after"]),
        (&json!(600), &json!(60))
    );
    let code = service.code("+1234567890", None).await;
    // Not the digits of the phone, which are the same.
    let wrong = VERIFY.replace("\"123456\"", &format!("\"{}\"", support::wrong(&code)));
    let wrong = service.post("/api/users/verify-phone-otp/", wrong).await;
    assert_eq!((wrong.status, wrong.code()), (400, "otp_invalid"));
    let right = VERIFY.replace("\"123456\"", &format!("\"{code}\""));
    let verified = service.post("/api/users/verify-phone-otp/", right).await;
    assert_eq!(
        (verified.status, &verified.body["phone_verified"]),
        (200, &json!(true)),
        "{verified:?}"
    );
    let user = me(&service, token).await;
    assert_eq!(
        (user.status, &user.body["phone_verified"]),
        (200, &json!(true)),
        "{user:?}"
    );
    assert_eq!(user.body["email"], "test@example.com");
}

#[actix_web::test]
async fn what_is_kept_in_the_data_folder_outlives_a_restart() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    let registered = service.post("/api/users/register/", REGISTER).await;
    let secret = folder.path().join("data/secret");
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&secret).unwrap();
    service.signal("TERM");
    assert_eq!(service.end().0, 0);

    let service = Service::start(&folder, &[]);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), before);
    assert_eq!(
        me(&service, &registered.body["tokens"]["access"]).await.status,
        200
    );
    service
        .post("/api/users/register/", REGISTER)
        .await
        .is(409, "email_taken");

    let other = Folder::new();
    let stranger = Service::start(&other, &[]);
    let secret = std::fs::read_to_string(other.path().join("data/secret")).unwrap();
    assert_ne!(secret, before, "each installation has its own");
    me(&stranger, &registered.body["tokens"]["access"])
        .await
        .is(401, "token_invalid");
}

/// OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two passes and one lane at least.
#[actix_web::test]
async fn passwords_cost_what_owasp_advises() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    assert_eq!(service.post("/api/users/register/", REGISTER).await.status, 201);
    let file = folder.path().join("data/ringback.db");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let hash: String = sqlx::query_scalar("SELECT password_hash FROM users")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let login = json!({ "email": "test@example.com", "password": "securepass123" });
    assert_eq!(
        service.post("/api/users/login/", login.to_string()).await.status,
        200
    );
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [FREE_PORTS[1], ("RINGBACK__SERVER__BIND", address.as_str())];
    let (code, out, err) = folder.run(&["serve"], &variables);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    for part in ["server.bind", &address, "in use"] {
        assert!(err.contains(part), "{err}");
    }
}

/// A second instance on a laptop goes on without its metrics.
#[actix_web::test]
async fn a_taken_port_for_metrics_is_no_end_in_development() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [FREE_PORTS[0], ("RINGBACK__SERVER__OPS_BIND", address.as_str())];
    let service = Service::spawn(folder.command(&["serve"], &variables));
    assert_eq!(service.get("/healthz").await.status, 200);
    assert!(!service.said().contains("Metrics  http"), "{}", service.said());
}

#[test]
fn migrate_brings_the_tables_up_to_date_and_ends() {
    let folder = Folder::new();
    for _ in 0..2 {
        let (code, out, err) = folder.run(&["migrate"], &[]);
        assert_eq!((code, out.as_str()), (0, "The database is up to date.\n"));
        assert!(
            err.contains("this is about sqlite:///") && err.lines().count() == 1,
            "{err}"
        );
    }
    assert!(folder.path().join("data/ringback.db").exists());
    let (code, _, err) = folder.run(&["migrate"], &[("DATABASE_URL", "mysql://x")]);
    assert_eq!(code, 78);
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// As on a bare machine: what is missing is said, and nothing else.
#[actix_web::test]
async fn without_an_authority_to_trust_it_says_what_to_install() {
    let folder = Folder::new();
    let (variables, _provider) = production("info").await;
    let nothing = folder.write("nothing.pem", "");
    let nothing = nothing.to_str().unwrap();
    let mut variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    variables.extend([("SSL_CERT_FILE", nothing), ("SSL_CERT_DIR", "")]);
    variables.extend(FREE_PORTS);
    for command in ["serve", "healthcheck"] {
        let (code, out, err) = folder.run(&[command], &variables);
        assert_ne!(code, 0, "{command}");
        assert!(err.contains("ca-certificates"), "{command}: {out}{err}");
        assert!(!err.contains("panicked"), "{command}: {err}");
    }
}
