//! Signals: an end in order, and a reload.

use std::time::Duration;

use serde_json::json;

use support::{
    Wire,
    service::{FREE_PORTS, Folder, Service},
};

const LOGIN: &str = r#"{ "email": "nobody@example.com", "password": "securepass123" }"#;

/// The head of a login that announces its body; the service says when it is ready for it.
fn announced() -> String {
    format!(
        "POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        LOGIN.len()
    )
}

/// Ends it while one connection is idle, one has said nothing yet, and one request is in flight.
async fn ends_in_order(signal: &str) {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    let mut idle = Wire::open(&service.address).await;
    idle.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    let mut silent = Wire::open(&service.address).await;
    let mut in_flight = Wire::open(&service.address).await;
    in_flight.say(announced()).await;
    assert_eq!(
        in_flight.answer().await.status,
        100,
        "the service waits for the body"
    );

    service.signal(signal);
    // Nobody new is let in.
    let address = service.address.trim_start_matches("http://").to_owned();
    let mut refused = false;
    for _ in 0..500 {
        refused = tokio::net::TcpStream::connect(&address).await.is_err();
        if refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused, "still listening: {}", service.said());
    in_flight.say(LOGIN).await;
    in_flight.answer().await.is(401, "invalid_credentials");
    let (code, took, said) = service.end();
    assert_eq!(code, 0, "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}: {said}");
    assert!(said.contains("stopped"), "{said}");
    assert!(idle.is_closed().await && silent.is_closed().await && in_flight.is_closed().await);
}

#[actix_web::test]
async fn sigterm_ends_it_in_order() {
    ends_in_order("TERM").await;
}

#[actix_web::test]
async fn sigint_ends_it_in_order() {
    ends_in_order("INT").await;
}

#[actix_web::test]
async fn an_idle_service_ends_at_once() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    service.signal("TERM");
    let (code, took, said) = service.end();
    assert_eq!(code, 0, "{said}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[actix_web::test]
async fn what_does_not_end_is_cut_off_after_its_time() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[("RINGBACK__SERVER__SHUTDOWN_TIMEOUT", "1s")]);
    let mut stuck = Wire::open(&service.address).await;
    stuck.say(announced()).await;
    assert_eq!(stuck.answer().await.status, 100);
    service.signal("TERM");
    let (code, took, said) = service.end();
    assert_eq!(code, 0, "{said}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[actix_web::test]
async fn sighup_reloads_and_ends_nothing() {
    let folder = Folder::new();
    let limits = folder.write("limits.toml", "");
    let variables = [("RINGBACK__LIMITS__FILE", limits.to_str().unwrap())];
    let mut service = Service::start(&folder, &variables);
    service
        .post("/api/users/login/", LOGIN)
        .await
        .is(401, "invalid_credentials");
    folder.write(
        "limits.toml",
        "[[rule]]\nid = 'one'\non = 'login'\nby = 'ip'\nquota = 1\nper = '1h'\n",
    );
    service.signal("HUP");
    let mut answers = Vec::new();
    for _ in 0..500 {
        answers.push(service.post("/api/users/login/", LOGIN).await.status);
        if answers.ends_with(&[429]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(answers.ends_with(&[429]), "{answers:?}");
    // A faulty file changes nothing, and the log says what is wrong.
    folder.write("limits.toml", "[[rule]]\nid = 'two'\non = 'dancing'\n");
    service.signal("HUP");
    service.wait_for("a word on the fault", |said| {
        said.contains("dancing").then_some(())
    });
    service
        .post("/api/users/login/", LOGIN)
        .await
        .is(429, "rate_limited");
    let ready = service.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["down"]), (200, &json!([])));
    service.signal("TERM");
    assert_eq!(service.end().0, 0);
}

/// Whoever supervises it may be quick: a signal before it serves is an end in order, too.
#[test]
fn a_signal_during_the_start_is_an_end_in_order() {
    let folder = Folder::new();
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://nobody@{closed}/nothing");
    for signal in ["TERM", "INT"] {
        let variables = [&FREE_PORTS[..], &[("DATABASE_URL", url.as_str())]].concat();
        let mut service = Service::launch(folder.command(&["serve"], &variables));
        service.wait_for("a word on the database", |said| {
            said.contains("a part of the service is down").then_some(())
        });
        service.signal("HUP");
        service.signal(signal);
        let (code, took, said) = service.end();
        assert_eq!(code, 0, "{said}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
