//! PostgreSQL that became read-only under open connections.

use std::time::{Duration, Instant};

use ringback::database::{PoolOptions, PostgresOptions, PreparedStatements};
use sqlx::{Connection, PgConnection};

use crate::{
    harness::{OPTIONS, Store, at, new_session, new_user, register, runtime},
    own_server::OwnServer,
};

const PATIENT: PoolOptions = PoolOptions {
    max_connections: 8,
    timeout: Duration::from_millis(1_800),
};

async fn can_write(store: &Store, n: usize) -> bool {
    let user = new_user(&format!("user{n}@example.com"), "+14152000001");
    let session = new_session(user.id);
    store.users.register(user, session).await.is_ok()
}

#[test]
fn connections_that_became_read_only_are_given_up_for_new_ones_that_write() {
    runtime().block_on(async {
        let server = OwnServer::postgres(&[], &[]).await;
        let store = Store::open(&server.url("postgres"), PATIENT).unwrap();
        store.database.migrate().await.unwrap();
        for n in 0..8 {
            assert!(can_write(&store, n).await);
        }
        // What stands becomes read-only; what is connected from now on is not.
        server
            .sql(&[
                "ALTER ROLE postgres SET default_transaction_read_only = off",
                "ALTER SYSTEM SET default_transaction_read_only = on",
                "SELECT pg_reload_conf()",
            ])
            .await;
        let (began, mut n, mut in_a_row) = (Instant::now(), 100, 0);
        while in_a_row < 20 {
            in_a_row = if can_write(&store, n).await {
                in_a_row + 1
            } else {
                0
            };
            n += 1;
            assert!(began.elapsed() < Duration::from_secs(5), "not back in time");
        }
        store.database.ping().await.unwrap();
        store.database.close().await;
    });
}

#[test]
fn a_database_that_takes_no_writes_is_not_ready_and_is_back_when_it_does() {
    runtime().block_on(async {
        let server = OwnServer::postgres(&[], &[]).await;
        server
            .sql(&[
                "CREATE ROLE ringback LOGIN",
                "GRANT ALL ON SCHEMA public TO ringback",
            ])
            .await;
        let store = Store::open(&server.url("ringback"), PATIENT).unwrap();
        store.database.migrate().await.unwrap();
        let (jane, session) = register(&store, "jane@example.com", "+14152000001").await;
        store.database.ping().await.unwrap();
        let read_only = "ALTER DATABASE postgres SET default_transaction_read_only = on";
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ringback'";
        server.sql(&[read_only, ended]).await;

        let began = Instant::now();
        let refused = loop {
            match store.database.ping().await {
                Err(failure) if failure.to_string().contains("25006") => break failure.to_string(),
                _ => assert!(began.elapsed() < Duration::from_secs(5), "still said to be ready"),
            }
        };
        assert!(
            refused.contains("read-only transaction"),
            "the server's own words: {refused}"
        );
        assert_eq!(
            store.sessions.view(session).await.unwrap().unwrap().user,
            jane,
            "reads go on"
        );

        server
            .sql(&[
                "ALTER DATABASE postgres RESET default_transaction_read_only",
                ended,
            ])
            .await;
        let began = Instant::now();
        while store.database.ping().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(5), "not back in time");
        }
        assert!(can_write(&store, 1).await);
        store.database.close().await;
    });
}

#[test]
fn why_there_is_no_connection_is_told_in_the_servers_words() {
    runtime().block_on(async {
        let unheard = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let options = PostgresOptions {
            // So that nothing is found out before the pool is asked.
            prepared_statements: PreparedStatements::Off,
            ..PostgresOptions::default()
        };
        let hasty = PoolOptions {
            timeout: Duration::from_secs(1),
            ..OPTIONS
        };
        let url = format!("postgres://somebody:hidden@{unheard}/postgres");
        let store = Store::with(&url, hasty, &options).unwrap();
        let said = store.database.ping().await.unwrap_err().to_string();
        assert!(
            said.contains("no connection in time: connection: Connection refused"),
            "{said}"
        );
        assert!(!said.contains("hidden"), "{said}");
    });
}

#[test]
fn lookups_get_what_the_pool_leaves_lying_where_the_server_has_room_for_few() {
    runtime().block_on(async {
        let server = OwnServer::postgres(&[], &[]).await;
        server
            .sql(&[
                "CREATE ROLE ringback LOGIN CONNECTION LIMIT 4",
                "GRANT ALL ON SCHEMA public TO ringback",
            ])
            .await;
        let url = server.url("ringback");
        // So the pool may take all four.
        let options = PoolOptions {
            max_connections: 12,
            ..PATIENT
        };
        let store = Store::open(&url, options).unwrap();
        store.database.migrate().await.unwrap();
        futures_util::future::join_all((0..16).map(|n| can_write(&store, n))).await;
        let (user, session) = register(&store, "jane@example.com", "+14152000002").await;
        assert!(store.sessions.view(session).await.unwrap().is_some());
        assert!(store.proofs.claims(&user.phone, at(1)).await.is_ok());
        store.database.ping().await.unwrap();

        // Another has taken all: nothing is left to give up, and that is told.
        let another = Store::open(&url, options).unwrap();
        let mut taken = Vec::new();
        server
            .sql(&["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ringback'"])
            .await;
        // Those that were ended count until they are gone.
        while taken.len() < 4 {
            taken.extend(PgConnection::connect(&url).await);
        }
        assert!(another.sessions.view(session).await.is_err());
        assert!(another.database.ping().await.is_err());
        drop(taken);
        let began = Instant::now();
        while another.database.ping().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(5), "not back in time");
        }
        assert!(another.sessions.view(session).await.is_ok());
    });
}
