//! From which networks an account was signed in to.

use std::net::IpAddr;

use ringback::{
    accounts::{Claimant, Login, NewSession},
    entropy::SystemEntropy,
    events::{EventKind, NewEvent, Source},
};
use uuid::Uuid;

use crate::harness::{Stores, at, new_session, phone, phone_verified, register};

const PHONE: &str = "+14152000001";

fn session_from(user: Uuid, client: &str, second: i64) -> NewSession {
    let client: IpAddr = client.parse().unwrap();
    let source = Source::user(user, client.into());
    NewSession {
        now: at(second),
        event: NewEvent::new(EventKind::SessionOpened, source, at(second), &SystemEntropy),
        ..new_session(user)
    }
}

pub async fn a_network_is_known_once_a_session_was_opened_from_there(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (joe, _) = register(&stores.one, "joe@example.com", PHONE).await;
    let by_email = |user: &ringback::accounts::User| Login::Email(user.email.clone().unwrap());
    let by_phone = Login::Phone(phone(PHONE));
    for (user, client, second) in [
        (&jane, "203.0.113.7", 100),
        (&jane, "203.0.113.8", 110),
        (&jane, "2001:db8:1:2::7", 200),
        (&joe, "198.51.100.7", 100),
    ] {
        let opened = stores
            .one
            .sessions
            .open(session_from(user.id, client, second))
            .await;
        assert!(opened.unwrap().is_some());
    }
    let knows = async |login: &Login, network: &str, since: i64| {
        stores
            .two
            .networks
            .knows(login, network, at(since))
            .await
            .unwrap()
    };
    for (network, since, is_known) in [
        ("203.0.113.0/24", 0, true),
        ("203.0.113.0/24", 110, true),
        ("203.0.113.0/24", 111, false),
        ("2001:db8:1::/48", 111, true),
        ("2001:db8:2::/48", 0, false),
        ("198.51.100.0/24", 0, false),
    ] {
        assert_eq!(
            knows(&by_email(&jane), network, since).await,
            is_known,
            "{network} {since}"
        );
        assert!(
            !knows(&by_phone, network, since).await,
            "nobody has proven the phone"
        );
    }
    assert!(knows(&by_email(&joe), "198.51.100.0/24", 0).await);
    let claimant = Claimant::User(jane.id);
    stores
        .one
        .proofs
        .verify_phone(&phone(PHONE), &claimant, phone_verified(300))
        .await
        .unwrap();
    assert!(knows(&by_phone, "203.0.113.0/24", 0).await);
    assert!(
        !knows(&by_phone, "198.51.100.0/24", 0).await,
        "that of another claimant"
    );
    let mut known = stores.two.networks.known(&by_phone, at(50)).await.unwrap();
    known.sort();
    assert_eq!(known, ["2001:db8:1::/48", "203.0.113.0/24"]);
}
