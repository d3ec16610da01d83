//! Accounts, as one caller after another sees them.

use chrono::Duration;
use ringback::{
    accounts::{Claimant, Claims, Login, RegisterError, Verification},
    email::EmailAddress,
};
use uuid::Uuid;

use crate::harness::{Stores, at, hash, new_session, new_user, phone, phone_verified, register};

const PHONE: &str = "+14152000001";

fn by_email(text: &str) -> Login {
    Login::Email(EmailAddress::parse(text).unwrap())
}

pub async fn an_account_comes_back_as_it_was_made(stores: Stores) {
    let (made, session) = register(&stores.one, "Jane@Example.com", PHONE).await;
    assert_eq!(made.email.as_ref().unwrap().expose(), "Jane@Example.com");
    assert_eq!(made.last_name.expose(), "O’Doe");
    assert!(!made.phone_verified && !made.email_verified);
    assert!(
        (at(0) - made.created_at).abs() < Duration::microseconds(1),
        "to the microsecond"
    );
    assert_eq!(made.created_at, made.updated_at);
    let seen = stores.two.sessions.view(session).await.unwrap().unwrap();
    assert_eq!(seen.user, made, "what register answers is what is stored");
    assert_eq!(
        seen.user.email.as_ref().unwrap().expose(),
        "Jane@Example.com",
        "in the spelling that was typed"
    );
    assert_eq!(
        stores.two.proofs.phone_of(made.id).await.unwrap(),
        Some(phone(PHONE))
    );
    assert_eq!(stores.two.proofs.phone_of(Uuid::nil()).await.unwrap(), None);
}

pub async fn an_email_has_one_account_in_whatever_case(stores: Stores) {
    register(&stores.one, "jane@example.com", PHONE).await;
    for spelling in ["jane@example.com", "JANE@Example.com", "ｊane@example.com"] {
        let user = new_user(spelling, "+14152000002");
        let session = new_session(user.id);
        let refused = stores.two.users.register(user, session).await;
        assert!(matches!(refused, Err(RegisterError::EmailTaken)), "{spelling}");
    }
    register(&stores.two, "john@example.com", PHONE).await;
}

pub async fn a_failed_registration_leaves_nothing(stores: Stores) {
    let (_, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let taken = new_user("jane@example.com", PHONE);
    let unused = new_session(taken.id);
    stores.one.users.register(taken, unused).await.unwrap_err();
    let user = new_user("john@example.com", PHONE);
    let mut colliding = new_session(user.id);
    colliding.id = session;
    let failed = stores.one.users.register(user, colliding).await;
    assert!(matches!(failed, Err(RegisterError::Unavailable(_))));
    assert_eq!(
        (stores.count("users").await, stores.count("sessions").await),
        (1, 1)
    );
    register(&stores.one, "john@example.com", PHONE).await;
}

pub async fn a_login_finds_by_email_or_verified_phone(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    register(&stores.one, "john@example.com", PHONE).await;
    let found = stores
        .two
        .passwords
        .credentials(&by_email("JANE@example.com"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user, jane);
    assert!(!found.locked);
    assert_eq!(found.password, Some(new_user("x@example.com", PHONE).password));
    assert!(
        stores
            .two
            .passwords
            .credentials(&by_email("nobody@example.com"))
            .await
            .unwrap()
            .is_none()
    );

    let login = Login::Phone(phone(PHONE));
    assert!(
        stores.two.passwords.credentials(&login).await.unwrap().is_none(),
        "claims are no identity"
    );
    let verified = stores
        .one
        .proofs
        .verify_phone(&phone(PHONE), &Claimant::User(jane.id), phone_verified(5))
        .await;
    assert_eq!(verified.unwrap(), Verification::Verified(jane.id));
    let found = stores.two.passwords.credentials(&login).await.unwrap().unwrap();
    assert_eq!(found.user.id, jane.id);
}

pub async fn a_locked_account_says_so(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    stores
        .sql(format!(
            "UPDATE users SET locked_at = created_at WHERE id = '{}'",
            jane.id
        ))
        .await;
    let found = stores
        .two
        .passwords
        .credentials(&by_email("jane@example.com"))
        .await
        .unwrap()
        .unwrap();
    assert!(found.locked);
}

pub async fn claims_tell_who_has_and_who_wants_a_phone(stores: Stores) {
    let claims = async || stores.two.proofs.claims(&phone(PHONE), at(100)).await.unwrap();
    assert_eq!(claims().await, Claims::default());

    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    register(&stores.one, "other@example.com", "+14152000002").await;
    let one = Claims {
        verified_by: None,
        unverified: 1,
        sole_claimant: Some(jane.id),
        any_claimant: Some(jane.id),
    };
    assert_eq!(claims().await, one);

    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    register(&stores.one, "jim@example.com", PHONE).await;
    let many = Claims {
        verified_by: None,
        unverified: 2,
        sole_claimant: None,
        any_claimant: Some(jane.id),
    };
    assert_eq!(claims().await, many);

    stores
        .one
        .proofs
        .verify_phone(&phone(PHONE), &Claimant::User(jane.id), phone_verified(5))
        .await
        .unwrap();
    let had = Claims {
        verified_by: Some(jane.id),
        unverified: 2,
        sole_claimant: None,
        any_claimant: Some(john.id),
    };
    assert_eq!(claims().await, had);
}

pub async fn whoever_has_a_phone_is_found_behind_all_who_want_it(stores: Stores) {
    let mut claimants = Vec::new();
    for number in 0..20 {
        let email = format!("{number}@example.com");
        claimants.push(register(&stores.one, &email, PHONE).await.0.id);
    }
    let last = Claimant::User(claimants[19]);
    let verified = stores
        .one
        .proofs
        .verify_phone(&phone(PHONE), &last, phone_verified(5))
        .await;
    assert_eq!(verified.unwrap(), Verification::Verified(claimants[19]));
    let (sole, _) = register(&stores.one, "f@example.com", "+14152000002").await;
    let claims = async |of| stores.two.proofs.claims(&phone(of), at(100)).await.unwrap();
    // One after the other and at once, when they may be looked for together.
    let alone = claims(PHONE).await;
    let together = tokio::join!(claims("+14152000002"), claims(PHONE), claims("+14152000003"));
    let crowd = Claims {
        verified_by: Some(claimants[19]),
        unverified: 2,
        sole_claimant: None,
        any_claimant: Some(claimants[0]),
    };
    let single = Claims {
        verified_by: None,
        unverified: 1,
        sole_claimant: Some(sole.id),
        any_claimant: Some(sole.id),
    };
    assert_eq!((alone, together), (crowd, (single, crowd, Claims::default())));
}

pub async fn a_claimant_verifies_his_own_claim_alone(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    let (jim, _) = register(&stores.one, "jim@example.com", "+14152000002").await;
    let verify = async |user| {
        let claimant = Claimant::User(user);
        stores
            .two
            .proofs
            .verify_phone(&phone(PHONE), &claimant, phone_verified(7))
            .await
            .unwrap()
    };
    assert_eq!(verify(jim.id).await, Verification::NoClaim);
    assert_eq!(verify(Uuid::nil()).await, Verification::NoClaim);
    assert_eq!(verify(jane.id).await, Verification::Verified(jane.id));
    assert_eq!(verify(jane.id).await, Verification::AlreadyVerified(jane.id));
    assert_eq!(verify(john.id).await, Verification::Taken);
    assert_eq!(verify(jim.id).await, Verification::NoClaim);

    let seen = stores.one.sessions.view(session).await.unwrap().unwrap().user;
    assert!(seen.phone_verified);
    assert_eq!(seen.updated_at - seen.created_at, Duration::seconds(7));
}

pub async fn anyone_verifies_a_sole_claim_alone(stores: Stores) {
    let verify = async || {
        stores
            .two
            .proofs
            .verify_phone(&phone(PHONE), &Claimant::Anyone, phone_verified(7))
            .await
            .unwrap()
    };
    assert_eq!(verify().await, Verification::NoClaim);
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    assert_eq!(verify().await, Verification::Ambiguous);
    assert_eq!(
        stores
            .one
            .proofs
            .claims(&phone(PHONE), at(100))
            .await
            .unwrap()
            .verified_by,
        None
    );
    stores
        .sql(format!("DELETE FROM users WHERE id = '{}'", john.id))
        .await;
    assert_eq!(verify().await, Verification::Verified(jane.id));
    assert_eq!(verify().await, Verification::AlreadyVerified(jane.id));
    register(&stores.one, "jim@example.com", PHONE).await;
    assert_eq!(
        verify().await,
        Verification::AlreadyVerified(jane.id),
        "not the new claimant's"
    );
}

pub async fn a_hash_is_replaced_while_it_is_still_the_old_one(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let stored = async || {
        let found = stores
            .one
            .passwords
            .credentials(&by_email("jane@example.com"))
            .await
            .unwrap();
        found.unwrap().password.unwrap()
    };
    let old = stored().await;
    stores
        .one
        .passwords
        .replace_hash(jane.id, &hash("wrong"), &hash("never"))
        .await
        .unwrap();
    assert_eq!(stored().await, old);
    stores
        .one
        .passwords
        .replace_hash(jane.id, &old, &hash("new"))
        .await
        .unwrap();
    assert_eq!(stored().await, hash("new"));
}
