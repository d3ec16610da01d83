//! A record of another format, as a later version might write it: refused by each way in, and left as it is.

use redis::AsyncCommands;
use ringback::{
    challenges::{Attempt, CodeDigest, Issue, Proof, Whose},
    limits::Shadowed,
    provider::DeliveryStatus,
};

use crate::{
    support::variable,
    world::{RIGHT, entropy, redis_under},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_another_format_is_refused_and_left_alone() {
    let prefix = format!("test-{}", entropy().uuid().simple());
    let world = redis_under(prefix.clone());
    let (id, entry) = world.issue(Whose::Public).await;
    let client = redis::Client::open(variable("RINGBACK_TEST_REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis.keys(format!("{prefix}:*:o:*")).await.unwrap();
    let [key] = keys.try_into().unwrap();
    let _: () = redis.setrange(&key, 0, &[2_u8][..]).await.unwrap();
    let written: Vec<u8> = redis.get(&key).await.unwrap();

    world.pass(60);
    let (store, slot) = (&world.store, world.slot(Whose::Public));
    let shadowed = Shadowed::default();
    for whose in [Whose::Public, Whose::Candidate(0)] {
        let issue = Issue {
            place: world.place(whose, world.name(whose), RIGHT),
            others: &[],
            subject: None,
            message: None,
            attached: &[],
            shadowed: &shadowed,
        };
        assert!(store.issue(&issue).await.is_err(), "{whose:?}");
    }
    let attempt = Attempt {
        slots: &[slot],
        claimants_at: None,
        challenge_id: None,
        digest: CodeDigest::unmatchable(RIGHT),
        attached: &[],
        refund: None,
    };
    assert!(store.judge(&attempt).await.is_err());
    let proof = Proof {
        address: slot.address(),
        challenge_id: id,
        subject: None,
        issued_at_ms: 0,
        has_message: true,
        has_worked: false,
        shadowed: shadowed.clone(),
    };
    assert!(store.judge_by_id(&world.attempt_by_id(id, RIGHT)).await.is_err());
    assert!(store.reinstate(&proof).await.is_err());
    assert!(store.waits(&slot).await.is_err());
    assert!(store.snapshot(slot.address(), id).await.is_err());
    for status in [DeliveryStatus::Sent, DeliveryStatus::Failed] {
        let noted = store.note_status(slot.address(), id, status, "twilio");
        assert!(noted.await.is_err());
    }
    assert!(store.renew(&entry).await.is_err());
    assert_eq!(store.take_over(10).await.unwrap(), [], "held back");
    let left: Vec<u8> = redis.get(&key).await.unwrap();
    assert_eq!(left, written);
    let _: () = redis.setrange(&key, 0, &[1_u8][..]).await.unwrap();
    world.pass(31);
    assert_eq!(store.take_over(10).await.unwrap(), [entry], "and not lost");
}
