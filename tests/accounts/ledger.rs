//! What the ledger's store promises (`LedgerStore`), on the accounts' own databases.

use chrono::{DateTime, TimeDelta, Utc};
use ringback::{
    ledger::{Event, Row, State, What},
    phone::Country,
    provider::Price,
};
use uuid::Uuid;

use crate::harness::{Stores, at};

/// A challenge's life, each event a second after the one before.
fn life(challenge: u128) -> Vec<Event> {
    let carried = |state, code, price| What::Carried {
        state,
        provider: "twilio",
        message_id: if state == State::Sent {
            "SM1".to_owned()
        } else {
            String::new()
        },
        code,
        price,
    };
    let price = Price {
        micros: 7_500,
        currency: "USD".to_owned(),
    };
    let told = [
        What::Issued {
            user_id: Uuid::from_u128(7),
            country: Country::parse("US").unwrap(),
        },
        carried(State::Sent, None, None),
        carried(State::Undelivered, Some(30_003), None),
        carried(State::Delivered, None, Some(price)),
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
        "country",
        "provider",
        "message_id",
        "state",
        "attempts",
        "error_code",
        "price_micros",
        "currency",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["sent_at", "delivered_at", "verified_at"].map(seconds))
    .map(|column| format!("coalesce(CAST({column} AS text), '-')"))
    .collect::<Vec<_>>()
    .join(" || ' ' || ");
    stores
        .text(format!(
            "SELECT {columns} FROM phone_verifications WHERE challenge_id = '{}'",
            Uuid::from_u128(challenge)
        ))
        .await
}

const WHOLE: &str =
    "00000000-0000-0000-0000-000000000007 verify_phone US twilio SM1 verified 2 30003 7500 USD 1 3 6";

pub async fn a_life_adds_up_whatever_the_order_and_however_often(stores: Stores) {
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
    assert_eq!(stores.count("phone_verifications").await, 4);
}

pub async fn what_is_known_of_a_challenge_at_first_is_kept(stores: Stores) {
    let first = life(1).remove(0);
    stores.one.ledger.write(&[Row::of(first)]).await.unwrap();
    let expected = "00000000-0000-0000-0000-000000000007 verify_phone US - - issued 0 - - - - - -";
    assert_eq!(kept(&stores, 1).await, expected);
    let wrong = life(2).remove(4);
    stores.one.ledger.write(&[Row::of(wrong)]).await.unwrap();
    assert_eq!(
        kept(&stores, 2).await,
        "- verify_phone - - - issued 1 - - - - - -"
    );
}

pub async fn writers_of_the_same_challenges_add_up(stores: Stores) {
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
