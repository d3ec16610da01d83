//! What SQLite leaves on the disk, and how tables come to be.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use ringback::database::{DatabaseUrlError, MigrateError, PostgresLink, PostgresOptions, Schema};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, Postgres, Sqlite, SqliteConnection};

use crate::harness::{Folder, OPTIONS, Store, register, runtime, with_postgres_url};

fn open(url: &str) -> Result<Store, DatabaseUrlError> {
    Store::open(url, OPTIONS)
}

#[test]
fn sqlites_files_are_its_users_alone_and_outlive_the_process() {
    let folder = Folder::new();
    let file = folder.0.join("data").join("accounts.db");
    let url = format!("sqlite://{}", file.display());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    runtime().block_on(async {
        let store = open(&url).unwrap();
        store.database.migrate().await.unwrap();
        let (jane, session) = register(&store, "jane@example.com", "+14152000001").await;
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        let entries = fs::read_dir(file.parent().unwrap()).unwrap();
        let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        assert!(files.contains(&file), "{files:?}");
        for file in &files {
            assert_eq!(mode(file), 0o600, "{file:?}");
        }
        store.database.close().await;
        assert!(store.sessions.view(session).await.is_err(), "closed");

        let again = open(&url).unwrap();
        again.database.migrate().await.unwrap();
        assert_eq!(again.sessions.view(session).await.unwrap().unwrap().user, jane);
        again.database.close().await;
    });
}

#[test]
fn a_database_url_that_is_none_is_refused_without_showing_it() {
    runtime().block_on(async {
        for url in [
            "sqlite::memory:",
            "sqlite://x.db?mode=memory",
            "sqlite://",
            "hush.db",
            "sqlite://x.db?hush=1",
        ] {
            let refused = open(url).err().unwrap();
            assert_eq!(refused, DatabaseUrlError::Sqlite, "{url}");
        }
        let nowhere = open("sqlite:///proc/nowhere/x.db").err().unwrap();
        assert!(matches!(nowhere, DatabaseUrlError::File(_)), "{nowhere:?}");
        for url in [
            "",
            "mysql://x",
            "postgres://u:hush@:x/",
            "postgres://u:hush@h/d?sslmode=hush",
        ] {
            let refused = PostgresLink::open(&SecretString::from(url), OPTIONS, &PostgresOptions::default())
                .unwrap_err();
            assert_eq!(refused, DatabaseUrlError::Postgres, "{url}");
            assert!(!refused.to_string().contains("hush"));
        }
    });
}

#[test]
fn instances_may_migrate_one_sqlite_file_at_once() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.0.join("accounts.db").display());
    runtime().block_on(async {
        let stores: Vec<_> = (0..6).map(|_| open(&url).unwrap()).collect();
        let migrations = stores.iter().map(|store| store.database.migrate());
        for migrated in futures_util::future::join_all(migrations).await {
            migrated.unwrap();
        }
        register(&stores[5], "jane@example.com", "+14152000001").await;
    });
}

#[test]
fn instances_may_migrate_one_postgres_at_once() {
    with_postgres_url(|url| async move {
        let stores: Vec<_> = (0..6).map(|_| open(&url).unwrap()).collect();
        let migrations = stores.iter().map(|store| store.database.migrate());
        for migrated in futures_util::future::join_all(migrations).await {
            migrated.unwrap();
        }
        register(&stores[5], "jane@example.com", "+14152000001").await;
    });
}

/// Expand and contract: a newer version has migrated, this one is started beside it.
async fn meets_other_versions<DB: sqlx::Database>(store: &Store, by_hand: &mut DB::Connection)
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                         VALUES (99991231235959, 'newer', TRUE, 'x', 0)";
    const LATEST: &str = "(SELECT max(version) FROM _sqlx_migrations WHERE description <> 'newer')";
    let mut run = async |statement: &str| {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&mut *by_hand).await.unwrap();
    };
    let none = store.database.schema().await.unwrap();
    assert!(none.missing.len() > 3 && none.newer.is_empty(), "{none:?}");
    store.database.migrate().await.unwrap();
    assert_eq!(store.database.schema().await.unwrap(), Schema::default());
    run(NEWER).await;
    store.database.migrate().await.unwrap();
    let ahead = store.database.schema().await.unwrap();
    assert_eq!((ahead.missing, ahead.newer), (vec![], vec![99_991_231_235_959]));

    run(&format!(
        "UPDATE _sqlx_migrations SET success = FALSE WHERE version = {LATEST}"
    ))
    .await;
    let latest = *none.missing.last().unwrap();
    let halfway = store.database.schema().await.unwrap();
    assert_eq!(halfway.missing, [latest]);
    let refused = store.database.migrate().await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::Halfway(version) if version == latest),
        "{refused}"
    );
    run("UPDATE _sqlx_migrations SET success = TRUE").await;

    run("UPDATE _sqlx_migrations SET checksum = 'x' WHERE description <> 'newer'").await;
    let refused = store.database.migrate().await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::Changed(20_261_101_000_000)),
        "{refused}"
    );
}

#[test]
fn a_migration_from_the_future_is_no_hindrance_but_a_changed_one_is() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.0.join("accounts.db").display());
    runtime().block_on(async {
        let store = open(&url).unwrap();
        let mut by_hand = SqliteConnection::connect(&url).await.unwrap();
        meets_other_versions::<Sqlite>(&store, &mut by_hand).await;
    });
    with_postgres_url(|url| async move {
        let store = open(&url).unwrap();
        let mut by_hand = PgConnection::connect(&url).await.unwrap();
        meets_other_versions::<Postgres>(&store, &mut by_hand).await;
    });
}
