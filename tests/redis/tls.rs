//! TLS with a CA of one's own: one server, a Cluster, Sentinels; with and without certificates for clients.

use std::{process::Command, time::Duration};

use ringback::redis::{RedisLink, RedisOptions, RedisSecurity};
use support::eventually;

use crate::servers::{Certificates, Server, link};

/// The link takes writes; it may take a moment.
async fn works(link: &RedisLink) {
    eventually("a write", async || link.check().await.ok()).await;
}

/// Why it does not.
async fn refusal(link: &RedisLink) -> String {
    link.check().await.unwrap_err().to_string()
}

#[actix_web::test]
async fn a_server_whose_ca_is_named_is_trusted_and_no_other() {
    let certificates = Certificates::make();
    let server = Server::start_tls(&certificates, "no", &[]).await;
    works(&link(&server.tls_url(), certificates.trusted())).await;
    // Neither the system's store nor somebody else's CA vouches for it.
    for stranger in [RedisSecurity::default(), Certificates::make().trusted()] {
        let said = refusal(&link(&server.tls_url(), stranger)).await;
        assert!(said.contains("certificate"), "{said}");
    }
    // Nor does it speak in clear.
    assert!(
        link(&server.url(), RedisSecurity::default())
            .check()
            .await
            .is_err()
    );
}

/// What the test below tells its other process.
const URL: &str = "RINGBACK_TEST_TLS_URL";
const CA: &str = "RINGBACK_TEST_TLS_CA";

#[actix_web::test]
async fn what_ssl_cert_file_names_is_trusted_where_no_ca_is() {
    let certificates = Certificates::make();
    let server = Server::start_tls(&certificates, "no", &[]).await;
    // The environment is a process's own, so another one asks.
    let asks = |ca: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tls::asks_by_the_environment_alone"])
            .env("SSL_CERT_FILE", certificates.path(ca))
            .env_remove("SSL_CERT_DIR")
            .env(URL, server.tls_url())
            .output()
            .unwrap()
    };
    let asked = asks("ca.pem");
    assert!(asked.status.success(), "{asked:?}");
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(said.contains("1 passed"), "{said}");
    // Another certificate vouches for nobody.
    assert!(!asks("client.pem").status.success());
    // A CA of one's own is trusted beside it, and takes nothing away.
    let asks_with = |bundle: &str, ca: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tls::asks_by_the_environment_alone"])
            .env("SSL_CERT_FILE", certificates.path(bundle))
            .env_remove("SSL_CERT_DIR")
            .env(URL, server.tls_url())
            .env(CA, certificates.path(ca))
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(asks_with("ca.pem", "client.pem") && asks_with("client.pem", "ca.pem"));
    assert!(!asks_with("client.pem", "client.pem"));
}

#[actix_web::test]
#[ignore = "the other process of the test above"]
async fn asks_by_the_environment_alone() {
    let url = std::env::var(URL).unwrap();
    let security = RedisSecurity {
        ca_file: std::env::var_os(CA).map(Into::into),
        ..RedisSecurity::default()
    };
    link(&url, security).check().await.unwrap();
}

#[actix_web::test]
async fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let certificates = Certificates::make();
    let server = Server::start_tls(&certificates, "yes", &[]).await;
    works(&link(&server.tls_url(), certificates.mutual())).await;
    assert!(
        link(&server.tls_url(), certificates.trusted())
            .check()
            .await
            .is_err()
    );
}

#[actix_web::test]
async fn a_cluster_is_trusted_by_its_ca_on_every_node() {
    let certificates = Certificates::make();
    let server = Server::start_tls(
        &certificates,
        "yes",
        &["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"],
    )
    .await;
    let tls = Some(&certificates);
    server.command(tls, &["cluster", "addslotsrange", "0", "16383"]);
    eventually("the cluster", async || {
        let info = server.command(tls, &["cluster", "info"]);
        info.contains("cluster_state:ok").then_some(())
    })
    .await;
    // Two URLs are a Cluster.
    let url = format!("{0},{0}", server.tls_url());
    let cluster = link(&url, certificates.mutual());
    assert!(cluster.is_cluster());
    works(&cluster).await;
    let said = refusal(&link(&url, RedisSecurity::default())).await;
    assert!(
        said.contains("ertificate") || said.contains("no answer"),
        "{said}"
    );
}

#[actix_web::test]
async fn sentinels_have_tls_and_a_login_of_their_own() {
    let certificates = Certificates::make();
    let master = Server::start_tls(&certificates, "no", &["--requirepass", "master-secret"]).await;
    let sentinel = Server::start_sentinel(
        &certificates,
        &format!(
            "sentinel monitor ringback 127.0.0.1 {} 1\n\
             sentinel auth-pass ringback master-secret\n\
             user watcher on >sentinel-secret ~* &* +@all\n\
             user default off\n",
            master.port
        ),
    )
    .await;
    let url = |login: &str| {
        format!(
            "rediss+sentinel://:master-secret@localhost:{}/ringback{login}",
            sentinel.port
        )
    };
    let own = "?sentinel_user=watcher&sentinel_password=sentinel-secret";
    works(&link(&url(own), certificates.trusted())).await;
    for (login, security) in [
        (
            "?sentinel_user=watcher&sentinel_password=another-secret",
            certificates.trusted(),
        ),
        ("", certificates.trusted()),
        (own, RedisSecurity::default()),
    ] {
        let said = refusal(&link(&url(login), security)).await;
        assert!(!said.contains("-secret"), "{said}");
    }
    assert!(sentinel.folder().join("redis.conf").exists());
}

#[actix_web::test]
async fn files_that_are_no_certificates_are_refused_by_name() {
    let certificates = Certificates::make();
    let open = |security| {
        let options = RedisOptions {
            url: "rediss://localhost:1".to_owned(),
            security,
            prefix: "x".to_owned(),
            lanes: 1,
            timeout: Duration::from_secs(1),
        };
        RedisLink::open(&options).err().map(|error| error.key)
    };
    assert_eq!(open(certificates.mutual()), None);
    let mut missing = certificates.trusted();
    missing.ca_file = Some(certificates.path("nothing.pem"));
    let mut key_as_ca = certificates.trusted();
    key_as_ca.ca_file = Some(certificates.path("server.key"));
    let mut swapped = certificates.mutual();
    if let Some(client) = &mut swapped.client {
        std::mem::swap(&mut client.certificate_file, &mut client.key_file);
    }
    let with_key = |name| {
        let mut security = certificates.mutual();
        if let Some(client) = &mut security.client {
            client.key_file = certificates.path(name);
        }
        security
    };
    for (security, key) in [
        (missing, "redis.ca_file"),
        (key_as_ca, "redis.ca_file"),
        (swapped, "redis.client_cert_file"),
        (with_key("nothing.key"), "redis.client_key_file"),
        (with_key("ca.pem"), "redis.client_key_file"),
        // A key, but of another certificate.
        (with_key("server.key"), "redis.client_key_file"),
    ] {
        assert_eq!(open(security), Some(key));
    }
}
