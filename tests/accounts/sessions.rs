//! Sessions and their refresh tokens, as one caller after another sees them.

use chrono::Duration;
use ringback::{
    accounts::{Identity, Locked, Login, NewSession, Rotated, Rotation},
    events::EventKind,
    tokens::Amr,
};
use uuid::Uuid;

use crate::harness::{Stores, at, event, new_session, register, session_ended};

const PHONE: &str = "+14152000001";

/// Shows the token of `generation`, whose digest is its generation, at a second.
pub fn rotation(session_id: Uuid, generation: u8, second: i64) -> Rotation {
    Rotation {
        session_id,
        generation: generation.into(),
        token_hash: [generation; 32],
        next_hash: [generation + 1; 32],
        now: at(second),
        idle_before: at(-1_000),
        grace: Duration::seconds(10),
        event: event(EventKind::SessionReused, second),
    }
}

pub async fn a_session_shows_its_user_and_its_end(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    let further = new_session(jane.id);
    let second = further.id;
    stores.one.sessions.open(further).await.unwrap();
    let seen = stores.two.sessions.view(second).await.unwrap().unwrap();
    assert_eq!(seen.user, jane);
    assert!((at(1_000) - seen.expires_at).abs() < Duration::microseconds(1));
    assert!((at(0) - seen.authenticated_at).abs() < Duration::microseconds(1));
    assert_eq!((seen.amr, seen.shown), (Amr::Password, 0));

    stores.one.sessions.revoke(first, session_ended(5)).await.unwrap();
    stores.one.sessions.revoke(first, session_ended(6)).await.unwrap();
    stores
        .one
        .sessions
        .revoke(Uuid::nil(), session_ended(6))
        .await
        .unwrap();
    assert!(stores.two.sessions.view(first).await.unwrap().unwrap().revoked);
    assert!(
        !stores.two.sessions.view(second).await.unwrap().unwrap().revoked,
        "one logout, one session"
    );
    assert!(stores.two.sessions.view(Uuid::nil()).await.unwrap().is_none());

    let nobodys = new_session(Uuid::nil());
    assert!(
        stores.one.sessions.open(nobodys).await.unwrap().is_none(),
        "a session has a user"
    );
    stores
        .sql(format!("DELETE FROM users WHERE id = '{}'", john.id))
        .await;
    assert_eq!(stores.count("sessions").await, 2, "a user's sessions go with it");
}

pub async fn a_token_is_good_once_and_then_for_its_grace(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let seen = stores.one.sessions.view(session).await.unwrap().unwrap();
    let expires_at = seen.expires_at;
    let identity = Identity {
        user_id: jane.id,
        phone_verified: false,
        email_verified: false,
        amr: Amr::Password,
        authenticated_at: seen.authenticated_at,
        role: None,
    };
    let rotate = async |generation, second| {
        stores
            .two
            .sessions
            .rotate(rotation(session, generation, second))
            .await
            .unwrap()
    };
    let rotated = Rotated::Rotated { identity, expires_at };
    let replayed = |current: u8| Rotated::Replayed {
        identity,
        expires_at,
        generation: current.into(),
        current_hash: [current; 32],
    };

    assert_eq!(rotate(0, 100).await, rotated);
    assert_eq!(rotate(0, 100).await, replayed(1));
    assert_eq!(rotate(0, 199).await, replayed(1), "its answer was lost");
    assert_eq!(rotate(1, 105).await, rotated);
    assert_eq!(rotate(0, 109).await, replayed(2), "another tab was first");
    assert_eq!(rotate(1, 115).await, replayed(2));
    assert_eq!(rotate(2, 200).await, rotated, "an answer again is no rotation");
    assert!(!stores.one.sessions.view(session).await.unwrap().unwrap().revoked);
}

pub async fn who_renews_a_session_is_told_as_the_account_is_now(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let session = NewSession {
        amr: Amr::SmsCode,
        authenticated_at: at(7),
        ..new_session(jane.id)
    };
    let id = session.id;
    let opened = stores.one.sessions.open(session).await.unwrap().unwrap();
    assert_eq!(
        (opened.user_id, opened.phone_verified, opened.amr),
        (jane.id, false, Amr::SmsCode)
    );
    let verify = format!("UPDATE users SET phone_verified = true WHERE id = '{}'", jane.id);
    stores.sql(verify).await;
    for second in [10, 12] {
        let rotated = stores.two.sessions.rotate(rotation(id, 0, second)).await.unwrap();
        let (Rotated::Rotated { identity, .. } | Rotated::Replayed { identity, .. }) = rotated else {
            panic!("{rotated:?}");
        };
        assert!(identity.phone_verified && !identity.email_verified);
        assert_eq!((identity.user_id, identity.amr), (jane.id, Amr::SmsCode));
        assert_eq!(identity.authenticated_at.timestamp(), at(7).timestamp());
    }
    let further = stores.two.sessions.open(new_session(jane.id)).await.unwrap();
    assert!(further.unwrap().phone_verified);
}

pub async fn a_session_is_good_for_the_epoch_of_its_proof_alone(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let raise = format!(
        "UPDATE users SET session_epoch = session_epoch + 1 WHERE id = '{}'",
        jane.id
    );
    stores.sql(raise).await;
    assert!(stores.two.sessions.view(first).await.unwrap().unwrap().revoked);
    let rotated = stores.two.sessions.rotate(rotation(first, 0, 1)).await.unwrap();
    assert_eq!(rotated, Rotated::Revoked);
    let late = new_session(jane.id);
    assert!(stores.one.sessions.open(late).await.unwrap().is_none());
    assert_eq!(stores.count("sessions").await, 1);

    let login = Login::Email(jane.email.clone().unwrap());
    let read = stores.two.passwords.credentials(&login).await.unwrap().unwrap();
    assert_eq!(read.session_epoch, 1);
    let session = NewSession {
        epoch: read.session_epoch,
        ..new_session(jane.id)
    };
    let id = session.id;
    assert!(stores.one.sessions.open(session).await.unwrap().is_some());
    assert!(!stores.two.sessions.view(id).await.unwrap().unwrap().revoked);
    let rotated = stores.two.sessions.rotate(rotation(id, 0, 1)).await.unwrap();
    assert!(matches!(rotated, Rotated::Rotated { .. }), "{rotated:?}");
}

pub async fn reuse_of_an_old_token_revokes_the_session(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let other = new_session(jane.id);
    let second = other.id;
    stores.one.sessions.open(other).await.unwrap();
    let reused = Rotated::Reused { user_id: jane.id };

    // Too late for the grace, and its answer has arrived.
    stores.one.sessions.rotate(rotation(first, 0, 100)).await.unwrap();
    stores.one.sessions.note_shown(first, 1).await.unwrap();
    stores.one.sessions.note_shown(first, 0).await.unwrap();
    let seen = stores.two.sessions.view(first).await.unwrap().unwrap();
    assert_eq!(seen.shown, 1, "the highest");
    assert_eq!(
        stores.two.sessions.rotate(rotation(first, 0, 111)).await.unwrap(),
        reused
    );
    assert_eq!(
        stores.two.sessions.rotate(rotation(first, 0, 111)).await.unwrap(),
        Rotated::Revoked
    );
    assert_eq!(
        stores.two.sessions.rotate(rotation(first, 1, 111)).await.unwrap(),
        Rotated::Revoked,
        "whoever holds it"
    );
    assert!(stores.one.sessions.view(first).await.unwrap().unwrap().revoked);

    // Two generations old, too late for the grace.
    assert!(
        !stores.one.sessions.view(second).await.unwrap().unwrap().revoked,
        "another session is untouched"
    );
    stores
        .one
        .sessions
        .rotate(rotation(second, 0, 100))
        .await
        .unwrap();
    stores
        .one
        .sessions
        .rotate(rotation(second, 1, 100))
        .await
        .unwrap();
    assert_eq!(
        stores
            .two
            .sessions
            .rotate(rotation(second, 0, 111))
            .await
            .unwrap(),
        reused
    );
    assert!(stores.one.sessions.view(second).await.unwrap().unwrap().revoked);
}

pub async fn a_forged_token_revokes_nothing(stores: Stores) {
    let (_, session) = register(&stores.one, "jane@example.com", PHONE).await;
    stores
        .one
        .sessions
        .rotate(rotation(session, 0, 100))
        .await
        .unwrap();
    for generation in [0, 1, 2] {
        let forged = Rotation {
            token_hash: [77; 32],
            ..rotation(session, generation, 200)
        };
        assert_eq!(
            stores.two.sessions.rotate(forged).await.unwrap(),
            Rotated::Unknown,
            "{generation}"
        );
    }
    let nobodys = stores
        .two
        .sessions
        .rotate(rotation(Uuid::nil(), 0, 100))
        .await
        .unwrap();
    assert_eq!(nobodys, Rotated::Unknown);
    let rotated = stores
        .two
        .sessions
        .rotate(rotation(session, 1, 200))
        .await
        .unwrap();
    assert!(matches!(rotated, Rotated::Rotated { .. }));
}

pub async fn what_is_over_does_not_rotate(stores: Stores) {
    let (_, session) = register(&stores.one, "jane@example.com", PHONE).await;
    assert_eq!(
        stores
            .two
            .sessions
            .rotate(rotation(session, 0, 1_000))
            .await
            .unwrap(),
        Rotated::Expired
    );
    let last = stores
        .two
        .sessions
        .rotate(rotation(session, 0, 999))
        .await
        .unwrap();
    assert!(matches!(last, Rotated::Rotated { .. }), "{last:?}");
    stores
        .one
        .sessions
        .revoke(session, session_ended(999))
        .await
        .unwrap();
    assert_eq!(
        stores
            .two
            .sessions
            .rotate(rotation(session, 1, 999))
            .await
            .unwrap(),
        Rotated::Revoked
    );
}

pub async fn a_lock_ends_sessions_for_good(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let lock = async |second| {
        let event = event(EventKind::AccountLocked, second);
        stores.one.users.lock(jane.id, event).await.unwrap() == Locked::Locked
    };
    let unlock = async |second| {
        let event = event(EventKind::AccountUnlocked, second);
        stores.two.users.unlock(jane.id, event).await.unwrap()
    };
    let is_dead = async || {
        let seen = stores.two.sessions.view(session).await.unwrap().unwrap();
        let rotated = stores
            .one
            .sessions
            .rotate(rotation(session, 0, 100))
            .await
            .unwrap();
        assert_eq!(seen.revoked, rotated == Rotated::Revoked, "{rotated:?}");
        seen.revoked
    };
    let under_way = new_session(jane.id);
    assert_eq!((lock(1).await, lock(2).await), (true, false));
    assert!(is_dead().await);
    let opened = stores.two.sessions.open(under_way.clone()).await.unwrap();
    assert!(opened.is_none(), "a locked account opens nothing");
    assert_eq!((unlock(3).await, unlock(4).await), (true, false));
    assert!(is_dead().await, "unlocking brings none back");
    let opened = stores.two.sessions.open(under_way).await.unwrap();
    assert!(opened.is_none(), "nor a login that was under way");
    assert_eq!(stores.kinds().await, "account.locked account.unlocked");

    // By hand, and without the epoch.
    let (john, session) = register(&stores.one, "john@example.com", PHONE).await;
    let by_hand = format!("UPDATE users SET locked_at = created_at WHERE id = '{}'", john.id);
    stores.sql(by_hand).await;
    assert!(stores.one.sessions.view(session).await.unwrap().unwrap().revoked);
    let event = event(EventKind::AccountUnlocked, 5);
    assert!(stores.one.users.unlock(john.id, event).await.unwrap());
    assert!(stores.one.sessions.view(session).await.unwrap().unwrap().revoked);
}

pub async fn what_has_ended_is_purged_so_many_at_a_time(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    for _ in 0..4 {
        stores.one.sessions.open(new_session(jane.id)).await.unwrap();
    }
    // Each ends at second 1000.
    assert_eq!(stores.one.sessions.purge(at(1_000), 10).await.unwrap(), 0);
    assert!(stores.one.sessions.view(first).await.unwrap().is_some());
    assert_eq!(stores.one.sessions.purge(at(1_001), 3).await.unwrap(), 3);
    assert_eq!(stores.one.sessions.purge(at(1_001), 3).await.unwrap(), 2);
    assert!(stores.two.sessions.view(first).await.unwrap().is_none());
}
