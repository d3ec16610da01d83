//! Who has an e-mail address, and who has proven it.

use std::{collections::HashMap, sync::Arc};

use chrono::Duration;
use ringback::{
    accounts::{Claimant, EmailHolder, EmailVerification},
    email::EmailAddress,
};
use uuid::Uuid;

use crate::{
    harness::{Stores, email_verified, register},
    races::{all_at_once, tally},
};

const PHONE: &str = "+14152000001";

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub async fn an_email_is_found_by_its_key_whether_or_not_it_is_proven(stores: Stores) {
    let holder = async |text| stores.two.proofs.email_holder(&email(text)).await.unwrap();
    assert_eq!(holder("jane@example.com").await, None);
    let (jane, _) = register(&stores.one, "Jane@Example.com", PHONE).await;
    register(&stores.one, "john@example.com", PHONE).await;
    let mut held = EmailHolder {
        user: jane.id,
        email: email("jane@example.com"),
        is_verified: false,
    };
    let found = holder("JANE@example.com").await;
    assert_eq!(
        found.as_ref().map(|holder| holder.email.expose()),
        Some("Jane@Example.com")
    );
    assert_eq!(found, Some(held.clone()));
    stores
        .one
        .proofs
        .verify_email(
            jane.email.as_ref().unwrap(),
            &Claimant::User(jane.id),
            email_verified(5),
        )
        .await
        .unwrap();
    held.is_verified = true;
    assert_eq!(holder("jane@example.com").await, Some(held));

    let written_to = stores.two.proofs.email_of(jane.id).await.unwrap().unwrap();
    assert_eq!(
        written_to.expose(),
        "Jane@Example.com",
        "in the spelling that was typed"
    );
    assert_eq!(written_to.key(), "jane@example.com");
    assert!(stores.two.proofs.email_of(Uuid::nil()).await.unwrap().is_none());
}

pub async fn an_email_is_verified_once_for_the_account_that_has_it(stores: Stores) {
    let (jane, session) = register(&stores.one, "Jane@Example.com", PHONE).await;
    let (john, johns) = register(&stores.one, "john@example.com", PHONE).await;
    let verify = async |text, claimant, second| {
        let email = email(text);
        let outcome = stores
            .two
            .proofs
            .verify_email(&email, &claimant, email_verified(second))
            .await;
        outcome.unwrap()
    };
    let by_john = Claimant::User(john.id);
    assert_eq!(
        verify("jane@example.com", by_john, 6).await,
        EmailVerification::NoClaim
    );
    assert_eq!(
        verify("nobody@example.com", Claimant::Anyone, 6).await,
        EmailVerification::NoClaim
    );
    let seen = stores.one.sessions.view(session).await.unwrap().unwrap().user;
    assert!(!seen.email_verified, "by nobody yet");

    let by_jane = Claimant::User(jane.id);
    assert_eq!(
        verify("JANE@example.com", by_jane, 7).await,
        EmailVerification::Verified(jane.id)
    );
    assert_eq!(
        verify("jane@example.com", by_jane, 8).await,
        EmailVerification::AlreadyVerified(jane.id)
    );
    assert_eq!(
        verify("jane@example.com", Claimant::Anyone, 9).await,
        EmailVerification::AlreadyVerified(jane.id)
    );
    let seen = stores.one.sessions.view(session).await.unwrap().unwrap().user;
    assert!(seen.email_verified && !seen.phone_verified);
    assert_eq!(
        seen.updated_at - seen.created_at,
        Duration::seconds(7),
        "the first time alone"
    );

    assert_eq!(
        verify("john@example.com", Claimant::Anyone, 7).await,
        EmailVerification::Verified(john.id)
    );
    let seen = stores.one.sessions.view(johns).await.unwrap().unwrap().user;
    assert!(seen.email_verified);
}

pub async fn of_many_that_verify_an_email_at_once_one_does(stores: Stores) {
    for round in 0..5 {
        let (jane, _) = register(&stores.one, &format!("jane{round}@example.com"), PHONE).await;
        let (john, _) = register(&stores.one, &format!("john{round}@example.com"), PHONE).await;
        let outcomes = all_at_once(&stores, 48, |n, store| {
            let email = jane.email.clone().unwrap();
            let claimant = [Claimant::User(jane.id), Claimant::Anyone, Claimant::User(john.id)][n % 3];
            async move {
                store
                    .proofs
                    .verify_email(&email, &claimant, email_verified(1))
                    .await
                    .unwrap()
            }
        })
        .await;
        let tally = tally(outcomes.into_iter().map(|outcome| match outcome {
            EmailVerification::Verified(user) | EmailVerification::AlreadyVerified(user)
                if user != jane.id =>
            {
                "another's"
            }
            EmailVerification::Verified(_) => "verified",
            EmailVerification::AlreadyVerified(_) => "already",
            EmailVerification::NoClaim => "no claim",
        }));
        assert_eq!(
            tally,
            HashMap::from([("verified", 1), ("already", 31), ("no claim", 16)])
        );
    }
}

pub async fn lookups_of_emails_in_parallel_find_their_own(stores: Stores) {
    let mut users = Vec::new();
    for n in 0..20 {
        users.push(
            register(&stores.one, &format!("user{n}@example.com"), PHONE)
                .await
                .0,
        );
    }
    let users = Arc::new(users);
    all_at_once(&stores, 400, |n, store| {
        let users = Arc::clone(&users);
        async move {
            let user = &users[n % users.len()];
            let holder = store
                .proofs
                .email_holder(user.email.as_ref().unwrap())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(holder.user, user.id);
            let nobodys = email(&format!("nobody{n}@example.com"));
            assert_eq!(store.proofs.email_holder(&nobodys).await.unwrap(), None);
        }
    })
    .await;
}
