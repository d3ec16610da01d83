//! Changes of phone and e-mail address: made once, told, and never at the cost of whoever has proven an address.

use ringback::{
    accounts::{Changed, Claimant, EmailChange, EmailLoss, PhoneChange, RegisterError, User, Verification},
    email::EmailAddress,
    entropy::SystemEntropy,
    events::{EventKind, NewNotice, NoticeKind},
};
use uuid::Uuid;

use crate::{
    harness::{
        Store, Stores, at, email_verified, event, new_session, new_user, phone, phone_verified, register,
    },
    races::all_at_once,
};

const PHONE: &str = "+14152000001";
const OTHER: &str = "+14152000002";
/// As many as race.
const MANY: usize = 60;

fn notice(kind: NoticeKind) -> NewNotice {
    NewNotice::new(kind, None, at(9), &SystemEntropy)
}

fn to_phone(user: &User, new: &str, former: Option<Uuid>) -> PhoneChange {
    PhoneChange {
        user: user.id,
        old: user.phone.clone(),
        new: phone(new),
        former,
        opens: true,
        event: event(EventKind::PhoneChanged, 9),
        moved: event(EventKind::PhoneMoved, 9),
        notices: [NoticeKind::PhoneChanged; 2].map(notice),
        moved_notice: notice(NoticeKind::PhoneMoved),
    }
}

fn loss() -> EmailLoss {
    EmailLoss {
        event: event(EventKind::EmailTaken, 3),
        notice: notice(NoticeKind::EmailTaken),
    }
}

fn to_email(user: &User, new: &str) -> EmailChange {
    EmailChange {
        user: user.id,
        old: user.email.clone(),
        new: EmailAddress::parse(new).unwrap(),
        event: event(EventKind::EmailChanged, 9),
        taken: event(EventKind::EmailTaken, 9),
        taken_notice: notice(NoticeKind::EmailTaken),
        notices: [NoticeKind::EmailChanged; 2].map(notice),
    }
}

/// An account with a proven phone and a proven e-mail address.
async fn proven(store: &Store, email: &str, number: &str) -> User {
    let (user, session) = register(store, email, number).await;
    let claimant = Claimant::User(user.id);
    let proofs = &store.proofs;
    proofs
        .verify_phone(&phone(number), &claimant, phone_verified(1))
        .await
        .unwrap();
    let email = user.email.clone().unwrap();
    proofs
        .verify_email(&email, &claimant, email_verified(1))
        .await
        .unwrap();
    store.sessions.view(session).await.unwrap().unwrap().user
}

/// The events and notices of a kind about an account, as `2 1`.
async fn noted(stores: &Stores, user: &User, kind: EventKind, told: NoticeKind) -> String {
    let count = |table: &str, kind: &str| {
        format!(
            "(SELECT CAST(count(*) AS text) FROM {table} WHERE kind = '{kind}' AND user_id = '{}')",
            user.id
        )
    };
    let (events, notices) = (count("events", kind.name()), count("notices", told.name()));
    stores.text(format!("SELECT {events} || ' ' || {notices}")).await
}

fn changed(outcome: &Changed) -> &User {
    match outcome {
        Changed::Changed(user) => user,
        outcome => panic!("{outcome:?}"),
    }
}

pub async fn a_phone_changes_and_its_owner_is_told_where_they_were(stores: Stores) {
    let jane = proven(&stores.one, "jane@example.com", PHONE).await;
    let change = to_phone(&jane, OTHER, None);
    let outcome = stores.one.changes.change_phone(&change).await.unwrap();
    let now = changed(&outcome);
    assert!(now.phone == phone(OTHER) && now.phone_verified && now.id == jane.id);
    let told = noted(&stores, &jane, EventKind::PhoneChanged, NoticeKind::PhoneChanged).await;
    assert_eq!(told, "1 2", "at the old phone, and by e-mail");
    let addresses = "SELECT address FROM notices WHERE channel = 'sms'".to_owned();
    assert_eq!(stores.text(addresses).await, PHONE);
    // What was pending is void.
    for change in [&change, &to_phone(&jane, "+14152000003", None)] {
        let outcome = stores.two.changes.change_phone(change).await.unwrap();
        assert_eq!(outcome, Changed::Void);
    }
    let told = noted(&stores, &jane, EventKind::PhoneChanged, NoticeKind::PhoneChanged).await;
    assert_eq!(told, "1 2");
}

pub async fn a_phone_moves_from_whoever_had_it_when_the_code_was_sent(stores: Stores) {
    let former = proven(&stores.one, "former@example.com", PHONE).await;
    let (jane, _) = register(&stores.one, "jane@example.com", OTHER).await;
    for none in [None, Some(Uuid::nil()), Some(jane.id)] {
        let outcome = stores
            .one
            .changes
            .change_phone(&to_phone(&jane, PHONE, none))
            .await;
        assert_eq!(outcome.unwrap(), Changed::Taken, "{none:?}");
    }
    let change = to_phone(&jane, PHONE, Some(former.id));
    let outcome = stores.one.changes.change_phone(&change).await.unwrap();
    assert!(changed(&outcome).phone_verified);
    let claims = stores.two.proofs.claims(&phone(PHONE), at(10)).await.unwrap();
    assert_eq!(
        (claims.verified_by, claims.any_claimant),
        (Some(jane.id), Some(former.id))
    );
    let told = noted(&stores, &former, EventKind::PhoneMoved, NoticeKind::PhoneMoved).await;
    assert_eq!(told, "1 1");
    let told = noted(&stores, &jane, EventKind::PhoneChanged, NoticeKind::PhoneChanged).await;
    assert_eq!(told, "1 0", "nothing was proven that could be told");
}

pub async fn a_claim_that_another_has_proven_moves_likewise(stores: Stores) {
    let former = proven(&stores.one, "former@example.com", PHONE).await;
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let mut change = to_phone(&jane, PHONE, Some(former.id));
    change.event = phone_verified(9);
    for _ in 0..2 {
        // Again, as after an answer that was lost.
        let outcome = stores.one.changes.change_phone(&change).await.unwrap();
        assert!(changed(&outcome).phone_verified);
    }
    let told = noted(&stores, &jane, EventKind::PhoneVerified, NoticeKind::PhoneChanged).await;
    assert_eq!(told, "1 0");
    let told = noted(&stores, &former, EventKind::PhoneMoved, NoticeKind::PhoneMoved).await;
    assert_eq!(told, "1 1");
}

pub async fn an_email_is_taken_from_whoever_never_proved_it(stores: Stores) {
    let jane = proven(&stores.one, "jane@example.com", PHONE).await;
    let holder = proven(&stores.one, "proven@example.com", OTHER).await;
    let (squatter, session) = register(&stores.one, "squatted@example.com", OTHER).await;
    let outcome = stores
        .one
        .changes
        .change_email(&to_email(&jane, "Proven@example.com"))
        .await;
    assert_eq!(outcome.unwrap(), Changed::Taken);
    assert!(holder.email_verified);
    let change = to_email(&jane, "Squatted@example.com");
    let outcome = stores.one.changes.change_email(&change).await.unwrap();
    let now = changed(&outcome);
    assert_eq!(now.email.as_ref().unwrap().expose(), "Squatted@example.com");
    assert!(now.email_verified);
    let left = stores.two.sessions.view(session).await.unwrap().unwrap();
    assert_eq!(
        (left.user.email, left.revoked),
        (None, false),
        "its sessions stay"
    );
    let told = noted(&stores, &squatter, EventKind::EmailTaken, NoticeKind::EmailTaken).await;
    assert_eq!(told, "1 0");
    let told = noted(&stores, &jane, EventKind::EmailChanged, NoticeKind::EmailChanged).await;
    assert_eq!(told, "1 2");
    assert_eq!(
        stores.one.changes.change_email(&change).await.unwrap(),
        Changed::Void
    );
}

pub async fn whoever_is_locked_or_gone_changes_nothing(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (phones, emails) = (to_phone(&jane, OTHER, None), to_email(&jane, "new@example.com"));
    let statement = format!("UPDATE users SET locked_at = created_at WHERE id = '{}'", jane.id);
    for statement in [statement, format!("DELETE FROM users WHERE id = '{}'", jane.id)] {
        stores.sql(statement).await;
        assert_eq!(
            stores.one.changes.change_phone(&phones).await.unwrap(),
            Changed::Void
        );
        assert_eq!(
            stores.one.changes.change_email(&emails).await.unwrap(),
            Changed::Void
        );
    }
    assert_eq!(stores.count("notices").await, 0);
}

pub async fn of_many_changes_to_one_phone_one_is_made(stores: Stores) {
    let mut users = Vec::new();
    for n in 0..MANY {
        let number = format!("+1415200{:04}", 100 + n);
        users.push(
            register(&stores.one, &format!("user{n}@example.com"), &number)
                .await
                .0,
        );
    }
    let outcomes = all_at_once(&stores, MANY, |n, store| {
        let change = to_phone(&users[n], PHONE, None);
        async move { store.changes.change_phone(&change).await.unwrap() }
    })
    .await;
    let made = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Changed::Changed(_)));
    assert_eq!(made.count(), 1);
    let taken = outcomes.iter().filter(|outcome| **outcome == Changed::Taken);
    assert_eq!(taken.count(), MANY - 1);
}

pub async fn of_many_changes_of_one_account_one_is_made(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let outcomes = all_at_once(&stores, MANY, |n, store| {
        let change = to_phone(&jane, &format!("+1415200{:04}", 100 + n), None);
        async move { store.changes.change_phone(&change).await.unwrap() }
    })
    .await;
    let made = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Changed::Changed(_)));
    assert_eq!(made.count(), 1);
    let void = outcomes.iter().filter(|outcome| **outcome == Changed::Void);
    assert_eq!(void.count(), MANY - 1);
}

/// Changes, claims that are verified, registrations and deletions, all for one phone and one e-mail address: whatever comes
/// first, nobody has what another has proven, and nothing fails.
pub async fn changes_race_with_proofs_registrations_and_deletions(stores: Stores) {
    const EMAIL: &str = "wanted@example.com";
    let mut users = Vec::new();
    for n in 0..MANY {
        let number = if n % 3 == 0 {
            PHONE.to_owned()
        } else {
            format!("+1415200{:04}", 100 + n)
        };
        users.push(
            register(&stores.one, &format!("user{n}@example.com"), &number)
                .await
                .0,
        );
    }
    let failures = all_at_once(&stores, MANY, |n, store| {
        let user = users[n].clone();
        let stores = stores.clone();
        async move {
            match n % 6 {
                0 | 3 => {
                    let claimant = Claimant::User(user.id);
                    let wanted = phone(PHONE);
                    let verified = store.proofs.verify_phone(&wanted, &claimant, phone_verified(2));
                    verified.await.is_err()
                }
                1 => store
                    .changes
                    .change_phone(&to_phone(&user, PHONE, None))
                    .await
                    .is_err(),
                2 => store.changes.change_email(&to_email(&user, EMAIL)).await.is_err(),
                4 => {
                    stores
                        .sql(format!("DELETE FROM users WHERE id = '{}'", user.id))
                        .await;
                    store
                        .changes
                        .change_phone(&to_phone(&user, PHONE, None))
                        .await
                        .unwrap()
                        != Changed::Void
                }
                _ => {
                    let user = new_user(EMAIL, OTHER);
                    let session = new_session(user.id);
                    let taken = loss();
                    let made = match n % 4 {
                        1 => store.users.register(user, session).await,
                        _ => store.users.register_proven(user, session, taken).await,
                    };
                    !matches!(made, Ok(_) | Err(RegisterError::EmailTaken))
                }
            }
        }
    })
    .await;
    assert!(failures.iter().all(|failed| !failed), "{failures:?}");
    assert_eq!(
        stores
            .count(&format!("users WHERE phone = '{PHONE}' AND phone_verified"))
            .await,
        1
    );
    assert_eq!(
        stores.count(&format!("users WHERE email_key = '{EMAIL}'")).await,
        1
    );
}

pub async fn a_proven_registration_takes_the_address_of_whoever_never_proved_it(stores: Stores) {
    let (squatter, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let made = async |store: &Store| {
        let user = new_user("Jane@Example.com", OTHER);
        let session = new_session(user.id);
        let taken = loss();
        store.users.register_proven(user, session, taken).await
    };
    let jane = made(&stores.one).await.unwrap();
    assert!(jane.email_verified && !jane.phone_verified);
    let left = stores.two.sessions.view(session).await.unwrap().unwrap();
    assert_eq!((left.user.email, left.revoked), (None, false));
    let told = noted(&stores, &squatter, EventKind::EmailTaken, NoticeKind::EmailTaken).await;
    assert_eq!(told, "1 0", "its phone may be somebody else's as well");
    assert!(
        matches!(made(&stores.two).await, Err(RegisterError::EmailTaken)),
        "it is proven now"
    );
    assert_eq!(stores.count("users").await, 2);
    assert_eq!(
        stores
            .count("users WHERE email_verified AND email_owned_at IS NOT NULL")
            .await,
        1
    );
}

pub async fn whoever_loses_an_address_is_told_at_a_proven_phone(stores: Stores) {
    let (store, claims) = (&stores.one, ["+14152000005", "+14152000006"]);
    let mut losers = Vec::new();
    for (email, claim) in ["jane@example.com", "john@example.com"].into_iter().zip(claims) {
        let (loser, _) = register(store, email, claim).await;
        let (claimant, proofs, number) = (Claimant::User(loser.id), &store.proofs, phone(claim));
        let proven = proofs.verify_phone(&number, &claimant, phone_verified(1)).await;
        assert_eq!(proven.unwrap(), Verification::Verified(loser.id));
        losers.push(loser);
    }
    let user = new_user("jane@example.com", OTHER);
    let session = new_session(user.id);
    store.users.register_proven(user, session, loss()).await.unwrap();
    let taker = proven(store, "taker@example.com", PHONE).await;
    let change = to_email(&taker, "john@example.com");
    let changed = store.changes.change_email(&change).await;
    assert!(matches!(changed.unwrap(), Changed::Changed(_)));
    for (loser, claim) in losers.iter().zip(claims) {
        let told = format!(
            "notices WHERE user_id = '{}' AND kind = 'email_taken' AND channel = 'sms' AND address = '{claim}'",
            loser.id
        );
        assert_eq!(stores.count(&told).await, 1);
    }
}

pub async fn a_test_number_opens_nothing(stores: Stores) {
    let user = proven(&stores.one, "jane@example.com", PHONE).await;
    let change = PhoneChange {
        opens: false,
        ..to_phone(&user, OTHER, None)
    };
    let changed = stores.one.changes.change_phone(&change).await.unwrap();
    assert!(matches!(changed, Changed::Changed(user) if user.phone_verified));
    assert_eq!(
        stores
            .count("users WHERE phone_verified AND phone_owned_at IS NULL")
            .await,
        1
    );
}

pub async fn of_many_proven_registrations_one_makes_an_account(stores: Stores) {
    register(&stores.one, "jane@example.com", PHONE).await;
    let made = all_at_once(&stores, MANY, |_, store| async move {
        let user = new_user("jane@example.com", OTHER);
        let session = new_session(user.id);
        let taken = loss();
        match store.users.register_proven(user, session, taken).await {
            Ok(_) => true,
            Err(RegisterError::EmailTaken) => false,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    assert_eq!(stores.count("users").await, 2);
}
