//! Upgrade and rollback, as docs/operations.md says them: a database may be a version ahead of a program, never behind it.

use std::{collections::BTreeMap, fs, sync::Arc};

use sqlx::{Connection, PgConnection, Row, migrate::Migrator};
use support::service::{FREE_PORTS, Folder, Service};

use crate::{
    balancer::Balancer,
    production::{production, start},
};

/// Users who are served, from registration to login, before and after each step.
const ROUNDS: usize = 4;
type Variables = BTreeMap<&'static str, String>;
/// What a database that is ahead is told of.
const AHEAD: &str = "A newer version has migrated the database";

/// The migrations of a version after this one: each table has a column that this version doesn't know, and there is one
/// more table. Each table has a migration of its own: one that locks several may meet a request that locks them in another order.
async fn newer_migrations(folder: &Folder, database: &str) -> Migrator {
    for file in fs::read_dir("migrations/postgres").unwrap() {
        let file = file.unwrap();
        let name = format!("newer/{}", file.file_name().to_str().unwrap());
        folder.write(&name, &fs::read_to_string(file.path()).unwrap());
    }
    // A partition has the columns of its table.
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                  AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE '\\_sqlx%'";
    let mut connection = PgConnection::connect(database).await.unwrap();
    let tables: Vec<String> = sqlx::query(tables)
        .fetch_all(&mut connection)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(tables.len() > 5, "{tables:?}");
    for (number, table) in tables.iter().enumerate() {
        let add = format!("ALTER TABLE {table} ADD COLUMN since_newer text NOT NULL DEFAULT 'x';");
        folder.write(&format!("newer/9999010100{number:04}_{table}.sql"), &add);
    }
    let create = "CREATE TABLE newer (id bigint PRIMARY KEY);";
    folder.write("newer/99990102000000_newer.sql", create);
    Migrator::new(folder.path().join("newer")).await.unwrap()
}

/// Replaces an instance: as systemd and a load balancer do it.
async fn replace(balancer: &Balancer, folder: &Folder, variables: &Variables, old: Service) -> Service {
    old.signal("TERM");
    let new = start(folder, variables);
    balancer.add(&new.address);
    let address = old.address.clone();
    let (code, _, said) = old.end();
    assert_eq!(code, 0, "{said}");
    assert!(!balancer.ready().contains(&address));
    balancer.serve(ROUNDS).await;
    new
}

/// The same program plays both versions: before the migrations it is the newest, after them the one before. So its instances
/// are what an upgrade leaves beside the new ones, and what a rollback starts.
#[actix_web::test]
async fn users_notice_nothing_of_an_upgrade_or_of_a_rollback() {
    let folder = Folder::new();
    let (mut variables, provider) = production("info").await;
    let provider = Arc::new(provider);
    let no_limits = folder.write("no-limits.toml", "");
    variables.extend([
        ("RINGBACK__LIMITS__FILE", no_limits.to_str().unwrap().to_owned()),
        ("RINGBACK__DATABASE__MAX_CONNECTIONS", "4".to_owned()),
        ("RINGBACK__SERVER__DRAIN_DELAY", "2s".to_owned()),
    ]);
    let one = start(&folder, &variables);
    let two = start(&folder, &variables);
    let balancer = Balancer::start(&[&one.address, &two.address], &provider);
    balancer.serve(ROUNDS).await;

    let database = variables["DATABASE_URL"].as_str();
    let newer = newer_migrations(&folder, database).await;
    let mut connection = PgConnection::connect(database).await.unwrap();
    newer.run(&mut connection).await.unwrap();
    balancer.serve(ROUNDS).await;
    assert!(!one.said().contains(AHEAD), "{}", one.said());

    let mut three = replace(&balancer, &folder, &variables, one).await;
    let four = replace(&balancer, &folder, &variables, two).await;
    let ready = balancer.ready();
    assert_eq!(balancer.end(), <[String; 0]>::default());
    assert_eq!(ready, [three.address.clone(), four.address.clone()]);
    let warned = three.wait_for("a warning", |said| {
        said.lines().find(|line| line.contains(AHEAD)).map(str::to_owned)
    });
    assert!(
        warned.contains("WARN") && warned.contains("99990102000000"),
        "{warned}"
    );
    for service in [&three, &four] {
        assert!(!service.said().contains("ERROR"), "{}", service.said());
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let (code, out, err) = folder.run(&["migrate"], &variables);
    assert!(
        code == 0 && out.contains("up to date") && out.contains(AHEAD),
        "{out}{err}"
    );
}

/// With `database.migrate = false` somebody else migrates, and may have forgotten to.
#[actix_web::test]
async fn a_database_that_is_behind_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let by_hand = [("RINGBACK__DATABASE__MIGRATE", "false")];
    let variables = [&FREE_PORTS[..], &by_hand].concat();
    let (code, out, err) = folder.run(&["serve"], &variables);
    let said = format!("{out}{err}");
    assert_eq!(code, 1, "{said}");
    for part in [
        "older than this version",
        "20261101000000, 2026",
        "`ringback migrate`",
        "database.migrate = true",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for command in [&["users", "import", "users.jsonl"][..], &["users", "find"]] {
        let (code, out, err) = folder.run(command, &variables);
        assert!(code == 1 && err.contains("no tables yet"), "{out}{err}");
    }
    let (code, out, err) = folder.run(&["migrate"], &[]);
    assert!(code == 0 && !out.contains(AHEAD), "{out}{err}");
    let service = Service::start(&folder, &by_hand);
    assert_eq!(service.get("/readyz").await.status, 200);
}

/// A part that is down does not keep an instance from its start: it is ready when the part is back.
#[actix_web::test]
async fn without_its_database_it_starts_where_it_does_not_migrate() {
    let folder = Folder::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/nothing", closed.local_addr().unwrap());
    drop(closed);
    let service = Service::start(
        &folder,
        &[
            ("RINGBACK__DATABASE__MIGRATE", "false"),
            ("DATABASE_URL", url.as_str()),
        ],
    );
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, 503, "{ready:?}");
}
