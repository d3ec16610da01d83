//! Commands on a database that is not there, has no tables or old ones, or does not answer.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use support::{
    Proxy,
    service::{Folder, Service},
};

use crate::production::database;

/// What only reads or changes accounts.
const ON_ACCOUNTS: [&[&str]; 7] = [
    &["users", "find"],
    &["users", "show", "jane@example.com"],
    &["users", "lock", "jane@example.com"],
    &["users", "export"],
    &["admin", "list"],
    &["admin", "grant", "jane@example.com", "--role", "admin"],
    &["events", "tail"],
];
const WEBHOOK: (&str, &str) = (
    "RINGBACK__EVENTS__WEBHOOK",
    r#"[{ name = "crm", url = "http://127.0.0.1:9/", secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]"#,
);

fn user(n: u32) -> String {
    json!({ "email": format!("user{n}@example.com"), "phone": format!("+1415{n:07}"), "first_name": "Ada" })
        .to_string()
}

#[test]
fn a_command_makes_no_database_and_says_which_one_it_is_about() {
    let folder = Folder::new();
    let replay: &[&str] = &["events", "replay", "--since", "1h"];
    for command in ON_ACCOUNTS.iter().chain([&replay]) {
        let (code, out, err) = folder.run(command, &[WEBHOOK]);
        assert_eq!((code, out.as_str()), (1, ""), "{command:?}: {err}");
        let lines: Vec<_> = err.lines().collect();
        let file = folder.path().join("data/ringback.db").display().to_string();
        assert_eq!(lines.len(), 2, "{err}");
        assert!(lines[0].contains("not set: this is about sqlite:///"), "{err}");
        assert!(lines[0].contains(&file), "{err}");
        assert!(
            lines[1].contains("there is no such database") && lines[1].contains(&file),
            "{err}"
        );
    }
    for command in ON_ACCOUNTS {
        let (code, _, err) = folder.run(command, &[("DATABASE_URL", "sqlite://other.db")]);
        assert_eq!((code, err.lines().count()), (1, 1), "{err}");
        assert!(
            err.contains("there is no such database") && err.contains("other.db"),
            "{err}"
        );
    }
    assert!(!folder.path().join("data").exists() && !folder.path().join("other.db").exists());

    let file = folder.write("users.jsonl", &user(1));
    let (code, _, err) = folder.run(&["users", "import", file.to_str().unwrap()], &[]);
    assert!(
        code == 0 && err.contains("not set: this is about sqlite:///"),
        "{err}"
    );
    let (code, out, err) = folder.run(&["users", "find"], &[]);
    assert!(code == 0 && out.contains("user1@example.com"), "{out}{err}");
    let (_, _, err) = folder.run(
        &["users", "find"],
        &[("DATABASE_URL", "sqlite://data/ringback.db")],
    );
    assert_eq!(err, "1 found.\n");
}

#[actix_web::test]
async fn a_command_that_reads_migrates_nothing() {
    let (folder, url) = (Folder::new(), database().await);
    let variables = [("DATABASE_URL", url.as_str())];
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for command in ON_ACCOUNTS {
        let (code, out, err) = folder.run(command, &variables);
        assert_eq!((code, out.as_str()), (1, ""), "{command:?}: {err}");
        assert!(err.contains("no tables yet: run `ringback migrate`"), "{err}");
    }
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let count: i64 = sqlx::query_scalar(tables)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 0);

    assert_eq!(folder.run(&["migrate"], &variables).0, 0);
    assert_eq!(folder.run(&["users", "find"], &variables).0, 0);
    let newest = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    connection.execute(newest).await.unwrap();
    for command in ON_ACCOUNTS {
        let (code, out, err) = folder.run(command, &variables);
        assert_eq!((code, out.as_str()), (1, ""), "{command:?}: {err}");
        assert!(
            err.contains("older than this version of the program") && err.contains("Run `ringback migrate`"),
            "{err}"
        );
    }
}

/// A server that hangs takes connections, and says nothing on them.
#[actix_web::test]
async fn a_database_that_hangs_is_given_up_in_time() {
    let folder = Folder::new();
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/nothing", hanging.local_addr().unwrap());
    let file = folder.write("users.jsonl", &user(1));
    let of_itself: [&[&str]; 2] = [&["migrate"], &["users", "import", file.to_str().unwrap()]];
    let mut service = Service::launch(
        folder.command(
            &["serve"],
            &[
                &support::service::FREE_PORTS[..],
                &[("DATABASE_URL", url.as_str())],
            ]
            .concat(),
        ),
    );
    let from_django: &[&str] = &["users", "import", "--from-django", &url];
    let is_given_up = |command: &[&str], variables: &[(&str, &str)]| {
        let began = Instant::now();
        let (code, _, err) = folder.run(command, variables);
        assert_eq!(code, 1, "{command:?}: {err}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(30), "{command:?}: {took:?}");
        let last = err.lines().last().unwrap_or_default();
        assert!(last.contains("answer"), "{command:?}: {err}");
    };
    std::thread::scope(|scope| {
        let (is_given_up, url) = (&is_given_up, url.as_str());
        for command in ON_ACCOUNTS.into_iter().chain(of_itself) {
            scope.spawn(move || is_given_up(command, &[("DATABASE_URL", url)]));
        }
        scope.spawn(move || is_given_up(from_django, &[]));
        service.wait_for("word of the wait", |said| {
            said.contains("waiting for the database").then_some(())
        });
    });
    assert_eq!(service.end().0, 1);
}

async fn until<T>(tail: &Service, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = find(&tail.said()) {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "no {what}: {}",
            tail.said()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn a_tail_goes_on_when_the_database_is_back_and_misses_nothing() {
    let (folder, url) = (Folder::new(), database().await);
    let direct = [("DATABASE_URL", url.as_str())];
    assert_eq!(folder.run(&["migrate"], &direct).0, 0);
    let mut way = url::Url::parse(&url).unwrap();
    let server = format!("{}:{}", way.host_str().unwrap(), way.port().unwrap_or(5432));
    let proxy = Proxy::start(&server).await;
    way.set_host(Some("127.0.0.1")).unwrap();
    way.set_port(Some(proxy.address.port())).unwrap();
    let import = |n: u32| {
        let file = folder.write("users.jsonl", &user(n));
        let (code, _, err) = folder.run(&["users", "import", file.to_str().unwrap()], &direct);
        assert_eq!(code, 0, "{err}");
    };
    let arguments = ["events", "tail", "-n", "0", "-f", "--kind", "account.imported"];
    let tail = Service::launch(folder.command(&arguments, &[("DATABASE_URL", way.as_str())]));
    let shown = |said: &str| said.lines().filter(|line| line.starts_with('{')).count();
    let is_waiting =
        |times: usize| move |said: &str| (said.matches("waiting for it").count() == times).then_some(());
    // It has begun once it has noted that it reads.
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let noted = "SELECT count(*) FROM events WHERE kind = 'events.read'";
    while sqlx::query_scalar::<_, i64>(noted)
        .fetch_one(&mut connection)
        .await
        .unwrap()
        == 0
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    import(1);
    until(&tail, "first event", |said| (shown(said) == 1).then_some(())).await;
    proxy.hang();
    import(2);
    until(&tail, "word of the wait", is_waiting(1)).await;
    proxy.come_back();
    until(&tail, "second event", |said| (shown(said) == 2).then_some(())).await;
    proxy.go_away();
    import(3);
    until(&tail, "word of the second wait", is_waiting(2)).await;
    proxy.come_back();
    import(4);
    until(&tail, "fourth event", |said| (shown(said) >= 4).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let said = tail.said();
    let mut ids: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| event["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4, "{said}");
    ids.dedup();
    assert_eq!(ids.len(), 4, "{said}");
    assert_eq!(said.matches("answers again").count(), 2, "{said}");
}

#[actix_web::test]
async fn who_registered_was_signed_in_by_that_and_a_new_webhook_is_told_apart() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["migrate"], &[]).0, 0);
    let replay = ["events", "replay", "--since", "1h"];
    let (code, out, err) = folder.run(&replay, &[WEBHOOK]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("crm: not known in this database yet"), "{err}");

    for long_ago in ["2500000d", "4294967295d"] {
        let (code, _, err) = folder.run(&["events", "replay", "--since", long_ago], &[WEBHOOK]);
        assert!(code == 2 && err.contains("--since: a time such as"), "{err}");
    }

    let service = Service::start(&folder, &[WEBHOOK]);
    let register = json!({ "email": "jane@example.com", "phone": "+14152000001", "first_name": "Jane",
                           "password": "correct-horse-battery", "password_confirm": "correct-horse-battery" });
    let made = service.post("/api/users/register/", register.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (code, out, err) = folder.run(&["users", "show", "jane@example.com"], &[]);
    let last = out
        .lines()
        .find(|line| line.starts_with("last sign-in"))
        .unwrap_or_default();
    assert!(code == 0 && last.ends_with("Z (at registration)"), "{out}{err}");
    let (code, _, err) = folder.run(&["admin", "grant", "jane@example.com", "--role", "admin"], &[]);
    assert!(code == 1 && err.contains("isn't proven"), "{err}");
    let began = Instant::now();
    let (code, out, err) = loop {
        let answer = folder.run(&replay, &[WEBHOOK]);
        if answer.0 == 0 || began.elapsed() > Duration::from_secs(20) {
            break answer;
        }
    };
    assert!(code == 0 && out.contains("events go out once more"), "{out}{err}");
}
