//! PostgreSQL that became read-only under open connections, and one that speaks TLS by an authority of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ringback::database::{DatabaseUrlError, PoolOptions, PostgresLink, PostgresOptions, PreparedStatements};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

use crate::{
    harness::{Folder, OPTIONS, Store, at, new_session, new_user, register, runtime},
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

/// An authority, a server's certificate by it for `localhost`, a client's for `ringback`, and one of another authority.
struct Certificates(Folder);

impl Certificates {
    fn make() -> Self {
        let folder = Folder::new();
        fs::create_dir(&folder.0).unwrap();
        let this = Self(folder);
        for ca in ["ca", "other"] {
            this.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {ca}.key -out {ca}.pem -days 9 -subj /CN={ca} -addext \
                 keyUsage=critical,keyCertSign"
            ));
        }
        fs::write(this.file("names"), "subjectAltName=DNS:localhost").unwrap();
        for (name, subject) in [("server", "localhost"), ("client", "ringback")] {
            this.openssl(&format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={subject}"
            ));
            this.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 9 -extfile names"
            ));
        }
        this
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0.0)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }
}

async fn tls_server(certificates: &Certificates) -> OwnServer {
    let files = ["server.pem", "server.key", "ca.pem"].map(|name| certificates.file(name));
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let settings = [
        "ssl=on",
        "ssl_cert_file=server.pem",
        "ssl_key_file=server.key",
        "ssl_ca_file=ca.pem",
    ];
    OwnServer::postgres(&settings, &files).await
}

fn url(server: &OwnServer, host: &str, user: &str, query: &str) -> String {
    format!("postgres://{user}@{host}:{}/postgres{query}", server.port)
}

async fn reaches(url: &str, options: &PostgresOptions) -> Result<(), String> {
    let store = Store::with(url, OPTIONS, options).map_err(|error| error.to_string())?;
    let outcome = store.database.migrate().await;
    store.database.close().await;
    outcome.map_err(|error| error.to_string())
}

#[test]
fn a_certificate_of_ones_own_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    runtime().block_on(async {
        let certificates = Certificates::make();
        let server = tls_server(&certificates).await;
        let trusting = |name| PostgresOptions {
            ca_file: Some(certificates.file(name)),
            ..PostgresOptions::default()
        };
        let none = PostgresOptions::default();
        let at = |host, query| url(&server, host, "postgres", query);
        for query in [
            "",
            "?sslmode=prefer",
            "?sslmode=require",
            "?sslmode=verify-ca",
            "?sslmode=verify-full",
        ] {
            reaches(&at("localhost", query), &trusting("ca.pem"))
                .await
                .unwrap();
            let refused = reaches(&at("localhost", query), &trusting("other.pem"))
                .await
                .unwrap_err();
            assert!(
                refused.contains("UnknownIssuer") || refused.contains("BadSignature"),
                "{query}: {refused}"
            );
        }
        for query in ["?sslmode=verify-ca", "?sslmode=verify-full"] {
            let refused = reaches(&at("localhost", query), &none).await.unwrap_err();
            assert!(refused.contains("UnknownIssuer"), "{query}: {refused}");
        }
        let refused = reaches(&at("127.0.0.1", ""), &trusting("ca.pem"))
            .await
            .unwrap_err();
        assert!(refused.contains("name"), "not for this host: {refused}");
        reaches(&at("127.0.0.1", "?sslmode=verify-ca"), &trusting("ca.pem"))
            .await
            .unwrap();

        let secret = SecretString::from(at("localhost", "?sslmode=disable"));
        let refused = PostgresLink::open(&secret, OPTIONS, &trusting("ca.pem")).unwrap_err();
        assert_eq!(refused, DatabaseUrlError::PlainWithCa);
        for missing in ["nothing.pem", "names"] {
            let refused = PostgresLink::open(&secret, OPTIONS, &trusting(missing)).unwrap_err();
            assert!(matches!(refused, DatabaseUrlError::CaFile(_)), "{refused}");
        }
    });
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks_for_it() {
    runtime().block_on(async {
        let certificates = Certificates::make();
        let server = tls_server(&certificates).await;
        server
            .sql(&[
                "CREATE ROLE ringback LOGIN",
                "GRANT ALL ON SCHEMA public TO ringback",
                "COPY (VALUES ('hostssl all ringback all cert'), ('host all postgres all trust')) \
                 TO PROGRAM 'cat > pg_hba.conf'",
                "SELECT pg_reload_conf()",
            ])
            .await;
        let address = url(&server, "localhost", "ringback", "");
        let mut options = PostgresOptions {
            ca_file: Some(certificates.file("ca.pem")),
            ..PostgresOptions::default()
        };
        let refused = reaches(&address, &options).await.unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
        options.client_cert_file = Some(certificates.file("client.pem"));
        options.client_key_file = Some(certificates.file("client.key"));
        reaches(&address, &options).await.unwrap();
    });
}

#[test]
fn a_client_certificate_whose_key_is_anothers_or_that_is_not_there_is_said_before_anything_connects() {
    let certificates = Certificates::make();
    let check = |certificate, key| {
        let options = PostgresOptions {
            client_cert_file: Some(certificates.file(certificate)),
            client_key_file: Some(certificates.file(key)),
            ..PostgresOptions::default()
        };
        let url = "postgres://ringback@localhost/ringback?sslmode=require";
        PostgresLink::check_with(url, &options).map_err(DatabaseUrlError::key)
    };
    check("client.pem", "client.key").unwrap();
    for (certificate, key, wrong) in [
        ("client.pem", "server.key", "database.client_key_file"),
        ("client.pem", "nothing.key", "database.client_key_file"),
        ("client.pem", "client.pem", "database.client_key_file"),
        ("nothing.pem", "client.key", "database.client_cert_file"),
        ("client.key", "client.key", "database.client_cert_file"),
    ] {
        assert_eq!(check(certificate, key), Err(wrong), "{certificate} {key}");
    }
}

/// What the tests below tell their other process.
const TLS_URL: &str = "RINGBACK_TEST_TLS_URL";
const TLS_CA: &str = "RINGBACK_TEST_TLS_CA";

/// The environment is a process's own, so another one asks.
fn reaches_with(certificates: &Certificates, bundle: &str, url: &str, ca: Option<&str>) -> bool {
    let mut asking = Command::new(std::env::current_exe().unwrap());
    asking
        .args(["--ignored", "--exact", "failover::asks_by_the_environment"])
        .env("SSL_CERT_FILE", certificates.file(bundle))
        .env_remove("SSL_CERT_DIR")
        .env(TLS_URL, url);
    if let Some(ca) = ca {
        asking.env(TLS_CA, certificates.file(ca));
    }
    let asked = asking.output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(said.contains("running 1 test"), "{said}");
    asked.status.success()
}

#[test]
fn what_ssl_cert_file_names_is_trusted_with_and_without_a_ca_of_ones_own() {
    runtime().block_on(async {
        let certificates = Certificates::make();
        let server = tls_server(&certificates).await;
        let address = url(&server, "localhost", "postgres", "?sslmode=verify-full");
        for (bundle, ca, is_trusted) in [
            ("ca.pem", None, true),
            ("other.pem", None, false),
            // One's own stands beside those of the system.
            ("ca.pem", Some("other.pem"), true),
            ("other.pem", Some("ca.pem"), true),
            ("other.pem", Some("other.pem"), false),
        ] {
            assert_eq!(
                reaches_with(&certificates, bundle, &address, ca),
                is_trusted,
                "{bundle} {ca:?}"
            );
        }
    });
}

#[test]
#[ignore = "the other process of the test above"]
fn asks_by_the_environment() {
    let options = PostgresOptions {
        ca_file: std::env::var_os(TLS_CA).map(PathBuf::from),
        ..PostgresOptions::default()
    };
    let url = std::env::var(TLS_URL).unwrap();
    runtime().block_on(async { reaches(&url, &options).await.unwrap() });
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
