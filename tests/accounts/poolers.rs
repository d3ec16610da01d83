//! The stores behind a real PgBouncer, as it comes: it refuses startup parameters that it doesn't know, and in transaction mode
//! it gives each transaction another connection of the server, which forgets what was prepared.

use std::process::Command;

use futures_util::future::join_all;
use ringback::{
    accounts::{Claimant, Login},
    database::{PostgresOptions, PreparedStatements},
    unavailable::Unavailable,
};
use sqlx::{Connection, PgConnection};
use url::Url;

use crate::{
    harness::{
        OPTIONS, Store, at, email_verified, new_session, new_user, phone, phone_verified, register,
        session_ended, with_postgres_url,
    },
    own_server::{OwnServer, pgbouncer_program, plain},
    sessions::rotation,
};

/// It tells the names that clients use from those that a server's connection has (PgBouncer 1.21 and later; 1.24's default).
const TRACKED: &[&str] = &["pool_mode = transaction", "max_prepared_statements = 200"];
const SESSION: &[&str] = &["pool_mode = session"];
const TRANSACTION: &[&str] = &["pool_mode = transaction"];
/// As few as there can be: everybody shares them with everybody.
const SCARCE: &[&str] = &["pool_mode = transaction", "default_pool_size = 2"];

/// One account's life, every statement of every store.
async fn life(store: Store, n: usize) -> Result<(), Unavailable> {
    let user = new_user(
        &format!("user{n}@example.com"),
        &format!("+1415{}", 2_000_000 + n),
    );
    let (id, number, email) = (user.id, user.phone.clone(), user.email.clone());
    let session = new_session(id);
    let sid = session.id;
    let made = store.users.register(user, session).await;
    let made = made.map_err(|failure| Unavailable::new(ringback::unavailable::Part::Database, failure))?;
    for round in 0..3 {
        assert_eq!(store.sessions.view(sid).await?.unwrap().user.id, id);
        assert_eq!(
            store
                .proofs
                .claims(&number, at(100))
                .await?
                .any_claimant
                .or(Some(id)),
            Some(id)
        );
        assert_eq!(store.proofs.email_holder(&email).await?.unwrap().user, id);
        let found = store
            .passwords
            .credentials(&Login::Email(email.clone()))
            .await?
            .unwrap();
        assert_eq!(found.user.id, id);
        store
            .proofs
            .verify_phone(&number, &Claimant::User(id), phone_verified(1))
            .await?;
        store
            .proofs
            .verify_email(&email, &Claimant::Anyone, email_verified(1))
            .await?;
        assert_eq!(store.proofs.phone_of(id).await?, Some(phone(number.expose())));
        store.sessions.rotate(rotation(sid, round, 100)).await?;
        // One that misses: a transaction of several statements.
        store.sessions.rotate(rotation(sid, round, 100)).await?;
        let hash = found.password.expect("it was registered with one");
        store.passwords.replace_hash(id, &hash, &hash).await?;
        store.database.ping().await?;
    }
    assert!(store.proofs.claims(&made.phone, at(100)).await?.verified_by == Some(id));
    store.sessions.revoke(sid, session_ended(200)).await
}

fn two_instances_live_behind(lines: &'static [&'static str], prepared: PreparedStatements) {
    with_postgres_url(move |url| async move {
        let direct = Url::parse(&url).unwrap();
        let (_bouncer, behind) = OwnServer::pgbouncer(&direct, lines).await;
        let options = PostgresOptions {
            prepared_statements: prepared,
            ..PostgresOptions::default()
        };
        let stores = [(); 2].map(|()| Store::with(behind.as_str(), OPTIONS, &options).unwrap());
        for migrated in join_all(stores.iter().map(|store| store.database.migrate())).await {
            migrated.unwrap();
        }
        let lives = (0..40).map(|n| tokio::spawn(life(stores[n % 2].clone(), n)));
        for outcome in join_all(lives).await {
            outcome.unwrap().unwrap();
        }
        for store in stores {
            store.database.migrate().await.unwrap();
            store.database.close().await;
        }
    });
}

#[test]
fn in_session_mode_as_it_comes() {
    two_instances_live_behind(SESSION, PreparedStatements::Auto);
}

#[test]
fn in_transaction_mode_it_is_found_out() {
    two_instances_live_behind(TRANSACTION, PreparedStatements::Auto);
}

#[test]
fn in_transaction_mode_with_few_connections_it_is_found_out() {
    two_instances_live_behind(SCARCE, PreparedStatements::Auto);
}

#[test]
fn in_transaction_mode_it_may_be_said() {
    two_instances_live_behind(TRANSACTION, PreparedStatements::Off);
}

/// From 1.21 on, PgBouncer keeps track of names itself, as many as it is told. An older one knows no such setting.
#[test]
fn in_transaction_mode_where_the_pooler_keeps_track_of_names() {
    let said = Command::new(pgbouncer_program())
        .arg("--version")
        .output()
        .unwrap()
        .stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let version = said.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').filter_map(|number| number.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(1), Some(21)) {
        return eprintln!("PgBouncer {version} keeps track of no names");
    }
    for prepared in [PreparedStatements::Auto, PreparedStatements::On] {
        two_instances_live_behind(TRACKED, prepared);
    }
}

/// What the service prepared is found by whoever uses its connections next, and the other way round.
#[test]
fn what_others_prepared_is_no_hindrance() {
    with_postgres_url(|url| async move {
        let direct = Url::parse(&url).unwrap();
        let (_bouncer, behind) = OwnServer::pgbouncer(&direct, SCARCE).await;
        let others = plain(&behind);
        for _ in 0..4 {
            let mut other = PgConnection::connect_with(&others).await.unwrap();
            let _ = sqlx::query("SELECT $1").bind(1).execute(&mut other).await;
        }
        let store = Store::open(behind.as_str(), OPTIONS).unwrap();
        store.database.migrate().await.unwrap();
        register(&store, "jane@example.com", "+14152000001").await;
        store.database.ping().await.unwrap();
        store.database.close().await;
    });
}
