//! What users do with their own sessions: see them, end them, leave them unused, change the password above them.

use chrono::{DateTime, Duration, Utc};
use ringback::{
    accounts::{Liveness, Login, NewSession, OpenSession, PasswordChange, ProfileChange, Rotated, Rotation},
    entropy::SystemEntropy,
    events::{EventKind, NewNotice, NoticeKind},
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, event, hash, name, new_session, register},
    races::{all_at_once, tally},
    sessions::rotation,
};

const PHONE: &str = "+14152000001";

fn live(second: i64) -> Liveness {
    Liveness {
        now: at(second),
        idle_before: at(-1_000),
    }
}

/// Opens a session at a second; it ends a thousand later.
async fn open(stores: &Stores, user: Uuid, second: i64) -> Uuid {
    let session = NewSession {
        now: at(second),
        expires_at: at(second + 1_000),
        ..new_session(user)
    };
    let id = session.id;
    assert!(stores.one.sessions.open(session).await.unwrap().is_some());
    id
}

async fn listed(stores: &Stores, user: Uuid, live: Liveness) -> Vec<Uuid> {
    let sessions = stores.two.sessions.list(user, live).await.unwrap();
    sessions.iter().map(|session| session.id).collect()
}

async fn end(stores: &Stores, user: Uuid, session: Uuid, second: i64) -> bool {
    let event = event(EventKind::SessionEnded, second);
    let ended = stores.two.sessions.end(user, session, live(second), event).await;
    ended.unwrap()
}

pub async fn a_list_has_the_live_sessions_the_last_used_first(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, johns) = register(&stores.one, "john@example.com", PHONE).await;
    let (second, third) = (open(&stores, jane.id, 10).await, open(&stores, jane.id, 20).await);
    assert_eq!(listed(&stores, jane.id, live(30)).await, [third, second, first]);
    assert_eq!(listed(&stores, john.id, live(30)).await, [johns]);
    stores.one.sessions.note_used(&[(first, at(25))]).await.unwrap();
    assert_eq!(listed(&stores, jane.id, live(30)).await, [first, third, second]);
    let idle = Liveness {
        idle_before: at(15),
        ..live(30)
    };
    assert_eq!(
        listed(&stores, jane.id, idle).await,
        [first, third],
        "one is unused"
    );
    assert_eq!(
        listed(&stores, jane.id, live(1_000)).await,
        [third, second],
        "one has run out"
    );
    stores
        .one
        .sessions
        .revoke(third, event(EventKind::SessionEnded, 30))
        .await
        .unwrap();
    assert_eq!(listed(&stores, jane.id, live(30)).await, [first, second]);

    let entry = &stores.two.sessions.list(jane.id, live(30)).await.unwrap()[0];
    let to_micros = |time: DateTime<Utc>| DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap();
    let expected = OpenSession {
        id: first,
        created_at: to_micros(at(0)),
        used_at: to_micros(at(25)),
        expires_at: to_micros(at(1_000)),
        client: Some("Firefox on Linux".to_owned()),
        network: Some("203.0.113.0/24".to_owned()),
    };
    assert_eq!(entry, &expected);
    let raise = format!("UPDATE users SET session_epoch = 1 WHERE id = '{}'", jane.id);
    stores.sql(raise).await;
    assert!(listed(&stores, jane.id, live(30)).await.is_empty());
}

pub async fn a_session_is_ended_by_its_user_once(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    let second = open(&stores, jane.id, 1).await;
    assert!(!end(&stores, john.id, first, 2).await, "another's");
    assert!(!end(&stores, jane.id, Uuid::nil(), 2).await);
    assert!(!end(&stores, jane.id, first, 1_000).await, "one that has run out");
    assert!(end(&stores, jane.id, first, 3).await);
    assert!(!end(&stores, jane.id, first, 4).await);
    assert!(stores.one.sessions.view(first).await.unwrap().unwrap().revoked);
    assert!(!stores.one.sessions.view(second).await.unwrap().unwrap().revoked);
    assert_eq!(stores.kinds().await, "session.ended");
    // What has ended is kept for no longer than what has run out.
    assert_eq!(stores.one.sessions.purge(at(4), 10).await.unwrap(), 1);
    assert!(stores.one.sessions.view(first).await.unwrap().is_none());
}

pub async fn of_sessions_that_end_each_other_at_once_one_remains(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, johns) = register(&stores.one, "john@example.com", PHONE).await;
    let mut sessions = vec![first];
    for n in 1..60 {
        sessions.push(open(&stores, jane.id, n).await);
    }
    let outcomes = all_at_once(&stores, 60, |n, store| {
        let (user, keep) = (jane.id, sessions[n]);
        async move {
            let event = event(EventKind::SessionsEnded, 100);
            let kept = store.sessions.end_others(user, keep, live(100), event).await;
            (keep, kept.unwrap())
        }
    })
    .await;
    let left = listed(&stores, jane.id, live(100)).await;
    let kept: Vec<_> = outcomes
        .iter()
        .filter(|(_, kept)| *kept)
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(kept, left);
    assert_eq!(left.len(), 1);
    assert_eq!(stores.kinds().await, "sessions.ended");
    assert_eq!(listed(&stores, john.id, live(100)).await, [johns]);
}

pub async fn one_session_too_many_ends_the_longest_unused(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let (second, third) = (open(&stores, jane.id, 10).await, open(&stores, jane.id, 20).await);
    stores.one.sessions.note_used(&[(first, at(25))]).await.unwrap();
    stores
        .one
        .sessions
        .end_surplus(jane.id, 2, event(EventKind::SessionsEnded, 30))
        .await
        .unwrap();
    assert_eq!(listed(&stores, jane.id, live(30)).await, [first, third]);
    assert!(stores.two.sessions.view(second).await.unwrap().unwrap().revoked);

    all_at_once(&stores, 40, |n, store| {
        let session = NewSession {
            now: at(100 + i64::try_from(n).unwrap()),
            expires_at: at(5_000),
            ..new_session(jane.id)
        };
        async move {
            let user = session.user_id;
            assert!(store.sessions.open(session).await.unwrap().is_some());
            let event = event(EventKind::SessionsEnded, 200);
            store.sessions.end_surplus(user, 5, event).await.unwrap();
        }
    })
    .await;
    assert_eq!(listed(&stores, jane.id, live(200)).await.len(), 5);
}

pub async fn a_session_that_is_unused_for_too_long_is_over(stores: Stores) {
    let (_, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let used = async || {
        stores
            .two
            .sessions
            .view(session)
            .await
            .unwrap()
            .unwrap()
            .used_at
            .timestamp()
    };
    assert_eq!(used().await, at(0).timestamp());
    let uses: [&[_]; 4] = [
        &[(session, at(50))],
        &[(session, at(40))],
        &[],
        &[(Uuid::nil(), at(60))],
    ];
    for uses in uses {
        stores.one.sessions.note_used(uses).await.unwrap();
        assert_eq!(used().await, at(50).timestamp(), "never set back");
    }
    let idle_since = |second| Rotation {
        idle_before: at(second),
        ..rotation(session, 0, 100)
    };
    let rotate = async |rotation| stores.two.sessions.rotate(rotation).await.unwrap();
    assert_eq!(rotate(idle_since(51)).await, Rotated::Expired);
    assert!(matches!(rotate(idle_since(50)).await, Rotated::Rotated { .. }));
    assert_eq!(used().await, at(100).timestamp(), "a refresh is a use");
}

/// What is changed by the session `keep`.
fn change(user: Uuid, epoch: i64, keep: Uuid, password: &str) -> PasswordChange {
    PasswordChange {
        user,
        epoch,
        password: hash(password),
        keep,
        event: event(EventKind::PasswordChanged, 50),
        notice: NewNotice::new(NoticeKind::PasswordChanged, None, at(50), &SystemEntropy),
    }
}

pub async fn a_password_change_keeps_its_own_session_alone(stores: Stores) {
    let (jane, own) = register(&stores.one, "jane@example.com", PHONE).await;
    let (other, late) = (open(&stores, jane.id, 1).await, new_session(jane.id));
    let changed = stores
        .two
        .passwords
        .change(change(jane.id, 1, own, "early"))
        .await;
    assert!(!changed.unwrap(), "of another epoch");
    assert!(
        stores
            .two
            .passwords
            .change(change(jane.id, 0, own, "new"))
            .await
            .unwrap()
    );
    let changed = stores
        .one
        .passwords
        .change(change(jane.id, 1, other, "newer"))
        .await;
    assert!(!changed.unwrap(), "by a session that has ended");

    let found = stores
        .one
        .passwords
        .credentials_of(jane.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.password, found.session_epoch), (Some(hash("new")), 1));
    assert_eq!(found.user, jane);
    let login = Login::Email(jane.email.clone().unwrap());
    let found = stores.two.passwords.credentials(&login).await.unwrap().unwrap();
    assert_eq!(found.password, Some(hash("new")));
    assert_eq!(listed(&stores, jane.id, live(60)).await, [own]);
    let opened = stores.one.sessions.open(late).await.unwrap();
    assert!(opened.is_none(), "its login was under way");
    let rotated = stores.one.sessions.rotate(rotation(own, 0, 60)).await.unwrap();
    assert!(matches!(rotated, Rotated::Rotated { .. }), "{rotated:?}");
    assert_eq!(stores.kinds().await, "password.changed");
    assert_eq!(stores.count("notices").await, 0, "nothing of it is proven");
    assert!(
        stores
            .one
            .passwords
            .credentials_of(Uuid::nil())
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn a_password_change_is_told_to_a_proven_address(stores: Stores) {
    for (n, verified, expected) in [
        (1, "phone_verified", "sms +14152000001 "),
        (2, "email_verified", "email jane2@example.com jane2@example.com"),
    ] {
        let (jane, own) = register(&stores.one, &format!("jane{n}@example.com"), PHONE).await;
        stores
            .sql(format!(
                "UPDATE users SET {verified} = true WHERE id = '{}'",
                jane.id
            ))
            .await;
        assert!(
            stores
                .one
                .passwords
                .change(change(jane.id, 0, own, "new"))
                .await
                .unwrap()
        );
        let told = "SELECT channel || ' ' || address || ' ' || coalesce(address_key, '') FROM notices";
        assert_eq!(
            stores.text(format!("{told} WHERE user_id = '{}'", jane.id)).await,
            expected
        );
        stores
            .sql(format!(
                "UPDATE users SET phone_verified = false WHERE id = '{}'",
                jane.id
            ))
            .await;
    }
}

pub async fn of_many_changes_of_a_password_at_once_one_is_made(stores: Stores) {
    let (jane, first) = register(&stores.one, "jane@example.com", PHONE).await;
    let mut sessions = vec![first];
    for n in 1..20 {
        sessions.push(open(&stores, jane.id, n).await);
    }
    let outcomes = all_at_once(&stores, 40, |n, store| {
        let change = change(jane.id, 0, sessions[n / 2], &format!("new {n}"));
        async move { (change.keep, store.passwords.change(change).await.unwrap()) }
    })
    .await;
    let kept = outcomes.iter().find(|(_, changed)| *changed).unwrap().0;
    assert_eq!(tally(outcomes.iter().map(|(_, changed)| changed))[&true], 1);
    assert_eq!(listed(&stores, jane.id, live(60)).await, [kept]);
    assert_eq!(stores.kinds().await, "password.changed");
}

/// Whatever comes first, the session that changes the password goes on, all others end, and no login gets in.
pub async fn a_password_change_races_with_refreshes_and_logins(stores: Stores) {
    for round in 0..20 {
        let (jane, own) = register(&stores.one, &format!("jane{round}@example.com"), PHONE).await;
        let other = open(&stores, jane.id, 1).await;
        let outcomes = all_at_once(&stores, 12, |n, store| {
            let (change, own_use, others) = (
                change(jane.id, 0, own, "new"),
                rotation(own, 0, 50),
                rotation(other, 0, 50),
            );
            let login = new_session(jane.id);
            async move {
                match n % 4 {
                    0 if n == 0 => assert!(store.passwords.change(change).await.unwrap()),
                    0 => store
                        .sessions
                        .note_used(&[(own, at(50)), (other, at(50))])
                        .await
                        .unwrap(),
                    1 => {
                        let rotated = store.sessions.rotate(own_use).await.unwrap();
                        let goes_on = matches!(rotated, Rotated::Rotated { .. } | Rotated::Replayed { .. });
                        assert!(goes_on, "{rotated:?}");
                    }
                    2 => drop(store.sessions.rotate(others).await.unwrap()),
                    _ => drop(store.sessions.open(login).await.unwrap()),
                }
            }
        })
        .await;
        assert_eq!(outcomes.len(), 12);
        assert_eq!(listed(&stores, jane.id, live(60)).await, [own], "round {round}");
        let seen = stores.two.sessions.view(other).await.unwrap().unwrap();
        assert!(seen.revoked);
    }
}

pub async fn a_profile_is_changed_in_part(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let change = async |first: Option<&str>, last: Option<&str>, second| {
        let change = ProfileChange {
            first_name: first.map(name),
            last_name: last.map(name),
        };
        let event = event(EventKind::AccountUpdated, second);
        stores
            .two
            .users
            .change_profile(jane.id, change, event)
            .await
            .unwrap()
            .unwrap()
    };
    let first = change(Some("Ada"), None, 5).await;
    assert_eq!(
        (first.first_name.expose(), &first.last_name),
        ("Ada", &jane.last_name)
    );
    assert!((first.updated_at - at(5)).abs() < Duration::microseconds(1));
    let both = change(None, Some("Byron"), 6).await;
    assert_eq!(
        (both.first_name.expose(), both.last_name.expose()),
        ("Ada", "Byron")
    );
    assert_eq!(
        stores.one.sessions.view(session).await.unwrap().unwrap().user,
        both
    );
    assert_eq!(both.created_at, jane.created_at);
    let nobody = event(EventKind::AccountUpdated, 7);
    let nobody = stores
        .one
        .users
        .change_profile(Uuid::nil(), ProfileChange::default(), nobody)
        .await;
    assert!(nobody.unwrap().is_none());
    assert_eq!(stores.kinds().await, "account.updated account.updated");
}
