//! All that is kept about a user: an export has it, and erasure leaves nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use ringback::{
    accounts::{Claimant, Erased, ErasedBy, Erasure, Grant, Granted, Kept, RECORD_TABLES, Rotated, User},
    entropy::SystemEntropy,
    events::{EventKind, NewEvent, NewNotice, NoticeAddress, NoticeKind, Source},
    ledger::{Event, Row, What},
    limits::ClientNetwork,
    tokens::Role,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{
        Stores, at, email_verified, event, new_session, phone, phone_verified, register, session_ended,
    },
    races::{all_at_once, tally},
    sessions::rotation,
};

const PHONE: &str = "+14152000001";

/// A user of whom every table has something, with a session.
async fn lived(stores: &Stores) -> (User, Uuid) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let client = ClientNetwork::of("203.0.113.7".parse().unwrap(), 64);
    let support = Source {
        reason: Some("she asked".to_owned()),
        ..Source::user(jane.id, client)
    };
    let verified = NewEvent::new(EventKind::PhoneVerified, support, at(1), &SystemEntropy);
    let claimant = Claimant::User(jane.id);
    stores
        .one
        .proofs
        .verify_phone(&phone(PHONE), &claimant, verified)
        .await
        .unwrap();
    let notice = NewNotice::new(NoticeKind::PasswordReset, None, at(2), &SystemEntropy);
    stores
        .insert_notice(
            &notice,
            jane.id,
            &NoticeAddress::Email(jane.email.clone().unwrap()),
        )
        .await;
    let issued = issued(jane.id, Uuid::from_u128(1));
    stores.one.ledger.write(&[issued]).await.unwrap();
    let email = jane.email.as_ref().unwrap();
    stores
        .one
        .proofs
        .verify_email(email, &claimant, email_verified(1))
        .await
        .unwrap();
    let elsewhere = ClientNetwork::of("198.51.100.7".parse().unwrap(), 64);
    let administrator = Source::administrator(Uuid::from_u128(9), elsewhere, None);
    let grant = Grant {
        user: jane.id,
        role: Role::Support,
        by: None,
        event: NewEvent::new(EventKind::RoleGranted, administrator, at(2), &SystemEntropy),
    };
    assert_eq!(
        stores.one.administrators.grant(&grant).await.unwrap(),
        Granted::Granted
    );
    (jane, session)
}

fn issued(user_id: Uuid, challenge_id: Uuid) -> Row {
    Row::of(Event {
        challenge_id,
        at: at(0),
        what: What::Issued {
            user_id: Some(user_id),
            purpose: "verify_phone",
            channel: ringback::channel::Channel::Sms,
            country: None,
        },
    })
}

fn erasure(user: Uuid, session: Uuid) -> Erasure {
    Erasure {
        user,
        by: ErasedBy::Owner { epoch: 0, session },
        event: event(EventKind::AccountDeleted, 10),
    }
}

pub async fn every_column_has_its_place_in_an_export(stores: Stores) {
    let columns = match stores.is_sqlite() {
        true => {
            "SELECT group_concat(m.name || '.' || c.name, ' ') FROM sqlite_master m, pragma_table_info(m.name) c \
                 WHERE m.type = 'table'"
        }
        false => {
            "SELECT string_agg(table_name || '.' || column_name, ' ') FROM information_schema.columns \
                  WHERE table_schema = 'public' AND table_name NOT LIKE '%rest'"
        }
    };
    let columns = stores.text(columns.to_owned()).await;
    let mut tables: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for column in columns.split(' ') {
        let (table, column) = column.split_once('.').unwrap();
        tables.entry(table).or_default().insert(column);
    }
    // What has nothing about anybody.
    for table in [
        "heartbeat",
        "event_webhooks",
        "event_deliveries",
        "_sqlx_migrations",
        "sqlite_sequence",
        "sqlite_stat1",
    ] {
        tables.remove(table);
    }
    let known = RECORD_TABLES.iter().map(|table| {
        let columns = table.columns.iter().map(|(column, _)| *column);
        (table.name, columns.collect())
    });
    assert_eq!(tables, known.collect());
}

pub async fn an_export_has_all_but_what_proves_who_somebody_is(stores: Stores) {
    let (jane, session) = lived(&stores).await;
    register(&stores.one, "john@example.com", "+14152000002").await;
    let export = stores.two.records.export(jane.id).await.unwrap().unwrap();
    for table in RECORD_TABLES {
        let rows = export[table.name].as_array().unwrap();
        assert!(!rows.is_empty(), "{}", table.name);
        for row in rows {
            assert_eq!(row[table.whose], jane.id.to_string(), "{}", table.name);
            for (column, kept) in table.columns {
                let value = row.get(column);
                match (kept, value) {
                    (Kept::Secret, value) => assert_eq!(value, None, "{column}"),
                    (Kept::Time, Some(Value::String(time))) => {
                        assert!(
                            time.ends_with('Z') && DateTime::parse_from_rfc3339(time).is_ok(),
                            "{time}"
                        );
                    }
                    (Kept::Time, Some(Value::Null)) => {}
                    (Kept::Flag, Some(Value::Bool(_))) => {}
                    (Kept::Object, Some(Value::Object(_))) => {}
                    (Kept::Plain | Kept::Actor | Kept::Origin, Some(_)) => {}
                    (kept, value) => panic!("{column} is {kept:?}: {value:?}"),
                }
            }
        }
    }
    assert_eq!(export["users"][0]["phone_verified"], true);
    assert_eq!(export["users"][0]["created_at"], "2027-01-15T08:00:00.123456Z");
    assert_eq!(export["sessions"][0]["id"], session.to_string());
    // Who helped has a life of their own.
    let events = export["events"].as_array().unwrap().iter();
    let networks: Vec<_> = events
        .map(|event| (&event["kind"], &event["actor_id"], &event["network"]))
        .collect();
    let of = |kind: &str| networks.iter().find(|(of, ..)| *of == kind).unwrap();
    let (id, network) = (json!(jane.id), json!("203.0.113.0/24"));
    assert_eq!(
        *of("role.granted"),
        (&json!("role.granted"), &Value::Null, &Value::Null)
    );
    assert_eq!(*of("phone.verified"), (&json!("phone.verified"), &id, &network));
    assert_eq!(export["notices"][0]["address"], "jane@example.com");
    assert_eq!(stores.one.records.export(Uuid::nil()).await.unwrap(), None);
}

pub async fn erasure_leaves_nothing_of_whose_it_was(stores: Stores) {
    let (jane, session) = lived(&stores).await;
    let (john, johns) = register(&stores.one, "john@example.com", "+14152000002").await;
    let erase = |erasure| {
        let records = stores.two.records.clone();
        async move { records.erase(erasure).await.unwrap() == Erased::Erased }
    };
    // What an administrator did to the account, and what the account did to another as one.
    let by = |user, address: &str| {
        let client = ClientNetwork::of(address.parse().unwrap(), 64);
        let by = Source::administrator(user, client, Some("asked by phone".to_owned()));
        NewEvent::new(EventKind::UserViewed, by, at(2), &SystemEntropy)
    };
    let log = &stores.one.event_log;
    log.note(&by(john.id, "198.51.100.7"), Some(jane.id))
        .await
        .unwrap();
    log.note(&by(jane.id, "203.0.113.7"), Some(john.id))
        .await
        .unwrap();
    // Not by another's session, an ended one, or for a proof of an older epoch.
    assert!(!erase(erasure(jane.id, johns)).await);
    let mut old = erasure(jane.id, session);
    old.by = ErasedBy::Owner { epoch: 7, session };
    assert!(!erase(old).await);
    let ended = new_session(jane.id);
    let ended_id = ended.id;
    stores.one.sessions.open(ended).await.unwrap();
    stores
        .one
        .sessions
        .revoke(ended_id, session_ended(3))
        .await
        .unwrap();
    assert!(!erase(erasure(jane.id, ended_id)).await);

    assert!(erase(erasure(jane.id, session)).await);
    assert!(!erase(erasure(jane.id, session)).await);
    assert_eq!(stores.one.sessions.view(session).await.unwrap(), None);
    assert!(stores.one.sessions.view(johns).await.unwrap().is_some());
    assert_eq!(stores.count("users").await, 1);
    assert_eq!(stores.count("notices").await, 0);
    assert_eq!(stores.count("verifications").await, 1);
    let whole = |table: &str| {
        match stores.is_sqlite() {
        true => "SELECT group_concat(coalesce(user_id, '') || coalesce(actor_id, '') || coalesce(network, '') || coalesce(reason, '')) FROM events".to_owned(),
        false => format!("SELECT string_agg({table}::text, ' ') FROM {table}"),
    }
    };
    let events = stores.text(whole("events")).await;
    for part in [&jane.id.to_string(), "203.0.113", "she asked"] {
        assert!(!events.contains(part), "{part} in {events}");
    }
    let audited = format!(
        "SELECT CAST(count(*) AS text) FROM events WHERE actor_id = '{}' AND network = '198.51.100.0/24' AND reason IS NULL",
        john.id
    );
    assert_eq!(
        stores.text(audited).await,
        "1",
        "who acted on the account stays named"
    );
    let orphans = "SELECT CAST(count(*) AS text) FROM verifications WHERE user_id IS NULL";
    assert_eq!(stores.text(orphans.to_owned()).await, "1");
    let deleted = "SELECT CAST(count(*) AS text) FROM events WHERE kind = 'account.deleted'";
    assert_eq!(stores.text(deleted.to_owned()).await, "1");
    let johns_events = format!(
        "SELECT CAST(count(*) AS text) FROM events WHERE user_id = '{}'",
        john.id
    );
    assert_eq!(stores.text(johns_events).await, "3");
    if stores.is_sqlite() {
        // Nor does the file keep what stood where.
        let file = stores.url.trim_start_matches("sqlite://");
        for file in [file.to_owned(), format!("{file}-wal")] {
            let bytes = std::fs::read(&file).unwrap();
            for part in ["jane@example.com", PHONE, "she asked"] {
                let is_there = bytes.windows(part.len()).any(|window| window == part.as_bytes());
                assert!(!is_there, "{part} in {file}");
            }
        }
    }
    // The address is free again.
    register(&stores.one, "jane@example.com", PHONE).await;
}

pub async fn erasure_races_with_all_that_changes_an_account(stores: Stores) {
    for _ in 0..10 {
        let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
        let second = new_session(jane.id);
        let ending = second.id;
        stores.one.sessions.open(second).await.unwrap();
        let email = jane.email.clone();
        let outcomes = all_at_once(&stores, 60, move |n, store| {
            let email = email.clone();
            async move {
                let done = match n % 7 {
                    0 => {
                        let erased = store.records.erase(erasure(jane.id, session)).await.unwrap();
                        erased == Erased::Erased
                    }
                    1 => {
                        let opened = store.sessions.open(new_session(jane.id)).await.unwrap();
                        opened.is_some()
                    }
                    2 => {
                        let rotated = store.sessions.rotate(rotation(session, 0, 5)).await.unwrap();
                        matches!(rotated, Rotated::Rotated { .. })
                    }
                    3 => {
                        let claimant = Claimant::User(jane.id);
                        store
                            .proofs
                            .verify_phone(&phone(PHONE), &claimant, phone_verified(1))
                            .await
                            .unwrap();
                        false
                    }
                    4 => {
                        store
                            .proofs
                            .verify_email(email.as_ref().unwrap(), &Claimant::Anyone, email_verified(1))
                            .await
                            .unwrap();
                        false
                    }
                    5 => {
                        // Each tells of one of its own and of one that all tell of.
                        let shared = issued(jane.id, Uuid::from_u128(1));
                        let own = issued(jane.id, Uuid::from_u128(100 + n as u128));
                        store.ledger.write(&[shared, own]).await.unwrap();
                        false
                    }
                    _ => {
                        store.sessions.revoke(ending, session_ended(2)).await.unwrap();
                        false
                    }
                };
                (n % 7 == 0, done)
            }
        });
        let erased = tally(outcomes.await)[&(true, true)];
        assert_eq!(erased, 1);
        assert_eq!(stores.count("users").await + stores.count("sessions").await, 0);
        let left =
            "SELECT CAST(count(*) AS text) FROM events WHERE user_id IS NOT NULL OR actor_id IS NOT NULL";
        assert_eq!(stores.text(left.to_owned()).await, "0");
        let left = "SELECT CAST(count(*) AS text) FROM verifications WHERE user_id IS NOT NULL";
        assert_eq!(stores.text(left.to_owned()).await, "0");
    }
}
