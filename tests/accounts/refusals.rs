//! What the store of refusals promises (`RefusalStore`).

use std::net::IpAddr;

use ringback::{
    accounts::{Erased, ErasedBy, Erasure},
    entropy::{Entropy, SystemEntropy},
    events::{EventKind, RefusalKey, RefusalRow},
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, event, register},
    races::all_at_once,
};

fn row(kind: EventKind, user: Option<Uuid>, is_by_user: bool, times: u32) -> RefusalRow {
    let entropy: &dyn Entropy = &SystemEntropy;
    let client = "203.0.113.7".parse::<IpAddr>().unwrap().into();
    let key = match is_by_user {
        true => RefusalKey::of_caller(kind, user, client, "rule-\"1\""),
        false => RefusalKey::of_anyone(kind, user, client, "rule-\"1\""),
    };
    RefusalRow {
        id: entropy.row_id(at(0)),
        at: at(0),
        key,
        times,
    }
}

/// The refusals that were written, one a line.
async fn written(stores: &Stores) -> Vec<String> {
    let lines = match stores.is_sqlite() {
        true => "group_concat(line, char(10))",
        false => "string_agg(line, chr(10))",
    };
    let text = stores
        .text(format!(
            "SELECT coalesce({lines}, '') FROM (SELECT kind || ' ' || actor || ' ' || coalesce(CAST(actor_id AS text), '-') || ' ' || \
             coalesce(CAST(user_id AS text), '-') || ' ' || coalesce(network, '-') || ' ' || details || ' ' || CAST(times AS text) AS line \
             FROM events WHERE details LIKE '%rule%' ORDER BY kind, actor) AS lines"
        ))
        .await;
    text.lines().map(str::to_owned).collect()
}

fn erasure(user: Uuid, session: Uuid) -> Erasure {
    Erasure {
        user,
        by: ErasedBy::Owner { epoch: 0, session },
        event: event(EventKind::AccountDeleted, 10),
    }
}

pub async fn rows_are_written_once(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let rows = [
        row(EventKind::CodeRefused, Some(jane.id), true, 1),
        row(EventKind::LoginFailed, Some(jane.id), false, 4_000_000_000),
        row(EventKind::RequestRefused, None, false, 7),
    ];
    for _ in 0..2 {
        stores.one.refusals.write(&rows).await.unwrap();
    }
    stores.one.refusals.write(&[]).await.unwrap();
    let details = r#"{"reason":"rule-\"1\""}"#;
    assert_eq!(
        written(&stores).await,
        [
            format!("code.refused user {0} {0} 203.0.113.0/24 {details} 1", jane.id),
            format!(
                "login.failed anyone - {} 203.0.113.0/24 {details} 2147483647",
                jane.id
            ),
            format!("request.refused anyone - - 203.0.113.0/24 {details} 7"),
        ]
    );
}

pub async fn a_row_whose_account_is_gone_names_nobody(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let early = row(EventKind::CodeRefused, Some(jane.id), true, 1);
    stores.one.refusals.write(&[early]).await.unwrap();
    let erased = stores.one.records.erase(erasure(jane.id, session)).await;
    assert_eq!(erased.unwrap(), Erased::Erased);
    let late = row(EventKind::LoginFailed, Some(jane.id), true, 2);
    stores.two.refusals.write(&[late]).await.unwrap();
    let details = r#"{"reason":"rule-\"1\""}"#;
    assert_eq!(
        written(&stores).await,
        [
            format!("code.refused user - - - {details} 1"),
            format!("login.failed user - - - {details} 2"),
        ]
    );
}

pub async fn rows_race_with_erasure(stores: Stores) {
    for round in 0..10_i64 {
        let (jane, session) = register(&stores.one, "jane@example.com", "+14152000001").await;
        all_at_once(&stores, 20, move |n, store| async move {
            match n {
                7 => {
                    let erased = store.records.erase(erasure(jane.id, session)).await;
                    assert_eq!(erased.unwrap(), Erased::Erased);
                }
                _ => {
                    let row = row(EventKind::LoginFailed, Some(jane.id), n % 2 == 0, 1);
                    store.refusals.write(&[row]).await.unwrap();
                }
            }
        })
        .await;
        let left = "SELECT CAST(count(*) AS text) FROM events WHERE user_id IS NOT NULL OR actor_id IS NOT NULL OR network IS NOT NULL";
        assert_eq!(stores.text(left.to_owned()).await, "0");
        assert_eq!(written(&stores).await.len() as i64, (round + 1) * 19);
    }
}
