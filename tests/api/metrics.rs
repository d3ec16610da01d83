//! What monitoring finds at `/metrics`: described, in the form that Prometheus asks for, and there from the start.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{Backends, TestApp, wrong};

async fn metrics(app: &TestApp) -> String {
    let answer = app.client.get(format!("{}/metrics", app.ops)).send().await;
    answer.unwrap().text().await.unwrap()
}

/// Prometheus' own look at it.
fn promtool_accepts(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: scripts/test installs it");
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let said = promtool.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && text.is_empty(), "{text}");
}

#[actix_web::test]
async fn what_alerts_look_at_is_there_before_anything_happens() {
    let app = TestApp::start(Backends::Servers).await;
    app.limit("[[rule]]\nid='start'\non='me'\nby='ip'\nquota=5\nper='1h'\n")
        .await;
    let text = metrics(&app).await;
    for series in [
        "ringback_otp_verdicts_total{purpose=\"sign_in\",verdict=\"wrong\"}",
        "ringback_otp_issued_total{purpose=\"verify_phone\",kind=\"decoy\"}",
        "ringback_deliveries_total{provider=\"twilio\",channel=\"sms\",outcome=\"failed\"}",
        "ringback_sms_receipts_total{provider=\"twilio\",status=\"undelivered\"}",
        "ringback_delivery_breaker_state{provider=\"twilio\",channel=\"sms\"}",
        "ringback_delivery_reports_dropped_total",
        "ringback_ledger_dropped_total{reason=\"full\"}",
        "ringback_limiter_decisions_total{rule=\"start\",outcome=\"refused\"}",
        "ringback_limiter_local_total{rule=\"start\"}",
        "ringback_limits_file_faulty",
        "ringback_limits_prices_faulty",
        "ringback_actor_restarts_total{actor=",
        "ringback_http_requests_total{method=\"POST\",route=\"/api/users/login\",status=\"500\"} 0",
        "ringback_http_requests_total{method=\"POST\",route=\"/api/users/send-phone-otp\",status=\"503\"}",
        "ringback_http_requests_total{method=\"other\",route=\"unparsed\",status=\"431\"}",
        concat!(
            "ringback_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_start_time_seconds",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(series)),
            "no {series} in {text}"
        );
    }
}

#[actix_web::test]
async fn prometheus_has_nothing_to_say_against_them() {
    let app = TestApp::start(Backends::Servers).await;
    app.limit("[[rule]]\nid='seen'\non='me'\nby='ip'\nquota=1\nper='1h'\nscope='instance'\n")
        .await;
    let account = app.register("+14152000001").await;
    let code = app.code("+14152000001", None).await;
    app.verify("+14152000001", &wrong(&code), None)
        .await
        .is(400, "otp_invalid");
    assert_eq!(app.verify("+14152000001", &code, None).await.status, 200);
    app.get_as("/api/users/me/", &account.access).await;
    app.get_as("/api/users/me/", &account.access)
        .await
        .is(429, "rate_limited");
    let text = metrics(&app).await;
    promtool_accepts(&text);
    let named = |line: &str, mark: &str| {
        let name = line.strip_prefix(mark)?.split(' ').next()?;
        Some(name.to_owned())
    };
    let described: Vec<String> = text.lines().filter_map(|line| named(line, "# HELP ")).collect();
    let typed: Vec<String> = text.lines().filter_map(|line| named(line, "# TYPE ")).collect();
    assert!(typed.len() > 30, "{typed:?}");
    for name in &typed {
        assert!(described.contains(name), "{name} is not described");
    }
    // What labels say is spelled in one way.
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else {
            continue;
        };
        for label in rest.split_once('}').unwrap().0.split("\",") {
            let (name, value) = label.split_once("=\"").unwrap();
            // Rules have the names that an operator gave them, routes those of the document.
            if !["rule", "route", "le"].contains(&name) {
                values.insert(value.trim_end_matches('"').to_owned(), line.to_owned());
            }
        }
    }
    assert!(values.len() > 20, "{values:?}");
    for (value, line) in values {
        assert!(!value.contains('-'), "words are joined by _: {line}");
    }
}

#[test]
#[should_panic(expected = "no help text")]
fn what_is_not_described_is_found() {
    promtool_accepts("# TYPE ringback_x_total counter\nringback_x_total 1\n");
}
