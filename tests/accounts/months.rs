//! What the stores of events and of the ledger promise of months, on PostgreSQL: each has a partition in time, and goes with it.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use ringback::{
    accounts::{Erased, ErasedBy, Erasure},
    database::MigrateError,
    events::{EventKind, EventKinds},
    ledger::{Event, Row, What},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    harness::{OPTIONS, Store, Stores, at, event, on_postgres, register, runtime},
    own_server::OwnServer,
};

const DAY: i64 = 24 * 3600;
/// The tests' own time begins on 2027-01-15; this is in February, and this in March.
const FEBRUARY: i64 = 20 * DAY;
const MARCH: i64 = 50 * DAY;

/// The partitions of a table without its name, in order.
async fn months(stores: &Stores, table: &str) -> String {
    let names = format!(
        "SELECT string_agg(substr(inhrelid::regclass::text, {}), ' ' ORDER BY inhrelid::regclass::text) \
         FROM pg_inherits WHERE inhparent = '{table}'::regclass",
        table.len() + 2
    );
    stores.text(names).await
}

/// Of each partition that has rows, how many.
async fn rows(stores: &Stores, table: &str) -> String {
    let rows = format!(
        "SELECT coalesce(string_agg(part || ' ' || rows, ', ' ORDER BY part), '') FROM \
         (SELECT substr(tableoid::regclass::text, {}) AS part, count(*) AS rows FROM {table} GROUP BY 1) AS parts",
        table.len() + 2
    );
    stores.text(rows).await
}

/// How many of the next months events have a partition for, and what was in the way.
async fn keep(store: &Store, now: DateTime<Utc>, before: DateTime<Utc>) -> (usize, String) {
    let kept = store.events.keep_months(now, before).await.unwrap();
    let fault = kept.fault.map(|fault| fault.to_string()).unwrap_or_default();
    (kept.ahead.unwrap(), fault)
}

fn never() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

async fn note(store: &Store, second: i64) {
    let event = event(EventKind::UserViewed, second);
    store.event_log.note(&event, None).await.unwrap();
}

/// A challenge that was issued then, as its name says.
fn issued(second: i64) -> Row {
    let day = u128::try_from(at(second).timestamp() / DAY).unwrap();
    Row::of(Event {
        challenge_id: Uuid::from_u128(day << 112 | 7),
        at: at(second),
        what: What::Wrong { attempts: 1 },
    })
}

#[test]
fn a_month_has_its_partition_before_it_begins() {
    on_postgres(|stores: Stores| async move {
        assert_eq!(months(&stores, "events").await, "rest");
        assert_eq!(keep(&stores.one, at(0), never()).await, (3, String::new()));
        let ahead = "2027_01 2027_02 2027_03 2027_04 rest";
        assert_eq!(months(&stores, "events").await, ahead);
        stores.one.ledger.keep_months(at(0), never()).await.unwrap();
        assert_eq!(months(&stores, "verifications").await, ahead);
        // On the last day of a month it is as on the first; a day later the next is made.
        assert_eq!(keep(&stores.two, at(16 * DAY), never()).await.0, 3);
        assert_eq!(months(&stores, "events").await, ahead);
        assert_eq!(keep(&stores.two, at(17 * DAY), never()).await.0, 3);
        assert_eq!(
            months(&stores, "events").await,
            "2027_01 2027_02 2027_03 2027_04 2027_05 rest"
        );
        for second in [0, FEBRUARY, FEBRUARY + 1, MARCH, 300 * DAY] {
            note(&stores.one, second).await;
            stores.one.ledger.write(&[issued(second)]).await.unwrap();
        }
        assert_eq!(
            rows(&stores, "events").await,
            "2027_01 1, 2027_02 2, 2027_03 1, rest 1"
        );
        // Of the same challenge it is one row.
        assert_eq!(
            rows(&stores, "verifications").await,
            "2027_01 1, 2027_02 1, 2027_03 1, rest 1"
        );
    });
}

#[test]
fn many_instances_at_once_make_each_partition_once() {
    on_postgres(|stores: Stores| async move {
        let at_once = (0..16).map(|n| {
            let store = stores.either(n);
            tokio::spawn(async move { keep(&store, at(0), never()).await.1 })
        });
        for fault in join_all(at_once).await {
            assert_eq!(fault.unwrap(), "");
        }
        assert_eq!(
            months(&stores, "events").await,
            "2027_01 2027_02 2027_03 2027_04 rest"
        );
    });
}

#[test]
fn a_month_that_is_over_is_dropped_and_the_next_keeps_what_is_younger() {
    on_postgres(|stores: Stores| async move {
        for table in ["events", "verifications"] {
            let months = async |now, before| match table {
                "events" => stores.one.events.keep_months(now, before).await.unwrap(),
                _ => stores.one.ledger.keep_months(now, before).await.unwrap(),
            };
            months(at(0), never()).await;
            for second in [0, FEBRUARY, FEBRUARY + DAY, MARCH] {
                note(&stores.one, second).await;
                stores.one.ledger.write(&[issued(second)]).await.unwrap();
            }
            // To a microsecond before its end, a month is not over.
            let february = at(16 * DAY + 16 * 3600) - TimeDelta::nanoseconds(123_456_789);
            months(at(MARCH), february - TimeDelta::microseconds(1)).await;
            let all = "2027_01 1, 2027_02 2, 2027_03 1";
            assert_eq!(rows(&stores, table).await, all);
            assert_eq!(months(at(MARCH), february).await.ahead, Some(3));
            assert_eq!(rows(&stores, table).await, "2027_02 2, 2027_03 1");
            // What is over of the next month is deleted, so many at a time.
            let before = at(FEBRUARY + 1);
            let purged = match table {
                "events" => stores.one.events.purge(before, 10).await.unwrap(),
                _ => stores.one.ledger.purge(before, 10).await.unwrap(),
            };
            assert_eq!(purged, 1);
            assert_eq!(rows(&stores, table).await, "2027_02 1, 2027_03 1");
        }
    });
}

/// While many write events of a month that has no partition, it is made: no write fails, and none is lost.
#[test]
fn a_partition_that_comes_late_takes_over_what_the_rest_has() {
    on_postgres(|stores: Stores| async move {
        note(&stores.one, FEBRUARY).await;
        let seqs = "SELECT string_agg(seq::text, ' ' ORDER BY seq) FROM events WHERE user_id IS NULL";
        let before = stores.text(seqs.to_owned()).await;
        let writers = (0..8).map(|n| {
            let store = stores.either(n);
            tokio::spawn(async move {
                for second in 0..40 {
                    note(&store, second).await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        while keep(&stores.two, at(0), never()).await.0 < 3
            || !months(&stores, "events").await.starts_with("2027_01")
        {}
        for written in join_all(writers).await {
            written.unwrap();
        }
        assert_eq!(rows(&stores, "events").await, "2027_01 320, 2027_02 1");
        assert!(stores.text(seqs.to_owned()).await.starts_with(&before));
    });
}

/// A query that runs long holds up a change of partitions, which gives way: nobody else waits behind it.
#[test]
fn a_drop_that_would_wait_gives_way_and_is_tried_again() {
    on_postgres(|stores: Stores| async move {
        keep(&stores.one, at(0), never()).await;
        note(&stores.one, 0).await;
        let mut connection = PgConnection::connect(&stores.url()).await.unwrap();
        let mut long = connection.begin().await.unwrap();
        sqlx::raw_sql("SELECT count(*) FROM events")
            .execute(&mut *long)
            .await
            .unwrap();
        let dropping = tokio::spawn({
            let store = stores.one.clone();
            async move { keep(&store, at(MARCH), at(MARCH)).await.1 }
        });
        note(&stores.two, 1).await;
        let fault = dropping.await.unwrap();
        assert!(fault.contains("55P03"), "{fault}");
        assert_eq!(rows(&stores, "events").await, "2027_01 2");
        long.rollback().await.unwrap();
        assert_eq!(keep(&stores.one, at(MARCH), at(MARCH)).await, (3, String::new()));
        assert_eq!(rows(&stores, "events").await, "");
    });
}

/// As with `database.migrate = false`: the tables are another role's.
#[test]
fn a_role_that_may_not_make_tables_loses_no_event_and_keeps_to_the_retention() {
    runtime().block_on(async {
        let server = OwnServer::postgres(&[], &[]).await;
        let stores = Stores::open(server.url("postgres")).await;
        let grants = "CREATE ROLE service LOGIN; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service; \
             GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO service";
        server.sql(&[grants]).await;
        let service = Store::open(&server.url("service"), OPTIONS).unwrap();
        // The start doesn't wait for it.
        let told = service.database.migrate().await.unwrap_err();
        assert!(matches!(told, MigrateError::NotAllowed(_)), "{told}");
        let (ahead, fault) = keep(&service, at(0), never()).await;
        assert_eq!(ahead, 0);
        assert!(fault.contains("42501"), "{fault}");
        for second in [0, FEBRUARY] {
            note(&service, second).await;
        }
        assert_eq!(rows(&stores, "events").await, "rest 2");
        // As `ringback migrate` does with the tables' own role.
        assert_eq!(keep(&stores.one, at(0), never()).await.0, 3);
        assert_eq!(keep(&service, at(0), never()).await, (3, String::new()));
        note(&service, 1).await;
        assert_eq!(rows(&stores, "events").await, "2027_01 2, 2027_02 1");
        let (ahead, fault) = keep(&service, at(FEBRUARY), at(FEBRUARY)).await;
        assert_eq!(ahead, 2, "two of the three that were made are to come");
        assert!(fault.contains("42501"), "{fault}");
        assert_eq!(service.events.purge(at(FEBRUARY), 10).await.unwrap(), 2);
        assert_eq!(rows(&stores, "events").await, "2027_02 1");
        for store in [&service, &stores.one, &stores.two] {
            store.database.close().await;
        }
    });
}

#[test]
fn erasure_and_webhooks_reach_every_month() {
    on_postgres(|stores: Stores| async move {
        keep(&stores.one, at(0), never()).await;
        stores.one.outgoing.begin("crm", 0).await.unwrap();
        let (jane, session) = register(&stores.one, "jane@example.com", "+14152000001").await;
        for second in [FEBRUARY, MARCH] {
            let event = event(EventKind::UserViewed, second);
            stores.one.event_log.note(&event, Some(jane.id)).await.unwrap();
        }
        assert_eq!(rows(&stores, "events").await, "2027_01 2, 2027_02 1, 2027_03 1");
        let kinds = EventKinds::parse(["user.viewed"]).unwrap();
        loop {
            let settled = stores.one.outgoing.settled().await.unwrap().unwrap_or_default();
            let moved = stores
                .one
                .outgoing
                .advance("crm", &kinds, settled, at(MARCH), 100)
                .await;
            if moved.unwrap() >= 4 {
                break;
            }
        }
        let erasure = Erasure {
            user: jane.id,
            by: ErasedBy::Owner { epoch: 0, session },
            event: event(EventKind::AccountDeleted, MARCH),
        };
        assert_eq!(stores.two.records.erase(erasure).await.unwrap(), Erased::Erased);
        let named = format!(
            "SELECT count(*)::text FROM events WHERE user_id = '{0}' OR actor_id = '{0}'",
            jane.id
        );
        assert_eq!(stores.text(named).await, "0");
        let (now, until) = (at(MARCH + 1), at(MARCH + 60));
        let mut ids = Vec::new();
        for _ in 0..2 {
            let leased = stores.two.outgoing.lease("crm", now, until, 10).await.unwrap();
            for one in &leased {
                ids.push(one.event.as_ref().unwrap().id);
                stores.two.outgoing.done("crm", &[one.seq]).await.unwrap();
            }
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let expected = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM events WHERE kind = 'user.viewed'";
        assert_eq!(ids.join(" "), stores.text(expected.to_owned()).await);
    });
}

/// Between two times the partitions of their months alone are read, and the rest.
#[test]
fn what_is_asked_of_a_time_reads_its_months_alone() {
    on_postgres(|stores: Stores| async move {
        keep(&stores.one, at(0), never()).await;
        let mut connection = PgConnection::connect(&stores.url()).await.unwrap();
        let millis = u128::try_from(at(FEBRUARY).timestamp_millis()).unwrap();
        let since = Uuid::from_u128(millis << 80);
        let explain = format!(
            "EXPLAIN SELECT * FROM events WHERE kind = 'login.failed' AND id >= '{since}' AND id < '{since}'"
        );
        let one = explain.replacen("id <", "id <=", 1);
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(one))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(
            plan.contains("events_2027_02") && !plan.contains("events_2027_01"),
            "{plan}"
        );
        assert!(
            !plan.contains("events_2027_03") && !plan.contains("events_rest"),
            "{plan}"
        );
    });
}

/// By a language's rules each look at an index would take a multiple.
#[test]
fn indexes_compare_text_byte_by_byte() {
    on_postgres(|stores: Stores| async move {
        let others = "SELECT coalesce(string_agg(indexrelid::regclass::text, ' '), '') FROM pg_index, unnest(indcollation) AS c \
             WHERE c <> 0 AND c <> '\"C\"'::regcollation AND indrelid IN \
               (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
        assert_eq!(stores.text(others.to_owned()).await, "");
    });
}

/// A row of the ledger changes with each step of its message, and no index is written for it: none holds what changes, and its
/// page has room.
#[test]
fn the_ledgers_indexes_hold_what_stays_alone() {
    on_postgres(|stores: Stores| async move {
        let held = "SELECT string_agg(DISTINCT attname, ' ' ORDER BY attname) FROM pg_depend d \
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
             JOIN pg_index i ON i.indexrelid = d.objid AND i.indrelid = d.refobjid \
             WHERE d.classid = 'pg_class'::regclass AND i.indrelid = 'verifications'::regclass";
        assert_eq!(
            stores.text(held.to_owned()).await,
            "challenge_id country created_at failure user_id"
        );
        stores.one.ledger.keep_months(at(0), never()).await.unwrap();
        let room = "SELECT string_agg(DISTINCT array_to_string(reloptions, ''), ', ') FROM pg_class \
             WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'verifications'::regclass)";
        assert_eq!(stores.text(room.to_owned()).await, "fillfactor=80");
    });
}
