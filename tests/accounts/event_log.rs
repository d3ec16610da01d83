//! The log of events: what administrators did that changed no account, and what they read.

use ringback::{
    entropy::{Entropy, SystemEntropy},
    events::{EventFilter, EventKind, NewEvent, RefusalKey, RefusalRow, Source, StoredEvent},
};
use uuid::Uuid;

use crate::harness::{Store, Stores, at, register};

fn filter(limit: u32) -> EventFilter {
    EventFilter {
        limit,
        ..EventFilter::default()
    }
}

async fn page(store: &Store, filter: &EventFilter) -> Vec<StoredEvent> {
    store.event_log.page(filter).await.unwrap()
}

/// An event by an administrator, of that second.
fn viewed(second: i64) -> NewEvent {
    let network = ringback::limits::ClientNetwork::of("203.0.113.7".parse().unwrap(), 64);
    let by = Source::administrator(Uuid::from_u128(9), network, Some("<b>she asked</b>".to_owned()));
    NewEvent::new(EventKind::UserViewed, by, at(second), &SystemEntropy).with("n", 7)
}

pub async fn what_was_noted_comes_back_as_it_was(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let event = viewed(5);
    stores.one.event_log.note(&event, Some(jane.id)).await.unwrap();
    let found = page(&stores.two, &filter(1)).await.remove(0);
    assert_eq!(
        (found.id, &*found.kind, &*found.actor),
        (event.id, "user.viewed", "administrator")
    );
    assert_eq!(
        (found.actor_id, found.user_id),
        (Some(Uuid::from_u128(9)), Some(jane.id))
    );
    assert_eq!(found.network.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(found.reason.as_deref(), Some("<b>she asked</b>"));
    assert_eq!((found.details["n"].as_i64(), found.times), (Some(7), 1));
    assert_eq!(found.at.timestamp_micros(), at(5).timestamp_micros());
    assert!(!format!("{found:?}").contains("she asked"));
}

pub async fn an_account_that_is_not_there_is_not_named(stores: Stores) {
    let event = viewed(5);
    let nobody = Some(Uuid::from_u128(8));
    stores.one.event_log.note(&event, nobody).await.unwrap();
    let found = page(&stores.two, &filter(1)).await.remove(0);
    assert_eq!((found.id, found.user_id), (event.id, None));
}

pub async fn events_are_filtered_and_come_page_by_page(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let (john, _) = register(&stores.one, "john@example.com", "+14152000002").await;
    let mut mine = Vec::new();
    for second in 10..20 {
        let (event, about) = (viewed(second), if second % 2 == 0 { jane.id } else { john.id });
        stores.one.event_log.note(&event, Some(about)).await.unwrap();
        mine.push(event.id);
    }
    mine.reverse();
    let ids = async |filter: &EventFilter| -> Vec<Uuid> {
        page(&stores.two, filter)
            .await
            .iter()
            .map(|event| event.id)
            .collect()
    };
    let viewed = EventFilter {
        kind: Some(EventKind::UserViewed),
        ..filter(100)
    };
    assert_eq!(ids(&viewed).await, mine);
    let of_jane = EventFilter {
        user: Some(jane.id),
        ..viewed.clone()
    };
    let evens: Vec<_> = mine.iter().copied().skip(1).step_by(2).collect();
    assert_eq!(ids(&of_jane).await, evens);
    let all_of_jane = EventFilter {
        kind: None,
        ..of_jane
    };
    assert_eq!(
        ids(&all_of_jane).await.len(),
        5 + 2,
        "registered and signed in as well"
    );
    let since = EventFilter {
        since: Some(at(17)),
        ..viewed.clone()
    };
    assert_eq!(ids(&since).await, mine[..3]);
    let mut collected = Vec::new();
    let mut next = EventFilter {
        limit: 3,
        ..viewed.clone()
    };
    loop {
        let some = ids(&next).await;
        let Some(&last) = some.last() else { break };
        collected.extend(some);
        next.before = Some(last);
    }
    assert_eq!(collected, mine);
    // What came since, the oldest first.
    let after = EventFilter {
        after: Some(mine[4]),
        limit: 2,
        ..viewed
    };
    assert_eq!(ids(&after).await, [mine[3], mine[2]]);
}

pub async fn what_was_refused_adds_up_by_reason_and_hour(stores: Stores) {
    let log = &stores.one.event_log;
    let kinds = [EventKind::RequestRefused, EventKind::LoginFailed];
    for (n, (kind, reason, times, second)) in [
        ("request.refused", "a-rule", 5, 10),
        ("request.refused", "a-rule", 2, 7300),
        ("request.refused", "another", 1, 20),
        ("login.failed", "invalid_credentials", 3, 20),
        ("code.refused", "otp_invalid", 9, 20),
        ("request.refused", "a-rule", 100, -7000),
    ]
    .into_iter()
    .enumerate()
    {
        let millis = u64::try_from(at(second).timestamp_millis()).unwrap();
        let id =
            uuid::Builder::from_unix_timestamp_millis(millis, &[u8::try_from(n).unwrap(); 10]).into_uuid();
        let time = match stores.is_sqlite() {
            true => at(second).timestamp_micros().to_string(),
            false => format!("'{}'", at(second).to_rfc3339()),
        };
        stores
            .sql(format!(
                "INSERT INTO events (id, at, kind, actor, details, times) \
                 VALUES ('{id}', {time}, '{kind}', 'anyone', '{{\"reason\":\"{reason}\"}}', {times})"
            ))
            .await;
    }
    let counts = log.counts(&kinds, at(0), at(7301)).await.unwrap();
    let shown: Vec<_> = counts
        .iter()
        .map(|count| (&*count.kind, &*count.reason, count.times))
        .collect();
    let expected = [
        ("request.refused", "a-rule", 7),
        ("login.failed", "invalid_credentials", 3),
        ("request.refused", "another", 1),
    ];
    assert_eq!(shown, expected);
    let clients = log.refused_clients(&kinds, at(0), 2).await.unwrap();
    let shown: Vec<_> = clients
        .iter()
        .map(|client| {
            (
                &*client.reason,
                client.times,
                client.last_at.timestamp() - at(0).timestamp(),
            )
        })
        .collect();
    assert_eq!(shown, [("a-rule", 7, 7300), ("invalid_credentials", 3, 20)]);
    let sum = async |kinds: &[EventKind], from, to| {
        let counts = log.counts(kinds, at(from), at(to)).await.unwrap();
        counts.iter().map(|count| count.times).sum::<i64>()
    };
    assert_eq!(sum(&kinds, 0, 7300).await, 9, "until before the end");
    assert_eq!(sum(&kinds, 20, 7301).await, 6, "from the begin on");
    assert_eq!(sum(&[EventKind::PasswordReset], 0, 7301).await, 0);
}

pub async fn who_was_refused_is_told_by_network_and_account(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let client = |last: u8| {
        format!("203.0.{last}.7")
            .parse::<std::net::IpAddr>()
            .unwrap()
            .into()
    };
    let refused = EventKind::RequestRefused;
    let keys = [
        (
            RefusalKey::of_caller(refused, Some(jane.id), client(1), "a-rule"),
            2,
        ),
        (RefusalKey::of_anyone(refused, None, client(1), "a-rule"), 3),
        (RefusalKey::of_anyone(refused, None, client(2), "a-rule"), 4),
        (RefusalKey::of_anyone(refused, None, client(2), "another"), 1),
    ];
    for second in [60, 120] {
        let rows: Vec<_> = keys
            .iter()
            .map(|(key, times)| RefusalRow {
                id: (&SystemEntropy as &dyn Entropy).row_id(at(second)),
                at: at(second),
                key: key.clone(),
                times: *times,
            })
            .collect();
        stores.one.refusals.write(&rows).await.unwrap();
    }
    let clients = stores
        .two
        .event_log
        .refused_clients(&[refused], at(0), 3)
        .await
        .unwrap();
    let shown: Vec<_> = clients
        .iter()
        .map(|one| {
            (
                &*one.reason,
                one.network.as_deref().unwrap(),
                one.user_id,
                one.times,
                one.last_at.timestamp(),
            )
        })
        .collect();
    let expected = [
        ("203.0.2.0/24", None, 8),
        ("203.0.1.0/24", None, 6),
        ("203.0.1.0/24", Some(jane.id), 4),
    ];
    assert_eq!(
        shown,
        expected.map(|(network, user, times)| ("a-rule", network, user, times, at(120).timestamp()))
    );
    let since = stores
        .one
        .event_log
        .refused_clients(&[refused], at(61), 9)
        .await
        .unwrap();
    assert_eq!(
        since.iter().map(|one| one.times).collect::<Vec<_>>(),
        [4, 3, 2, 1]
    );
}
