//! Each change leaves its event, written with it; what changes nothing leaves none.

use ringback::{
    accounts::{Claimant, EmailVerification, NewSession, Verification},
    entropy::SystemEntropy,
    events::{EventKind, NewEvent, Source},
    limits::ClientNetwork,
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, email_verified, event, new_session, new_user, phone, phone_verified, register},
    races::all_at_once,
    sessions::rotation,
};

const PHONE: &str = "+14152000001";

/// The events of a kind, one a line: actor, whose, network, reason, details.
async fn noted(stores: &Stores, kind: EventKind) -> String {
    let lines = match stores.is_sqlite() {
        true => "group_concat(line, char(10))",
        false => "string_agg(line, chr(10))",
    };
    stores
        .text(format!(
            "SELECT coalesce({lines}, '') FROM (SELECT actor || ' ' || coalesce(CAST(actor_id AS text), '-') || ' ' || \
             coalesce(CAST(user_id AS text), '-') || ' ' || coalesce(network, '-') || ' ' || coalesce(reason, '-') || ' ' || \
             details AS line FROM events WHERE kind = '{}' ORDER BY id) AS lines",
            kind.name()
        ))
        .await
}

pub async fn a_change_is_noted_with_who_did_it_from_where(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let client = ClientNetwork::of("203.0.113.7".parse().unwrap(), 64);
    let with = |kind, source| NewEvent::new(kind, source, at(5), &SystemEntropy);
    let by_jane = with(EventKind::PhoneVerified, Source::user(jane.id, client));
    let proofs = &stores.one.proofs;
    let claimant = Claimant::User(jane.id);
    let verified = proofs
        .verify_phone(&phone(PHONE), &claimant, by_jane)
        .await
        .unwrap();
    assert_eq!(verified, Verification::Verified(jane.id));
    assert_eq!(
        noted(&stores, EventKind::PhoneVerified).await,
        format!("user {0} {0} 203.0.113.0/24 - {{}}", jane.id)
    );

    // A reason that SQL or JSON could stumble over.
    let support = Source {
        reason: Some("O’Doe's \"letter\" \\ of $1".to_owned()),
        ..Source::anyone("2001:db8:1:2::9".parse::<std::net::IpAddr>().unwrap().into())
    };
    let by_anyone = with(EventKind::EmailVerified, support).with("session", Uuid::nil());
    let verified = proofs
        .verify_email(jane.email.as_ref().unwrap(), &Claimant::Anyone, by_anyone)
        .await
        .unwrap();
    assert_eq!(verified, EmailVerification::Verified(jane.id));
    assert_eq!(
        noted(&stores, EventKind::EmailVerified).await,
        format!(
            "anyone - {} 2001:db8:1::/48 O’Doe's \"letter\" \\ of $1 {{\"session\":\"{}\"}}",
            jane.id,
            Uuid::nil()
        )
    );
}

pub async fn each_step_of_a_session_is_noted(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let sessions = &stores.one.sessions;
    let about = |kind| {
        let stores = stores.clone();
        async move { noted(&stores, kind).await }
    };
    let one = format!("system - {} - - {{}}", jane.id);
    assert_eq!(about(EventKind::AccountRegistered).await, one);
    assert_eq!(about(EventKind::SessionOpened).await, one);
    let second = new_session(jane.id);
    let id = second.id;
    sessions.open(second).await.unwrap();
    assert_eq!(about(EventKind::SessionOpened).await, [&*one, &one].join("\n"));

    // Whoever ends a session is its user, whose id the session alone knows. Twice is once.
    let client = ClientNetwork::of("203.0.113.7".parse().unwrap(), 64);
    let by_owner = || {
        NewEvent::new(
            EventKind::SessionEnded,
            Source::owner(client),
            at(3),
            &SystemEntropy,
        )
    };
    for _ in 0..2 {
        sessions.revoke(id, by_owner()).await.unwrap();
    }
    sessions.revoke(Uuid::nil(), by_owner()).await.unwrap();
    assert_eq!(
        about(EventKind::SessionEnded).await,
        format!("user {0} {0} 203.0.113.0/24 - {{}}", jane.id)
    );

    for (generation, second) in [(0, 10), (1, 20), (0, 100), (0, 101)] {
        sessions
            .rotate(rotation(first, generation, second))
            .await
            .unwrap();
    }
    assert_eq!(about(EventKind::SessionReused).await, one);
}

pub async fn what_is_refused_leaves_no_event(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let again = new_user("Jane@example.com", PHONE);
    let session = new_session(again.id);
    stores.one.users.register(again, session).await.unwrap_err();
    let late = NewSession {
        epoch: 1,
        ..new_session(jane.id)
    };
    assert_eq!(stores.one.sessions.open(late).await.unwrap(), None);
    assert_eq!(stores.count("events").await, 2);
}

pub async fn what_changes_nothing_leaves_no_event(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    register(&stores.one, "john@example.com", PHONE).await;
    let proofs = &stores.one.proofs;
    let others = Claimant::User(Uuid::nil());
    for claimant in [Claimant::Anyone, others] {
        proofs
            .verify_phone(&phone(PHONE), &claimant, phone_verified(1))
            .await
            .unwrap();
    }
    proofs
        .verify_email(jane.email.as_ref().unwrap(), &others, email_verified(1))
        .await
        .unwrap();
    assert_eq!(noted(&stores, EventKind::PhoneVerified).await, "");
    assert_eq!(noted(&stores, EventKind::EmailVerified).await, "");
}

pub async fn of_many_that_verify_at_once_one_is_noted(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let email = jane.email.clone().unwrap();
    all_at_once(&stores, 60, move |_, store| {
        let email = email.clone();
        async move {
            let anyone = Claimant::Anyone;
            store
                .proofs
                .verify_phone(&phone(PHONE), &anyone, phone_verified(1))
                .await
                .unwrap();
            store
                .proofs
                .verify_email(&email, &anyone, email_verified(1))
                .await
                .unwrap();
        }
    })
    .await;
    for kind in [EventKind::PhoneVerified, EventKind::EmailVerified] {
        assert_eq!(
            noted(&stores, kind).await,
            format!("system - {} - - {{}}", jane.id)
        );
    }
}

pub async fn what_is_older_is_purged_so_many_at_a_time(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    for second in 1..=4 {
        let opened = NewSession {
            event: event(EventKind::SessionOpened, second),
            ..new_session(jane.id)
        };
        stores.one.sessions.open(opened).await.unwrap();
    }
    let purge = async |before, limit| stores.one.events.purge(before, limit).await.unwrap();
    assert_eq!(purge(at(0), 100).await, 0);
    // Two are of the account's first second.
    assert_eq!(
        [
            purge(at(4), 3).await,
            purge(at(4), 3).await,
            purge(at(4), 3).await
        ],
        [3, 2, 0]
    );
    assert_eq!(stores.count("events").await, 1);
}
