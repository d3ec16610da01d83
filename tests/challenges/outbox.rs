//! What the outbox promises, whatever keeps it.

use std::sync::Arc;

use ringback::{
    challenges::{Purpose, Verdict, Whose},
    channel::Channel,
    delivery::{Lease, OutboxEntry},
    provider::DeliveryStatus,
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{RIGHT, SEED, World, keyring},
};

on_every_store! {
    async fn the_outbox_holds_an_entry_until_it_is_acknowledged(world) {
        let (_, entry) = world.issue(Whose::Public).await;
        assert_eq!(world.store.take_over(10).await.unwrap(), [], "leased to whoever issued it");
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry));
        assert_eq!(world.store.take_over(10).await.unwrap(), [], "leased again");
        assert_eq!(world.store.renew(&entry).await.unwrap(), Lease::Held);
        world.store.hand_back(&entry).await.unwrap();
        assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry));
        world.store.acknowledge(&entry).await.unwrap();
        world.store.acknowledge(&entry).await.unwrap();
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
        assert_eq!(world.store.renew(&entry).await.unwrap(), Lease::Gone);
    }

    async fn an_overdue_entry_is_taken_over_by_one_alone(world) {
        world.issue(Whose::Public).await;
        world.pass(31);
        let takers = (0..20).map(|_| {
            let store = Arc::clone(&world.store);
            tokio::spawn(async move { store.take_over(10).await.unwrap().len() })
        });
        let taken: usize = futures_util::future::try_join_all(takers).await.unwrap().into_iter().sum();
        assert_eq!(taken, 1);
    }

    async fn what_is_replaced_used_or_expired_is_not_delivered(world) {
        let (_, replaced) = world.issue(Whose::Public).await;
        world.pass(60);
        let (_, used) = world.issue(Whose::Public).await;
        assert_eq!(world.store.renew(&replaced).await.unwrap(), Lease::Gone);
        assert!(matches!(world.judge(RIGHT).await, Verdict::Right(_)));
        assert_eq!(world.store.renew(&used).await.unwrap(), Lease::Gone);
        world.pass(60);
        let (_, expired) = world.issue(Whose::Public).await;
        world.pass(600);
        assert_eq!(world.store.renew(&expired).await.unwrap(), Lease::Gone);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
    }

    async fn whoever_is_done_with_a_replaced_message_leaves_the_new_one(world) {
        let (_, old) = world.issue(Whose::Public).await;
        world.pass(60);
        let (_, new) = world.issue(Whose::Public).await;
        assert_eq!(world.store.renew(&old).await.unwrap(), Lease::Gone);
        world.store.acknowledge(&old).await.unwrap();
        world.store.hand_back(&old).await.unwrap();
        assert_eq!(world.store.take_over(10).await.unwrap(), [], "the new one is leased still");
        assert_eq!(world.store.renew(&new).await.unwrap(), Lease::Held);
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), [new]);
    }

    async fn a_code_without_a_message_leaves_nothing_pending(world) {
        world.issue(Whose::Public).await;
        world.pass(60);
        world.issue_decoy(Whose::Public).await;
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
    }

    async fn each_slot_of_an_address_has_its_own_entry(world) {
        let mut pending = Vec::new();
        for whose in [Whose::Public, Whose::User(Uuid::from_u128(1)), Whose::User(Uuid::from_u128(2))] {
            pending.push(world.issue(whose).await.1);
            world.pass(60);
        }
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.extend(world.store.take_over(1).await.unwrap());
        }
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
        for entries in [&mut pending, &mut taken] {
            entries.sort_by_key(|entry| entry.challenge_id);
        }
        assert_eq!(taken, pending);
    }

    async fn a_resend_while_others_take_over_is_pending_once(world) {
        for _ in 0..20 {
            world.issue(Whose::Public).await;
            world.pass(60);
            let (store, taker) = (Arc::clone(&world.store), tokio::spawn({
                let store = Arc::clone(&world.store);
                async move { store.take_over(10).await.unwrap() }
            }));
            let (_, new) = world.issue(Whose::Public).await;
            let taken = taker.await.unwrap();
            assert!(taken.iter().all(|entry| *entry != new), "leased to whoever issued it");
            for old in taken {
                store.acknowledge(&old).await.unwrap();
            }
            assert_eq!(store.renew(&new).await.unwrap(), Lease::Held);
            world.pass(60);
        }
    }

    async fn an_entry_has_what_its_message_is_made_of(world) {
        let email = world.about_email();
        let expected = [
            (&world, Channel::Sms, Purpose::VerifyPhone),
            (&email, Channel::Email, Purpose::VerifyEmail),
        ];
        for (world, channel, purpose) in expected {
            let (id, entry) = world.issue(Whose::Public).await;
            assert_eq!((entry.channel, entry.topic, entry.seed), (channel, purpose.byte(), SEED));
            assert_eq!((entry.challenge_id, entry.address), (id, world.slot(Whose::Public).address()));
            world.pass(31);
            assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry), "whoever takes it over as well");
            world.store.acknowledge(&entry).await.unwrap();
        }
    }

    async fn an_address_that_no_account_has_is_kept_with_its_entry(world) {
        let (email, user) = (world.about_email(), Uuid::from_u128(1));
        let longest = format!("{}@example.com", "x".repeat(242));
        for (world, whose, address) in [
            (&world, Whose::User(user), "+14152000001"),
            (&email, Whose::User(user), "jane@example.com"),
            (&email, Whose::Public, longest.as_str()),
        ] {
            let entry = world.issue_sealed(whose, address).await;
            assert_eq!(entry.user_id, (whose != Whose::Public).then_some(user));
            assert_eq!(world.store.renew(&entry).await.unwrap(), Lease::Held);
            world.store.note_status(entry.address, entry.challenge_id, DeliveryStatus::Failed, "twilio").await.unwrap();
            world.pass(31);
            let taken = world.store.take_over(10).await.unwrap();
            let expected = OutboxEntry { avoid: Some("twilio".to_owned()), ..entry };
            assert_eq!(taken, std::slice::from_ref(&expected), "whole, for whoever takes it over");
            let sealed = taken[0].sealed.as_ref().unwrap();
            let opened = sealed.open(keyring().current(), [5; 16]);
            assert_eq!(opened.unwrap().as_str(), address);
            assert!(matches!(world.judge_in(&[whose], None, RIGHT).await, Verdict::Right(_)));
            assert_eq!(world.store.renew(&expected).await.unwrap(), Lease::Gone);
            world.pass(31);
        }
    }
}
