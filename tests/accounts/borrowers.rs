//! Connections that are lent for one call: what a call costs, and what becomes of one that was left in the middle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ringback::{accounts::Login, database::PoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::harness::{OPTIONS, Store, at, new_session, new_user, session_ended, with_postgres_url};

/// One connection for all calls that don't travel with others.
const ONE: PoolOptions = PoolOptions {
    max_connections: 4,
    ..OPTIONS
};

/// Counts what goes to a server: what a client writes at once is one message here, as nothing is as large as the buffer.
async fn counted(url: &str, written: Arc<AtomicUsize>) -> String {
    let mut through = url::Url::parse(url).unwrap();
    let server = (through.host_str().unwrap().to_owned(), through.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    through
        .set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, written) = (
                TcpStream::connect(server.clone()).await.unwrap(),
                Arc::clone(&written),
            );
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    written.fetch_add(1, Ordering::Relaxed);
                    to_server.write_all(&buffer[..read]).await.unwrap();
                }
            });
        }
    });
    through.to_string()
}

#[test]
fn a_call_is_one_round_trip() {
    with_postgres_url(|url| async move {
        let written = Arc::new(AtomicUsize::new(0));
        let store = Store::open(&counted(&url, Arc::clone(&written)).await, ONE).unwrap();
        store.database.migrate().await.unwrap();
        let nobody = Login::Email(new_user("user@example.com", "+14152000001").email);
        // The first prepares.
        store.networks.known(&nobody, at(0)).await.unwrap();
        written.store(0, Ordering::Relaxed);
        for _ in 0..100 {
            store.networks.known(&nobody, at(0)).await.unwrap();
        }
        let written = written.load(Ordering::Relaxed);
        // A machine that is busy may make a connection rest so long that it is asked whether it lives.
        assert!((100..150).contains(&written), "{written} writes for 100 calls");
    });
}

/// How many of the service's connections wait, or lie, in that state.
async fn those_who(watcher: &mut PgConnection, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(watcher).await.unwrap()
}

const WAIT: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                    AND datname = current_database() AND application_name = 'ringback'";
const LIE_OPEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                        AND datname = current_database() AND application_name = 'ringback'";

#[test]
fn what_was_left_in_the_middle_holds_nobody_up() {
    with_postgres_url(|url| async move {
        let store = Store::open(&url, ONE).unwrap();
        store.database.migrate().await.unwrap();
        let mut direct = PgConnection::connect(&url).await.unwrap();
        let mut watcher = PgConnection::connect(&url).await.unwrap();
        for round in 0..3 {
            let user = new_user(
                &format!("user{round}@example.com"),
                &format!("+1415200000{round}"),
            );
            let (login, session) = (Login::Email(user.email.clone()), new_session(user.id));
            let sid = session.id;
            store.users.register(user, session).await.unwrap();
            let mut holder = direct.begin().await.unwrap();
            sqlx::query("SELECT 1 FROM users, sessions FOR UPDATE")
                .execute(&mut *holder)
                .await
                .unwrap();
            let (sessions, event) = (Arc::clone(&store.sessions), session_ended(200));
            let waiting = tokio::spawn(async move { sessions.revoke(sid, event).await });
            let all_wait = async {
                while those_who(&mut watcher, WAIT).await == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(5), all_wait).await.unwrap();
            waiting.abort();
            // While its statement still waits in the server, others get a connection.
            let others = store.networks.known(&login, at(0));
            timeout(Duration::from_secs(5), others).await.unwrap().unwrap();
            holder.rollback().await.unwrap();
            let none_lies = async {
                while those_who(&mut watcher, LIE_OPEN).await > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(5), none_lies).await.unwrap();
        }
        assert!(store.database.pool_status().size <= 4);
        timeout(Duration::from_secs(1), store.database.close())
            .await
            .unwrap();
    });
}
