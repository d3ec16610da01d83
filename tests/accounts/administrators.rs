//! Who may administer: what is granted and taken away, and that one always remains who may do everything.

use ringback::{
    accounts::{Claimant, Erased, ErasedBy, Erasure, Grant, Granted, Locked, NewSession, Revoked, User},
    channel::Channel,
    events::EventKind,
    tokens::{Amr, Role},
};
use uuid::Uuid;

use crate::{
    harness::{Store, Stores, email_verified, event, new_session, register, session_ended},
    races::{all_at_once, tally},
};

fn grant(user: Uuid, role: Role) -> Grant {
    Grant {
        user,
        role,
        by: None,
        event: event(EventKind::RoleGranted, 2),
    }
}

fn revoked() -> ringback::events::NewEvent {
    event(EventKind::RoleRevoked, 3)
}

/// An account with a proven e-mail address.
async fn proven(stores: &Stores, email: &str, phone: &str) -> (User, Uuid) {
    let (user, session) = register(&stores.one, email, phone).await;
    let address = user.email.as_ref().unwrap();
    stores
        .one
        .proofs
        .verify_email(address, &Claimant::User(user.id), email_verified(1))
        .await
        .unwrap();
    (user, session)
}

/// An administrator, and a session of theirs with a second proof.
async fn administrator(stores: &Stores, n: u32, role: Role) -> (User, Uuid) {
    let (user, _) = proven(stores, &format!("a{n}@example.com"), &format!("+1415200{n:04}")).await;
    let granted = stores.one.administrators.grant(&grant(user.id, role)).await;
    assert_eq!(granted.unwrap(), Granted::Granted);
    let session = NewSession {
        amr: Amr::PasswordAndSmsCode,
        role: Some(role),
        ..new_session(user.id)
    };
    let id = session.id;
    assert!(stores.one.sessions.open(session).await.unwrap().is_some());
    (user, id)
}

pub async fn a_role_is_granted_to_whoever_has_proven_an_address(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let administrators = &stores.two.administrators;
    let nobody = grant(Uuid::from_u128(7), Role::Admin);
    assert_eq!(administrators.grant(&nobody).await.unwrap(), Granted::NoAccount);
    let to_jane = |role| grant(jane.id, role);
    assert_eq!(
        administrators.grant(&to_jane(Role::Admin)).await.unwrap(),
        Granted::EmailUnproven
    );
    let email = jane.email.as_ref().unwrap();
    let proofs = &stores.one.proofs;
    proofs
        .verify_email(email, &Claimant::Anyone, email_verified(1))
        .await
        .unwrap();
    for (role, expected) in [
        (Role::Support, Granted::Granted),
        (Role::Support, Granted::Unchanged),
        (Role::Admin, Granted::Granted),
        (Role::Support, Granted::LastAdministrator),
    ] {
        assert_eq!(administrators.grant(&to_jane(role)).await.unwrap(), expected);
    }
    let all = stores.one.administrators.list().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].user.id, all[0].role, all[0].is_locked),
        (jane.id, Role::Admin, false)
    );
    assert_eq!(stores.kinds().await, "email.verified role.granted role.granted");
    // The session has no second proof, whatever its user may do.
    let standing = stores
        .one
        .administrators
        .standing(session)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (standing.role, standing.has_second_proof),
        (Some(Role::Admin), false)
    );
    assert_eq!(
        stores.one.administrators.standing(Uuid::nil()).await.unwrap(),
        None
    );
}

pub async fn a_role_that_is_taken_away_leaves_no_session_of_it(stores: Stores) {
    let (_, _) = administrator(&stores, 1, Role::Admin).await;
    let (john, session) = administrator(&stores, 2, Role::Support).await;
    let standing = async || {
        stores
            .two
            .administrators
            .standing(session)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        (standing().await.role, standing().await.has_second_proof),
        (Some(Role::Support), true)
    );
    let administrators = &stores.one.administrators;
    assert_eq!(
        administrators.grant(&grant(john.id, Role::Admin)).await.unwrap(),
        Granted::Granted
    );
    assert_eq!(
        (standing().await.role, standing().await.has_second_proof),
        (Some(Role::Admin), true)
    );
    assert_eq!(
        administrators.revoke(john.id, revoked()).await.unwrap(),
        Revoked::Revoked
    );
    assert_eq!(
        administrators.revoke(john.id, revoked()).await.unwrap(),
        Revoked::Unchanged
    );
    assert_eq!(
        (standing().await.role, standing().await.has_second_proof),
        (None, false)
    );
    administrators.grant(&grant(john.id, Role::Admin)).await.unwrap();
    assert_eq!(
        (standing().await.role, standing().await.has_second_proof),
        (Some(Role::Admin), false)
    );
}

pub async fn the_last_administrator_stays(stores: Stores) {
    let (jane, _) = administrator(&stores, 1, Role::Admin).await;
    let (john, _) = administrator(&stores, 2, Role::Support).await;
    let lock = async |user| {
        let locked = event(EventKind::AccountLocked, 4);
        stores.one.users.lock(user, locked).await.unwrap()
    };
    let erase = async |user| {
        let erasure = Erasure {
            user,
            by: ErasedBy::Administrator,
            event: event(EventKind::AccountDeleted, 4),
        };
        stores.two.records.erase(erasure).await.unwrap()
    };
    assert_eq!(lock(jane.id).await, Locked::LastAdministrator);
    assert_eq!(erase(jane.id).await, Erased::LastAdministrator);
    let administrators = &stores.one.administrators;
    assert_eq!(
        administrators.revoke(jane.id, revoked()).await.unwrap(),
        Revoked::LastAdministrator
    );
    assert_eq!(lock(john.id).await, Locked::Locked);
    assert_eq!(lock(john.id).await, Locked::Unchanged);
    // One that is locked is no help.
    administrators.grant(&grant(john.id, Role::Admin)).await.unwrap();
    assert_eq!(lock(jane.id).await, Locked::LastAdministrator);
    assert_eq!(erase(john.id).await, Erased::Erased, "though locked");
    assert_eq!(erase(john.id).await, Erased::Void);
    assert_eq!(stores.count("administrators").await, 1);
}

pub async fn of_administrators_that_take_each_other_away_one_remains(stores: Stores) {
    for round in 0..10_u32 {
        let mut ids = Vec::new();
        for n in 0..4 {
            ids.push(administrator(&stores, round * 4 + n, Role::Admin).await.0.id);
        }
        let everybody = ids.clone();
        let outcomes = all_at_once(&stores, 24, move |n, store| {
            let user = ids[n % 4];
            async move {
                match n % 3 {
                    0 => {
                        store
                            .users
                            .lock(user, event(EventKind::AccountLocked, 4))
                            .await
                            .unwrap();
                    }
                    1 => {
                        store.administrators.revoke(user, revoked()).await.unwrap();
                    }
                    _ => {
                        let erasure = Erasure {
                            user,
                            by: ErasedBy::Administrator,
                            event: event(EventKind::AccountDeleted, 4),
                        };
                        store.records.erase(erasure).await.unwrap();
                    }
                }
            }
        });
        outcomes.await;
        let left = stores.one.administrators.list().await.unwrap();
        let left: Vec<_> = left.iter().filter(|one| !one.is_locked).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(everybody.contains(&left[0].user.id));
        stores.sql("DELETE FROM administrators".to_owned()).await;
    }
}

pub async fn an_administrator_ends_all_sessions_for_good(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", "+14152000001").await;
    let end = async |user| {
        stores
            .two
            .users
            .end_sessions(user, session_ended(4))
            .await
            .unwrap()
    };
    assert!(end(jane.id).await);
    assert!(!end(Uuid::nil()).await);
    assert!(stores.one.sessions.view(session).await.unwrap().unwrap().revoked);
    // A login that was under way.
    assert!(
        stores
            .one
            .sessions
            .open(new_session(jane.id))
            .await
            .unwrap()
            .is_none()
    );
    let next = NewSession {
        epoch: 1,
        ..new_session(jane.id)
    };
    assert!(stores.one.sessions.open(next).await.unwrap().is_some());
    assert_eq!(stores.kinds().await, "session.ended");
}

pub async fn an_address_is_confirmed_once_and_only_where_it_is_proven(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", "+14152000001").await;
    async fn confirm(store: Store, user: Uuid, channel: Channel) -> bool {
        let kind = match channel {
            Channel::Sms => EventKind::PhoneConfirmed,
            Channel::Email => EventKind::EmailConfirmed,
        };
        store.users.confirm(user, channel, event(kind, 4)).await.unwrap()
    }
    for channel in Channel::ALL {
        assert!(!confirm(stores.either(0), jane.id, channel).await, "{channel:?}");
        assert!(
            !confirm(stores.either(1), Uuid::nil(), channel).await,
            "{channel:?}"
        );
    }
    stores
        .sql("UPDATE users SET phone_verified = (1 = 1), email_verified = (1 = 1)".to_owned())
        .await;
    for (channel, column) in [(Channel::Sms, "phone"), (Channel::Email, "email")] {
        let (id, at_once) = (jane.id, 8);
        let confirmed = all_at_once(&stores, at_once, move |_, store| confirm(store, id, channel)).await;
        assert_eq!(tally(confirmed)[&true], 1, "{channel:?}");
        let owned = format!("users WHERE {column}_owned_at IS NOT NULL");
        assert_eq!(stores.count(&owned).await, 1, "{channel:?}");
    }
    assert_eq!(stores.count("events WHERE kind LIKE '%.confirmed'").await, 2);
}
