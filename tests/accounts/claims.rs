//! Unproven claims of a phone lapse: what that changes, and what it doesn't.

use chrono::{DateTime, TimeDelta, Utc};
use ringback::{
    accounts::{Claimant, Claims, EmailVerification, NewUser, Verification},
    email::EmailAddress,
    entropy::SystemEntropy,
    events::{EventKind, NewEvent, Source},
};
use uuid::Uuid;

use crate::harness::{
    CLAIM_TTL, Store, Stores, at, email_verified, new_session, new_user, phone, phone_verified,
};

const PHONE: &str = "+14152000001";

/// An account that was made then.
async fn register_at(store: &Store, email: &str, now: DateTime<Utc>) -> Uuid {
    let user = NewUser {
        now,
        ..new_user(email, PHONE)
    };
    let session = new_session(user.id);
    store.users.register(user, session).await.unwrap().id
}

async fn verify_at(store: &Store, claimant: Claimant, now: DateTime<Utc>) -> Verification {
    let phone = phone(PHONE);
    let event = NewEvent::new(EventKind::PhoneVerified, Source::system(), now, &SystemEntropy);
    store.proofs.verify_phone(&phone, &claimant, event).await.unwrap()
}

pub async fn a_lapsed_claim_keeps_nobody_up(stores: Stores) {
    let (later, moment) = (
        at(0) + CLAIM_TTL + TimeDelta::seconds(1),
        TimeDelta::milliseconds(1),
    );
    for email in ["a@example.com", "b@example.com", "c@example.com", "d@example.com"] {
        register_at(&stores.one, email, at(0)).await;
    }
    let jane = register_at(&stores.one, "jane@example.com", later).await;
    let claims = async |now| stores.two.proofs.claims(&phone(PHONE), now).await.unwrap();
    let all = claims(at(0) + CLAIM_TTL).await;
    assert_eq!(
        (all.unverified, all.sole_claimant),
        (2, None),
        "all are live still"
    );
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, at(0) + CLAIM_TTL).await,
        Verification::Ambiguous
    );
    let live = claims(at(0) + CLAIM_TTL + moment).await;
    assert_eq!((live.unverified, live.verified_by), (1, None));
    assert_eq!((live.sole_claimant, live.any_claimant), (Some(jane), Some(jane)));
    let verified = verify_at(&stores.two, Claimant::Anyone, later).await;
    assert_eq!(verified, Verification::Verified(jane));
    assert_eq!(claims(later).await.verified_by, Some(jane));
}

pub async fn two_live_claims_among_lapsed_ones_are_ambiguous(stores: Stores) {
    let later = at(0) + CLAIM_TTL + TimeDelta::seconds(1);
    let old = register_at(&stores.one, "old@example.com", at(0)).await;
    let jane = register_at(&stores.one, "jane@example.com", later).await;
    register_at(&stores.one, "john@example.com", later).await;
    let claims = stores.two.proofs.claims(&phone(PHONE), later).await.unwrap();
    assert_eq!((claims.unverified, claims.sole_claimant), (2, None));
    assert_eq!(claims.any_claimant, Some(jane));
    let anyone = verify_at(&stores.two, Claimant::Anyone, later).await;
    assert_eq!(anyone, Verification::Ambiguous);
    let mine = verify_at(&stores.two, Claimant::User(old), later).await;
    assert_eq!(
        mine,
        Verification::Verified(old),
        "a token decides, lapsed or not"
    );
}

pub async fn where_all_have_lapsed_a_sole_claim_still_works(stores: Stores) {
    let later = at(0) + CLAIM_TTL * 10;
    let jane = register_at(&stores.one, "jane@example.com", at(0)).await;
    let john = register_at(&stores.one, "john@example.com", at(0)).await;
    let claims = stores.two.proofs.claims(&phone(PHONE), later).await.unwrap();
    assert_eq!((claims.unverified, claims.sole_claimant), (2, None));
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, later).await,
        Verification::Ambiguous
    );
    stores.sql(format!("DELETE FROM users WHERE id = '{john}'")).await;
    let claims = stores.two.proofs.claims(&phone(PHONE), later).await.unwrap();
    assert_eq!(claims.sole_claimant, Some(jane));
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, later).await,
        Verification::Verified(jane)
    );
}

pub async fn a_phone_that_was_claimed_anew_is_live_from_then_on(stores: Stores) {
    let later = at(0) + CLAIM_TTL * 2;
    let jane = register_at(&stores.one, "jane@example.com", at(0)).await;
    register_at(&stores.one, "john@example.com", at(0)).await;
    let claimed = match stores.is_sqlite() {
        true => later.timestamp_micros().to_string(),
        false => format!("'{}'", later.to_rfc3339()),
    };
    stores
        .sql(format!(
            "UPDATE users SET phone_claimed_at = {claimed} WHERE id = '{jane}'"
        ))
        .await;
    let claims = stores.two.proofs.claims(&phone(PHONE), later).await.unwrap();
    assert_eq!(claims.sole_claimant, Some(jane));
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, later).await,
        Verification::Verified(jane)
    );
}

pub async fn a_locked_account_proves_nothing_and_holds_nobody_up(stores: Stores) {
    let locked = register_at(&stores.one, "locked@example.com", at(0)).await;
    let lock = |at: &str| stores.sql(format!("UPDATE users SET locked_at = {at} WHERE id = '{locked}'"));
    lock("created_at").await;
    let proofs = &stores.two.proofs;
    let claims = async || proofs.claims(&phone(PHONE), at(1)).await.unwrap();
    assert_eq!(claims().await, Claims::default());
    let email = EmailAddress::parse("locked@example.com").unwrap();
    assert_eq!(proofs.email_holder(&email).await.unwrap(), None);
    for claimant in [Claimant::Anyone, Claimant::User(locked)] {
        assert_eq!(
            verify_at(&stores.two, claimant, at(1)).await,
            Verification::NoClaim
        );
        let taken = proofs
            .take_test_number(&phone(PHONE), &claimant, phone_verified(1))
            .await;
        assert_eq!(taken.unwrap(), Verification::NoClaim);
        let proven = proofs.verify_email(&email, &claimant, email_verified(1)).await;
        assert_eq!(proven.unwrap(), EmailVerification::NoClaim);
    }
    let jane = register_at(&stores.one, "jane@example.com", at(1)).await;
    assert_eq!(claims().await.sole_claimant, Some(jane));
    lock("NULL").await;
    assert_eq!(claims().await.unverified, 2);
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, at(1)).await,
        Verification::Ambiguous
    );
    lock("created_at").await;
    assert_eq!(
        verify_at(&stores.two, Claimant::Anyone, at(1)).await,
        Verification::Verified(jane)
    );
}
