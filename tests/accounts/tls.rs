//! PostgreSQL that speaks TLS by an authority of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ringback::database::{DatabaseUrlError, PostgresLink, PostgresOptions};
use secrecy::SecretString;

use crate::{
    harness::{Folder, OPTIONS, Store, runtime},
    own_server::OwnServer,
};

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
        .args(["--ignored", "--exact", "tls::asks_by_the_environment"])
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
