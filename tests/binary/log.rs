//! What the program says while it works: one line a request, and nothing that is anybody's secret.

use serde_json::{Value, json};
use support::{
    Answer, Provider, Wire,
    service::{Folder, Service},
};

use crate::production::{PASSWORD, PHONE, SECRET, TWILIO_TOKEN, production, start, with_token};

const EMAIL: &str = "Somebody.Quiet@example.com";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// Also what is not logged unless it is named.
const EVERYTHING: &str = "trace,actix_http=trace";

/// All that somebody may do, well and badly. Answers everything that must stay between him and the service.
async fn session(service: &Service, provider: Option<&Provider>) -> Vec<String> {
    let register = json!({ "email": EMAIL, "phone": PHONE, "first_name": "Quiet", "last_name": "Somebody",
                           "password": PASSWORD, "password_confirm": PASSWORD });
    let registered = service.post("/api/users/register/", register.to_string()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let mut tokens = vec![registered.body["tokens"].clone()];
    let access = tokens[0]["access"].as_str().unwrap().to_owned();
    service
        .post("/api/users/register/", register.to_string())
        .await
        .is(409, "email_taken");
    service
        .post(
            "/api/users/send-phone-otp/",
            json!({ "phone": PHONE }).to_string(),
        )
        .await;
    service
        .post(
            "/api/users/send-phone-otp/",
            json!({ "phone": PHONE }).to_string(),
        )
        .await
        .is(429, "resend_cooldown");
    let code = service.code(PHONE, provider).await;
    let wrong = if code == "730914" { "730915" } else { "730914" };
    for otp in [wrong, code.as_str(), code.as_str()] {
        service
            .post(
                "/api/users/verify-phone-otp/",
                json!({ "phone": PHONE, "otp": otp }).to_string(),
            )
            .await;
    }
    for login in [
        json!({ "email": EMAIL, "password": PASSWORD }),
        json!({ "phone": PHONE, "password": PASSWORD }),
        json!({ "email": EMAIL, "password": "not-the-right-password" }),
    ] {
        let answer = service.post("/api/users/login/", login.to_string()).await;
        tokens.extend(answer.body.get("tokens").cloned());
    }
    let me = with_token(service, "GET", "/api/users/me/", &access, json!({})).await;
    assert_eq!(me.body["phone_verified"], true, "{me:?}");
    let refreshed = service
        .post(
            "/api/users/token/refresh/",
            json!({ "refresh": tokens[0]["refresh"] }).to_string(),
        )
        .await;
    tokens.push(refreshed.body["tokens"].clone());
    // Where it doesn't belong: paths, queries, headers, bodies that are no JSON.
    service
        .get(&format!(
            "/api/users/{EMAIL}?phone={PHONE}&otp={code}&token={access}"
        ))
        .await
        .is(404, "not_found");
    service
        .get(&format!("/api/users/me/?access_token={access}"))
        .await
        .is(401, "not_authenticated");
    service
        .post(
            "/api/users/login/",
            format!("{{\"email\":\"{EMAIL}\",\"password\":\"{PASSWORD}\""),
        )
        .await
        .is(400, "malformed_json");
    let register =
        json!({ "email": format!("{EMAIL} "), "phone": format!("{PHONE}x"), "password": &PASSWORD[..7] });
    service
        .post("/api/users/register/", register.to_string())
        .await
        .is(400, "validation_failed");
    with_token(
        service,
        "GET",
        "/api/users/me/",
        &access[..access.len() - 1],
        json!({}),
    )
    .await
    .is(401, "token_invalid");
    with_token(
        service,
        "POST",
        "/api/users/send-phone-otp/",
        &access,
        json!({ "phone": "+14152007755" }),
    )
    .await;
    assert_eq!(
        with_token(service, "POST", "/api/users/logout/", &access, json!({}))
            .await
            .status,
        204
    );

    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let mut secrets = vec![
        code,
        wrong.to_owned(),
        PASSWORD.to_owned(),
        "not-the-right".to_owned(),
        TWILIO_TOKEN.to_owned(),
        SECRET.to_owned(),
    ];
    secrets.extend(["somebody.quiet", "Somebody", "4152007754", "4152007755"].map(str::to_owned));
    for pair in tokens {
        secrets.push(signature(pair["access"].as_str().unwrap()));
        secrets.push(pair["access"].as_str().unwrap()[40..120].to_owned());
        secrets.push(pair["refresh"].as_str().unwrap().to_owned());
    }
    secrets
}

fn holds_none(said: &str, secrets: &[String]) {
    assert!(!said.is_empty() && !secrets.is_empty());
    for line in said.lines() {
        let folded = line.to_lowercase();
        for secret in secrets.iter().map(|secret| secret.to_lowercase()) {
            // A code's six digits may stand in any number: as a word they don't.
            let found = match secret.len() {
                6 => folded
                    .split(|character: char| !character.is_alphanumeric())
                    .any(|word| word == secret),
                _ => folded.contains(&secret),
            };
            assert!(!found, "{secret} in {line}");
        }
    }
}

/// Ends it, and answers all that it said.
fn end(service: Service) -> String {
    service.signal("TERM");
    let (code, _, said) = service.end();
    assert_eq!(code, 0, "{said}");
    said
}

#[actix_web::test]
async fn production_writes_one_json_line_a_request() {
    let folder = Folder::new();
    let (variables, _provider) = production("info").await;
    let service = start(&folder, &variables);
    let requests = [
        ("GET", "/healthz", "/healthz", 200),
        ("GET", "/api/users/me/", "/api/users/me", 401),
        ("GET", "/dev/inbox/", "/dev/inbox", 404),
        ("GET", "/dev/inbox.json", "/dev/inbox.json", 404),
        ("DELETE", "/api/users/login/", "/api/users/login", 405),
        ("GET", "/somebody@example.com", "unmatched", 404),
    ];
    for (nth, (method, path, _, status)) in requests.iter().enumerate() {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = service
            .client
            .request(method, format!("{}{path}", service.address));
        let request = request
            .header("x-request-id", format!("log-{nth}"))
            .header("traceparent", TRACEPARENT);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, *status, "{path}: {answer:?}");
    }
    let said = end(service);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    for (nth, (method, path, route, status)) in requests.iter().enumerate() {
        let id = format!("log-{nth}");
        let about: Vec<_> = lines.iter().filter(|line| line["request.id"] == id).collect();
        assert_eq!(about.len(), 1, "{path}: {said}");
        let line = about[0];
        assert_eq!(
            (&line["http.route"], &line["http.status"]),
            (&json!(route), &json!(status)),
            "{line}"
        );
        assert_eq!(line["client.network"], "127.0.0.1", "{line}");
        assert_eq!(line["traceparent"], TRACEPARENT, "{line}");
        let code = match status {
            401 => json!("not_authenticated"),
            404 => json!("not_found"),
            405 => json!("method_not_allowed"),
            _ => Value::Null,
        };
        assert_eq!(line["error.code"], code, "{line}");
        assert_eq!(
            (&line["level"], &line["http.method"]),
            (&json!("INFO"), &json!(method)),
            "{line}"
        );
        assert!(
            line["duration_us"].as_u64().is_some() && line["timestamp"].is_string(),
            "{line}"
        );
    }
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

/// What the console refuses is told as what the API refuses, though people see a page.
#[actix_web::test]
async fn the_console_says_in_the_log_why_it_refused() {
    let folder = Folder::new();
    let mut service = Service::start(&folder, &[]);
    let admin = service.wait_for("its console", |said| {
        let (_, rest) = said.split_once("  Admin    ")?;
        Some(rest.split("/admin/").next()?.to_owned())
    });
    for path in ["/admin/users/", "/admin/nothing/"] {
        Answer::of(service.client.get(format!("{admin}{path}"))).await;
    }
    let said = end(service);
    for (route, status, code) in [
        ("/admin/users", 303, "not_authenticated"),
        ("unmatched", 404, "not_found"),
    ] {
        let parts = [
            format!("http.route=\"{route}\""),
            format!("http.status={status}"),
            format!("error.code=\"{code}\""),
        ];
        let is_told = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(said.lines().any(is_told), "{route}: {said}");
    }
}

/// An outsider can't fill the log with errors by connections that don't speak HTTP.
#[actix_web::test]
async fn a_connection_that_is_no_http_is_no_error_unless_asked_for() {
    for (log, told) in [("info", false), ("trace", false), ("info,actix_http=error", true)] {
        let folder = Folder::new();
        let service = Service::start(&folder, &[("RINGBACK__TELEMETRY__LOG", log)]);
        for nonsense in [
            "nonsense\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "\x16\x03\x01\x02\r\n\r\n",
        ] {
            let mut wire = Wire::open(&service.address).await;
            wire.say(nonsense).await;
            assert_eq!(wire.answer().await.status, 400);
            assert!(wire.is_closed().await);
        }
        let said = end(service);
        assert_eq!(said.contains("stream error"), told, "{log}: {said}");
        assert_eq!(said.contains("ERROR"), told, "{log}: {said}");
    }
}

#[actix_web::test]
async fn a_session_in_production_leaves_no_secret_in_the_log() {
    let folder = Folder::new();
    let (variables, provider) = production(EVERYTHING).await;
    let service = start(&folder, &variables);
    let secrets = session(&service, Some(&provider)).await;
    assert_eq!(provider.messages().len(), 1);
    let said = end(service);
    assert!(said.lines().count() > 20, "{said}");
    let refused = said.lines().filter(|line| line.contains("\"http.status\":429"));
    let rules: Vec<_> = refused
        .map(|line| line.contains("\"limits.rule\":\"otp-resend-cooldown\""))
        .collect();
    assert_eq!(rules, [true], "a refusal's line names its rule: {said}");
    assert!(
        !said.contains("decoy"),
        "which address has an account is not told: {said}"
    );
    holds_none(&said, &secrets);
}

#[actix_web::test]
async fn a_session_in_development_leaves_no_secret_in_the_log() {
    let folder = Folder::new();
    let mut service = Service::start(&folder, &[("RINGBACK__TELEMETRY__LOG", EVERYTHING)]);
    let metrics = service.wait_for("the metrics' address", |said| {
        let line = said.lines().find(|line| line.contains("Metrics"))?;
        Some(line.split_whitespace().nth(1)?.to_owned())
    });
    let mut secrets = session(&service, None).await;
    secrets.push(
        std::fs::read_to_string(folder.path().join("data/secret"))
            .unwrap()
            .trim()
            .to_owned(),
    );
    let metrics = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("ringback_http_requests_total"), "{metrics}");
    holds_none(&metrics, &secrets);
    let why = "no message goes out (decoy): it is not the phone of the account whose token came along";
    assert!(service.said().contains(why), "{}", service.said());
    let said = end(service);
    assert!(said.contains("/api/users/verify-phone-otp"), "{said}");
    assert!(!said.contains('\u{1b}'), "colours are for terminals: {said}");
    holds_none(&said, &secrets);
}

/// The lines with this message.
fn lines(said: &str, message: &str) -> Vec<Value> {
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[actix_web::test]
async fn a_request_of_a_user_and_a_failed_login_can_be_told() {
    let folder = Folder::new();
    let (variables, _provider) = production("info").await;
    let service = start(&folder, &variables);
    let registration = json!({
        "email": EMAIL, "phone": PHONE, "first_name": "A", "last_name": "B",
        "password": PASSWORD, "password_confirm": PASSWORD,
    });
    let registered = service
        .post("/api/users/register/", registration.to_string())
        .await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let access = registered.body["tokens"]["access"].as_str().unwrap();
    let me = with_token(&service, "GET", "/api/users/me/", access, json!({})).await;
    assert_eq!(me.status, 200, "{me:?}");
    for (email, times) in [(EMAIL, 2), ("another@example.com", 1)] {
        for _ in 0..times {
            let login = json!({ "email": email, "password": "a-wrong-password" });
            assert_eq!(
                service.post("/api/users/login/", login.to_string()).await.status,
                401
            );
        }
    }
    let said = end(service);
    let requests = lines(&said, "request");
    let of = |route: &str| requests.iter().find(|line| line["http.route"] == route).unwrap();
    assert_eq!(
        of("/api/users/me")["user.id"],
        registered.body["user"]["id"],
        "{said}"
    );
    assert_eq!(of("/api/users/login")["user.id"], Value::Null);
    let failed = lines(&said, "auth.login.failed");
    let digests: Vec<&str> = failed
        .iter()
        .map(|line| line["login.digest"].as_str().unwrap())
        .collect();
    assert_eq!(digests.len(), 3, "{said}");
    assert!(
        digests[0] == digests[1] && digests[1] != digests[2],
        "{digests:?}"
    );
    for line in &failed {
        assert_eq!(
            (&line["target"], &line["client.network"]),
            (&json!("ringback::security"), &json!("127.0.0.1"))
        );
    }
    holds_none(
        &said,
        &[EMAIL.to_lowercase(), PHONE[1..].to_owned(), PASSWORD.to_owned()],
    );
}
