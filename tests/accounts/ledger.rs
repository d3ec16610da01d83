//! What the ledger's store promises (`LedgerStore`), on the accounts' own databases.

use chrono::{DateTime, TimeDelta, Utc};
use ringback::{
    accounts::{Erased, ErasedBy, Erasure, NewUser},
    channel::Channel,
    events::EventKind,
    ledger::{Event, Row, What},
    phone::Country,
    provider::{DeliveryStatus, Price},
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, event, new_session, new_user},
    races::all_at_once,
};

/// Whose the challenges are.
const JANE: Uuid = Uuid::from_u128(7);

/// Makes her account; answers her session.
async fn jane(stores: &Stores) -> Uuid {
    let user = NewUser {
        id: JANE,
        ..new_user("jane@example.com", "+14152000001")
    };
    let session = new_session(JANE);
    let id = session.id;
    stores.one.users.register(user, session).await.unwrap();
    id
}

/// A challenge's life, each event a second after the one before.
fn life(challenge: u128) -> Vec<Event> {
    let carried = |status, error_code, price| What::Carried {
        status,
        provider: "twilio",
        message_id: if status == DeliveryStatus::Sent {
            "SM1".to_owned()
        } else {
            String::new()
        },
        error_code,
        price,
    };
    let price = Price {
        micros: 7_500,
        currency: "USD".to_owned(),
    };
    let told = [
        What::Issued {
            user_id: Some(JANE),
            purpose: "verify_phone",
            channel: Channel::Sms,
            country: Country::parse("US"),
        },
        carried(DeliveryStatus::Sent, None, None),
        carried(DeliveryStatus::Undelivered, Some(30_003), None),
        carried(DeliveryStatus::Delivered, None, Some(price)),
        What::Wrong { attempts: 1 },
        What::Wrong { attempts: 2 },
        What::Verified,
    ];
    let event = |(second, what)| Event {
        challenge_id: Uuid::from_u128(challenge),
        at: at(second),
        what,
    };
    (0_i64..).zip(told).map(event).collect()
}

fn row(events: impl IntoIterator<Item = Event>) -> Row {
    let mut events = events.into_iter();
    let mut row = Row::of(events.next().unwrap());
    events.for_each(|event| row.add(event));
    row
}

/// All that is kept of a challenge, times as their distance from each other.
async fn kept(stores: &Stores, challenge: u128) -> String {
    let seconds = |column: &str| match stores.is_sqlite() {
        true => format!("({column} - created_at) / 1000000"),
        false => format!("CAST(extract(epoch FROM {column} - created_at) AS bigint)"),
    };
    let columns = [
        "user_id",
        "purpose",
        "channel",
        "country",
        "provider",
        "message_id",
        "status",
        "attempts",
        "error_code",
        "price_micros",
        "currency",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["sent_at", "settled_at", "verified_at"].map(seconds))
    .map(|column| format!("coalesce(CAST({column} AS text), '-')"))
    .collect::<Vec<_>>()
    .join(" || ' ' || ");
    stores
        .text(format!(
            "SELECT {columns} FROM verifications WHERE challenge_id = '{}'",
            Uuid::from_u128(challenge)
        ))
        .await
}

const WHOLE: &str =
    "00000000-0000-0000-0000-000000000007 verify_phone sms US twilio SM1 undelivered 2 30003 7500 USD 1 2 6";

pub async fn a_life_adds_up_whatever_the_order_and_however_often(stores: Stores) {
    jane(&stores).await;
    let ledger = &stores.one.ledger;
    ledger.write(&[row(life(1)), row(life(2))]).await.unwrap();
    for (challenge, reversed) in [(3, false), (4, true)] {
        let mut events = life(challenge);
        if reversed {
            events.reverse();
        }
        for event in events {
            let row = [Row::of(event)];
            ledger.write(&row).await.unwrap();
            ledger.write(&row).await.unwrap();
        }
    }
    for challenge in 1..=4 {
        assert_eq!(kept(&stores, challenge).await, WHOLE, "{challenge}");
    }
    ledger.write(&[]).await.unwrap();
    assert_eq!(stores.count("verifications").await, 4);
}

pub async fn what_is_known_of_a_challenge_at_first_is_kept(stores: Stores) {
    jane(&stores).await;
    let first = life(1).remove(0);
    stores.one.ledger.write(&[Row::of(first)]).await.unwrap();
    let expected = "00000000-0000-0000-0000-000000000007 verify_phone sms US - - queued 0 - - - - - -";
    assert_eq!(kept(&stores, 1).await, expected);
    let wrong = life(2).remove(4);
    stores.one.ledger.write(&[Row::of(wrong)]).await.unwrap();
    assert_eq!(kept(&stores, 2).await, "- - - - - - queued 1 - - - - - -");
}

/// As a provider may: failed by one receipt, delivered by the next.
pub async fn a_final_status_stays_with_its_error_code(stores: Stores) {
    let carried = |second, status, error_code| Event {
        challenge_id: Uuid::from_u128(1),
        at: at(second),
        what: What::Carried {
            status,
            provider: "twilio",
            message_id: String::new(),
            error_code,
            price: None,
        },
    };
    let status = async || {
        stores
            .text(
                "SELECT status || ' ' || coalesce(CAST(error_code AS text), '-') FROM verifications"
                    .to_owned(),
            )
            .await
    };
    let failed = carried(1, DeliveryStatus::Failed, Some(30_003));
    let later = [
        carried(2, DeliveryStatus::Delivered, None),
        carried(3, DeliveryStatus::Sent, None),
        carried(4, DeliveryStatus::Undelivered, Some(30_005)),
    ];
    stores.one.ledger.write(&[Row::of(failed.clone())]).await.unwrap();
    for event in &later {
        stores.one.ledger.write(&[Row::of(event.clone())]).await.unwrap();
        assert_eq!(status().await, "failed 30003");
    }
    let together = row(std::iter::once(failed).chain(later));
    assert_eq!(
        (together.status, together.error_code),
        (DeliveryStatus::Failed, Some(30_003))
    );
    assert_eq!(together.settled_at, Some(at(1)));
    // What came earlier and is told late is what came first.
    let earlier = carried(0, DeliveryStatus::Delivered, None);
    stores.one.ledger.write(&[Row::of(earlier)]).await.unwrap();
    assert_eq!(status().await, "delivered -");
}

pub async fn writers_of_the_same_challenges_add_up(stores: Stores) {
    jane(&stores).await;
    let writes = life(0).into_iter().map(|event| {
        let ledger = stores.one.ledger.clone();
        tokio::spawn(async move {
            let rows: Vec<_> = (1..=50)
                .map(|challenge| {
                    Row::of(Event {
                        challenge_id: Uuid::from_u128(challenge),
                        ..event.clone()
                    })
                })
                .collect();
            ledger.write(&rows).await.unwrap();
        })
    });
    futures_util::future::try_join_all(writes).await.unwrap();
    for challenge in 1..=50 {
        assert_eq!(kept(&stores, challenge).await, WHOLE);
    }
}

/// The first half of the challenges is known when the account goes, the other half is told only then.
pub async fn what_is_told_after_an_erasure_names_nobody(stores: Stores) {
    let session = jane(&stores).await;
    let (ledger, whose) = (
        &stores.one.ledger,
        "SELECT coalesce(max(CAST(user_id AS text)), '-') FROM verifications",
    );
    let rows: Vec<_> = (1..=4).map(|challenge| row(life(challenge))).collect();
    ledger.write(&rows[..2]).await.unwrap();
    assert_eq!(stores.text(whose.to_owned()).await, JANE.to_string());
    let erasure = Erasure {
        user: JANE,
        by: ErasedBy::Owner { epoch: 0, session },
        event: event(EventKind::AccountDeleted, 10),
    };
    assert_eq!(stores.two.records.erase(erasure).await.unwrap(), Erased::Erased);
    ledger.write(&rows).await.unwrap();
    assert_eq!(stores.count("verifications").await, 4);
    assert_eq!(stores.text(whose.to_owned()).await, "-");
}

/// Whoever is told of a challenge before the erasure, beside it or after it: nobody is named in the end.
pub async fn rows_race_with_erasure(stores: Stores) {
    for round in 0..10_u128 {
        let session = jane(&stores).await;
        all_at_once(&stores, 20, move |n, store| async move {
            if n == 7 {
                let erasure = Erasure {
                    user: JANE,
                    by: ErasedBy::Owner { epoch: 0, session },
                    event: event(EventKind::AccountDeleted, 10),
                };
                assert_eq!(store.records.erase(erasure).await.unwrap(), Erased::Erased);
            } else {
                let first = 1 + round * 1000 + n as u128 * 50;
                let rows: Vec<_> = (first..first + 50)
                    .map(|challenge| row(life(challenge)))
                    .collect();
                store.ledger.write(&rows).await.unwrap();
                // What is typed meanwhile of all others' as well.
                let every = (0..1000).step_by(4).map(|n| life(1 + round * 1000 + n).remove(6));
                let typed: Vec<_> = every.map(Row::of).collect();
                store.ledger.write(&typed).await.unwrap();
            }
        })
        .await;
        let named = "SELECT CAST(count(*) AS text) FROM verifications WHERE user_id IS NOT NULL";
        assert_eq!(stores.text(named.to_owned()).await, "0", "round {round}");
    }
}

pub async fn what_is_old_is_purged_so_many_at_a_time(stores: Stores) {
    let rows: Vec<_> = (1..=10).map(|challenge| row(life(challenge))).collect();
    stores.one.ledger.write(&rows).await.unwrap();
    let purge = async |before: DateTime<Utc>, limit| stores.one.ledger.purge(before, limit).await.unwrap();
    assert_eq!(purge(at(0), 100).await, 0);
    let later = at(0) + TimeDelta::microseconds(1);
    assert_eq!(
        [
            purge(later, 6).await,
            purge(later, 6).await,
            purge(later, 6).await
        ],
        [6, 4, 0]
    );
}
