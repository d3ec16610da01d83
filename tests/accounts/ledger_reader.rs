//! What administrators read of the ledger, on both databases.

use ringback::{
    channel::Channel,
    ledger::{Event, MessageGroup, Row, VerificationFilter, What},
    phone::Country,
    provider::{DeliveryStatus, Price},
};
use uuid::Uuid;

use crate::harness::{Stores, at, register};

/// A message to a phone, of that second; it costs a hundredth where it was delivered.
fn message(n: u128, user: Uuid, country: &str, status: DeliveryStatus, second: i64) -> Row {
    let event = |what| Event {
        challenge_id: Uuid::from_u128(n),
        at: at(second),
        what,
    };
    let mut row = Row::of(event(What::Issued {
        user_id: Some(user),
        purpose: "verify_phone",
        channel: Channel::Sms,
        country: Country::parse(country),
    }));
    let price = Price {
        micros: 10_000,
        currency: "USD".to_owned(),
    };
    row.add(event(What::Carried {
        status,
        provider: "twilio",
        message_id: format!("SM{n}"),
        error_code: (status == DeliveryStatus::Failed).then_some(21_211),
        price: (status == DeliveryStatus::Delivered).then_some(price),
    }));
    if status == DeliveryStatus::Delivered {
        row.add(event(What::Verified));
    }
    row
}

fn filter(limit: u32) -> VerificationFilter {
    VerificationFilter {
        limit,
        ..VerificationFilter::default()
    }
}

/// Jane and John, and six messages, two of which were made at one time.
async fn written(stores: &Stores) -> (Uuid, Uuid) {
    let jane = register(&stores.one, "jane@example.com", "+14152000001")
        .await
        .0
        .id;
    let john = register(&stores.one, "john@example.com", "+14152000002")
        .await
        .0
        .id;
    let rows = [
        message(1, jane, "US", DeliveryStatus::Delivered, 10),
        message(2, jane, "US", DeliveryStatus::Failed, 20),
        message(3, john, "DE", DeliveryStatus::Delivered, 20),
        message(4, john, "DE", DeliveryStatus::Sent, 30),
        message(5, jane, "DE", DeliveryStatus::Undelivered, 7300),
        message(6, john, "US", DeliveryStatus::Delivered, 7301),
    ];
    stores.one.ledger.write(&rows).await.unwrap();
    (jane, john)
}

pub async fn rows_are_filtered_and_come_page_by_page(stores: Stores) {
    let (jane, john) = written(&stores).await;
    let ids = async |filter: &VerificationFilter| -> Vec<u128> {
        let rows = stores.two.ledger_reader.page(filter).await.unwrap();
        rows.iter().map(|row| row.challenge_id.as_u128()).collect()
    };
    assert_eq!(ids(&filter(100)).await, [6, 5, 4, 3, 2, 1]);
    let of = |user, country: Option<&str>, status| VerificationFilter {
        user,
        country: country.and_then(Country::parse),
        status,
        ..filter(100)
    };
    assert_eq!(ids(&of(Some(jane), None, None)).await, [5, 2, 1]);
    assert_eq!(ids(&of(None, Some("DE"), None)).await, [5, 4, 3]);
    assert_eq!(
        ids(&of(None, None, Some(DeliveryStatus::Delivered))).await,
        [6, 3, 1]
    );
    assert_eq!(ids(&of(None, None, Some(DeliveryStatus::Failed))).await, [2]);
    assert_eq!(ids(&of(None, None, Some(DeliveryStatus::Undelivered))).await, [5]);
    assert_eq!(
        ids(&of(Some(john), Some("US"), Some(DeliveryStatus::Delivered))).await,
        [6]
    );
    assert!(ids(&of(Some(john), Some("FR"), None)).await.is_empty());
    for limit in [1, 2, 4] {
        let (mut all, mut next) = (Vec::new(), filter(limit));
        loop {
            let rows = stores.one.ledger_reader.page(&next).await.unwrap();
            let Some(last) = rows.last() else { break };
            next.after = Some((last.created_at, last.challenge_id));
            all.extend(rows.iter().map(|row| row.challenge_id.as_u128()));
        }
        assert_eq!(all, [6, 5, 4, 3, 2, 1], "{limit}");
    }
    let row = stores
        .one
        .ledger_reader
        .page(&of(Some(jane), Some("US"), None))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (row.error_code, row.message_id.as_deref(), &*row.status),
        (Some(21_211), Some("SM2"), "failed")
    );
    assert_eq!(
        (row.user_id, row.price_micros, row.verified_at),
        (Some(jane), None, None)
    );
}

pub async fn messages_add_up_by_country_and_hour(stores: Stores) {
    written(&stores).await;
    let groups = stores.two.ledger_reader.groups(at(15)).await.unwrap();
    let total = |of: fn(&MessageGroup) -> i64, country: &str| -> i64 {
        let all = groups
            .iter()
            .filter(|group| group.country.as_deref() == Some(country));
        all.map(of).sum()
    };
    for (country, messages, delivered, failed, verified, micros) in
        [("US", 2, 1, 1, 1, 10_000), ("DE", 3, 1, 1, 1, 10_000)]
    {
        assert_eq!(total(|group| group.messages, country), messages, "{country}");
        assert_eq!(total(|group| group.delivered, country), delivered, "{country}");
        assert_eq!(total(|group| group.failed, country), failed, "{country}");
        assert_eq!(total(|group| group.verified, country), verified, "{country}");
        assert_eq!(total(|group| group.price_micros, country), micros, "{country}");
    }
    assert!(groups.iter().all(|group| group.channel.as_deref() == Some("sms")));
    let hours = stores.two.ledger_reader.hours(at(0)).await.unwrap();
    let first = at(0).timestamp().div_euclid(3600);
    let shown: Vec<_> = hours
        .iter()
        .map(|hour| (hour.hour - first, hour.messages, hour.verified))
        .collect();
    assert_eq!(shown, [(0, 4, 2), (2, 2, 1)]);
}
