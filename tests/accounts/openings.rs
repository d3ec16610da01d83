//! Which account an address opens, and what a reset of its password changes.

use chrono::{DateTime, Utc};
use ringback::{
    accounts::{Claimant, Login, Opening, PasswordHash, PasswordReset, User},
    channel::Channel,
    entropy::SystemEntropy,
    events::{EventKind, NewEvent, NewNotice, NoticeKind, Source},
    phone::PhoneNumber,
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, email_verified, new_session, phone, phone_verified, register},
    races::all_at_once,
};

const PHONE: &str = "+14152000001";

/// A time as databases keep it.
fn kept(second: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at(second).timestamp_micros())
}

fn by_email(user: &User) -> Login {
    Login::Email(user.email.clone().unwrap())
}

fn by_phone(text: &str) -> Login {
    Login::Phone(phone(text))
}

async fn opening_of(stores: &Stores, user: Uuid) -> Opening {
    let opening = stores.two.openings.opening_of(user).await.unwrap();
    opening.expect("the account is there")
}

async fn prove_phone(stores: &Stores, phone: &PhoneNumber, claimant: Claimant, second: i64) {
    let event = phone_verified(second);
    stores
        .one
        .proofs
        .verify_phone(phone, &claimant, event)
        .await
        .unwrap();
}

async fn prove_email(stores: &Stores, user: &User, claimant: Claimant, second: i64) {
    let event = email_verified(second);
    stores
        .one
        .proofs
        .verify_email(user.email.as_ref().unwrap(), &claimant, event)
        .await
        .unwrap();
}

fn event_at(kind: EventKind, second: i64) -> NewEvent {
    NewEvent::new(kind, Source::system(), at(second), &SystemEntropy)
}

fn reset_at(opening: Opening, by: Channel, hash: &str, second: i64) -> PasswordReset {
    let notice = || NewNotice::new(NoticeKind::PasswordReset, None, at(second), &SystemEntropy);
    PasswordReset {
        opening,
        by,
        password: PasswordHash::from_stored(hash.to_owned()),
        event: event_at(EventKind::PasswordReset, second),
        notices: [notice(), notice()],
    }
}

/// How many rows of a table a condition holds for.
async fn count(stores: &Stores, rows: &str) -> String {
    let query = format!("SELECT CAST(count(*) AS text) FROM {rows}");
    stores.text(query).await
}

pub async fn an_address_leads_to_whoever_has_it_proven(stores: Stores) {
    let (jane, _) = register(&stores.one, "Jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    let found = async |login: &Login| {
        let opening = stores.two.openings.opened_by(login).await.unwrap();
        opening.map(|opening| opening.user.id)
    };
    assert_eq!(found(&by_email(&jane)).await, Some(jane.id), "proven or not");
    assert_eq!(found(&by_phone(PHONE)).await, None, "a claim leads nowhere");
    prove_phone(&stores, &john.phone, Claimant::User(john.id), 5).await;
    assert_eq!(found(&by_phone(PHONE)).await, Some(john.id));
    assert_eq!(found(&by_phone("+14152000002")).await, None);
    assert!(
        stores
            .two
            .openings
            .opening_of(Uuid::nil())
            .await
            .unwrap()
            .is_none()
    );
    stores
        .sql(format!(
            "UPDATE users SET locked_at = created_at, session_epoch = 7 WHERE id = '{}'",
            john.id
        ))
        .await;
    let opening = opening_of(&stores, john.id).await;
    assert!(opening.is_locked && opening.session_epoch == 7 && opening.user.phone_verified);
}

pub async fn a_proof_with_the_accounts_own_token_opens_it_and_no_other(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", "+14152000002").await;
    prove_phone(&stores, &jane.phone, Claimant::User(jane.id), 5).await;
    prove_email(&stores, &jane, Claimant::User(jane.id), 6).await;
    let opening = opening_of(&stores, jane.id).await;
    assert_eq!(
        (opening.phone_owned_at, opening.email_owned_at),
        (kept(5), kept(6))
    );
    // What was known of an address that was proven before is no more than history.
    stores
        .sql(format!(
            "UPDATE users SET phone_owned_at = created_at, email_owned_at = created_at WHERE id = '{}'",
            john.id
        ))
        .await;
    prove_phone(&stores, &john.phone, Claimant::Anyone, 5).await;
    prove_email(&stores, &john, Claimant::Anyone, 6).await;
    let opening = opening_of(&stores, john.id).await;
    assert!(opening.user.phone_verified && opening.user.email_verified);
    assert_eq!((opening.phone_owned_at, opening.email_owned_at), (None, None));
}

pub async fn a_further_proof_is_noted_where_the_address_is_still_the_accounts(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", "+14152000003").await;
    let note = async |user, login: &Login, second, event: Option<NewEvent>| {
        let openings = &stores.one.openings;
        openings
            .note_owned(user, login, at(second), event.as_ref())
            .await
            .unwrap()
    };
    assert!(!note(jane.id, &by_phone(PHONE), 5, None).await, "it isn't proven");
    prove_phone(&stores, &jane.phone, Claimant::Anyone, 6).await;
    prove_email(&stores, &jane, Claimant::Anyone, 6).await;
    let event = || Some(event_at(EventKind::PhoneVerified, 7));
    let before = count(&stores, "events").await;
    assert!(!note(john.id, &by_phone(PHONE), 7, event()).await, "another's");
    assert!(
        !note(jane.id, &by_phone("+14152000002"), 7, event()).await,
        "no more"
    );
    assert_eq!(count(&stores, "events").await, before);
    assert!(note(jane.id, &by_phone(PHONE), 7, event()).await);
    assert!(
        !note(jane.id, &by_phone(PHONE), 7, event()).await,
        "a later one is known"
    );
    assert!(note(jane.id, &by_email(&jane), 8, None).await);
    let opening = opening_of(&stores, jane.id).await;
    assert_eq!(
        (opening.phone_owned_at, opening.email_owned_at),
        (kept(7), kept(8))
    );
    let noted = format!("events WHERE kind = 'phone.verified' AND user_id = '{}'", jane.id);
    assert_eq!(count(&stores, &noted).await, "2");
}

pub async fn a_reset_sets_the_password_and_ends_every_session(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    prove_phone(&stores, &jane.phone, Claimant::User(jane.id), 5).await;
    // An account may have none.
    stores
        .sql(format!(
            "UPDATE users SET password_hash = NULL WHERE id = '{}'",
            jane.id
        ))
        .await;
    let opening = opening_of(&stores, jane.id).await;
    let reset = reset_at(opening, Channel::Sms, "$new", 9);
    assert!(stores.one.openings.reset(&reset).await.unwrap());
    let credentials = stores
        .two
        .passwords
        .credentials(&by_email(&jane))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credentials.password.unwrap().expose(), "$new");
    assert_eq!(credentials.session_epoch, 1);
    assert!(stores.two.sessions.view(session).await.unwrap().unwrap().revoked);
    let opening = opening_of(&stores, jane.id).await;
    assert_eq!((opening.phone_owned_at, opening.email_owned_at), (kept(9), None));
    assert!(!opening.user.email_verified && Some(opening.user.updated_at) == kept(9));
    let noted = format!("events WHERE kind = 'password.reset' AND user_id = '{}'", jane.id);
    assert_eq!(count(&stores, &noted).await, "1");
    let rows = format!(
        "users WHERE id = '{}' AND password_reset_at IS NOT NULL AND session_epoch = 1",
        jane.id
    );
    assert_eq!(count(&stores, &rows).await, "1");
    let told = format!("notices WHERE user_id = '{}'", jane.id);
    let to_phone = format!("{told} AND channel = 'sms' AND kind = 'password_reset' AND address = '{PHONE}'");
    assert_eq!(
        [count(&stores, &told).await, count(&stores, &to_phone).await],
        ["1", "1"],
        "the e-mail address isn't proven"
    );

    // By e-mail: it is proven from then on.
    let (john, _) = register(&stores.one, "john@example.com", "+14152000002").await;
    let opening = opening_of(&stores, john.id).await;
    assert!(
        stores
            .one
            .openings
            .reset(&reset_at(opening, Channel::Email, "$new", 9))
            .await
            .unwrap()
    );
    let opening = opening_of(&stores, john.id).await;
    assert!(
        opening.user.email_verified && opening.email_owned_at == kept(9) && opening.phone_owned_at.is_none()
    );
    let told = format!("notices WHERE user_id = '{}'", john.id);
    assert_eq!(
        count(&stores, &told).await,
        "0",
        "nobody's address was proven before"
    );
    let opening = opening_of(&stores, john.id).await;
    assert!(
        stores
            .one
            .openings
            .reset(&reset_at(opening, Channel::Email, "$newer", 10))
            .await
            .unwrap()
    );
    let to_email = format!("{told} AND channel = 'email' AND address_key = 'john@example.com'");
    assert_eq!(count(&stores, &to_email).await, "1");
}

pub async fn a_reset_is_made_only_of_what_was_read(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    prove_email(&stores, &jane, Claimant::User(jane.id), 5).await;
    for change in [
        "locked_at = created_at",
        "session_epoch = session_epoch + 1",
        "phone = '+14152000009'",
        "phone_verified = NOT phone_verified",
        "email_key = 'jane2@example.com'",
        "email_verified = NOT email_verified",
        "phone_owned_at = created_at",
        "email_owned_at = NULL",
    ] {
        let opening = opening_of(&stores, jane.id).await;
        stores
            .sql(format!("UPDATE users SET {change} WHERE id = '{}'", jane.id))
            .await;
        let reset = reset_at(opening, Channel::Email, "$new", 9);
        assert!(!stores.one.openings.reset(&reset).await.unwrap(), "{change}");
        stores
            .sql(format!(
                "UPDATE users SET locked_at = NULL, email_verified = (1 = 1) WHERE id = '{}'",
                jane.id
            ))
            .await;
    }
    assert_eq!(count(&stores, "events WHERE kind = 'password.reset'").await, "0");
    assert_eq!(count(&stores, "notices").await, "0");
    assert_eq!(
        count(&stores, "users WHERE password_reset_at IS NOT NULL").await,
        "0"
    );
    let _ = session;
}

pub async fn of_many_resets_at_once_one_is_made(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let opening = opening_of(&stores, jane.id).await;
    let made = all_at_once(&stores, 40, |n, store| {
        let opening = opening.clone();
        async move {
            let reset = reset_at(opening, Channel::Email, &format!("$hash{n}"), 9);
            store.openings.reset(&reset).await.unwrap()
        }
    })
    .await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(opening_of(&stores, jane.id).await.session_epoch, 1);
    assert_eq!(count(&stores, "events WHERE kind = 'password.reset'").await, "1");
}

pub async fn a_login_that_is_under_way_does_not_outlive_a_reset(stores: Stores) {
    for round in 0..20 {
        let email = format!("jane{round}@example.com");
        let phone = format!("+1415200{round:04}");
        let (jane, _) = register(&stores.one, &email, &phone).await;
        let opening = opening_of(&stores, jane.id).await;
        // Read before the reset, opened beside it.
        let session = new_session(jane.id);
        let (reset, opened) = tokio::join!(
            async {
                let reset = reset_at(opening, Channel::Email, "$new", 9);
                stores.one.openings.reset(&reset).await.unwrap()
            },
            async { stores.two.sessions.open(session.clone()).await.unwrap() }
        );
        assert!(reset);
        if opened.is_some() {
            let view = stores.two.sessions.view(session.id).await.unwrap().unwrap();
            assert!(
                view.revoked,
                "round {round}: it was opened before the reset, and ended by it"
            );
        }
    }
}
