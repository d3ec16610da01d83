//! A test number goes from account to account: the last one that proves it has it.

use ringback::accounts::{Claimant, Verification};

use crate::{
    harness::{Stores, at, phone, phone_verified, register},
    races::all_at_once,
};

pub async fn accounts_take_a_test_number_from_each_other(stores: Stores) {
    let number = "+14152000009";
    let take = async |claimant| {
        stores
            .two
            .proofs
            .take_test_number(&phone(number), &claimant, phone_verified(3))
            .await
            .unwrap()
    };
    assert_eq!(take(Claimant::Anyone).await, Verification::NoClaim);
    let mut users = Vec::new();
    for n in 0..8 {
        users.push(
            register(&stores.one, &format!("taker{n}@example.com"), number)
                .await
                .0
                .id,
        );
    }
    let has_it = async || {
        stores
            .one
            .proofs
            .claims(&phone(number), at(100))
            .await
            .unwrap()
            .verified_by
    };
    for user in [users[0], users[5]] {
        assert_eq!(take(Claimant::User(user)).await, Verification::Verified(user));
        assert_eq!(
            take(Claimant::User(user)).await,
            Verification::AlreadyVerified(user)
        );
        assert_eq!(has_it().await, Some(user));
    }
    assert_eq!(
        take(Claimant::Anyone).await,
        Verification::Verified(users[7]),
        "the newest"
    );
    let (other, _) = register(&stores.one, "elsewhere@example.com", "+14152000001").await;
    assert_eq!(take(Claimant::User(other.id)).await, Verification::NoClaim);
    let last = all_at_once(&stores, 40, |n, store| {
        let (user, number) = (users[n % 8], phone(number));
        async move {
            let taken = store
                .proofs
                .take_test_number(&number, &Claimant::User(user), phone_verified(4))
                .await;
            matches!(
                taken.unwrap(),
                Verification::Verified(_) | Verification::AlreadyVerified(_)
            )
        }
    })
    .await;
    assert_eq!(last, [true; 40]);
    let owners = "SELECT CAST(count(*) AS text) FROM users WHERE phone = '+14152000009' AND phone_verified";
    assert_eq!(stores.text(owners.to_owned()).await, "1");
}
