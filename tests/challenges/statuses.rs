//! What the status of a challenge promises, whatever keeps it.

use std::time::Duration;

use ringback::{
    challenges::{IssueOutcome, StatusSnapshot, Verdict, Whose, candidate_slots},
    channel::Channel,
    provider::DeliveryStatus::{self, Delivered, Failed, Queued, Sent, Undelivered},
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{RIGHT, WRONG, World, keyring, wrong},
};

impl World {
    async fn snapshot(&self, id: Uuid) -> Option<StatusSnapshot> {
        let mut found = None;
        for address in candidate_slots(&keyring(), id) {
            found = self.store.snapshot(address, id).await.unwrap();
        }
        found
    }

    async fn status(&self, id: Uuid) -> Option<DeliveryStatus> {
        Some(self.snapshot(id).await?.status)
    }

    async fn tell(&self, id: Uuid, status: DeliveryStatus) -> bool {
        let mut noted = false;
        for address in candidate_slots(&keyring(), id) {
            noted = self
                .store
                .note_status(address, id, status, "twilio")
                .await
                .unwrap();
        }
        noted
    }
}

const fn user(id: u128) -> Whose {
    Whose::User(Uuid::from_u128(id))
}

on_every_store! {
    async fn a_status_goes_forward_and_never_back(world) {
        for last in [Delivered, Undelivered, Failed] {
            let (id, _) = world.issue(Whose::Public).await;
            assert_eq!(world.status(id).await, Some(Queued));
            assert!(!world.tell(id, Queued).await);
            assert!(world.tell(id, Sent).await);
            assert!(!world.tell(id, Sent).await, "repeated");
            assert!(world.tell(id, last).await);
            for late in [Queued, Sent, Delivered, Undelivered, Failed] {
                assert!(!world.tell(id, late).await, "{late:?} after {last:?}");
                assert_eq!(world.status(id).await, Some(last));
            }
            world.pass(60);
        }
        let (id, _) = world.issue(Whose::Public).await;
        assert!(world.tell(id, Delivered).await, "the receipt may come before the report");
        assert!(!world.tell(id, Sent).await);
    }

    async fn a_status_lives_as_long_as_its_code(world) {
        let (id, _) = world.issue(user(1)).await;
        let found = world.snapshot(id).await.unwrap();
        assert!(found.waits.cooldown > Duration::from_secs(50), "that of the address: {found:?}");
        assert_eq!((found.channel, found.owner), (Channel::Sms, Some(Uuid::from_u128(1))));
        world.pass(599);
        let found = world.snapshot(id).await.unwrap();
        assert!(found.status == Queued && found.age >= Duration::from_secs(599), "{found:?}");
        world.pass(1);
        assert_eq!(world.status(id).await, None);
        assert!(!world.tell(id, Delivered).await);
        for never in [world.name(user(1)), Uuid::from_u128(3)] {
            assert!(!world.tell(never, Delivered).await);
            assert_eq!(world.status(never).await, None);
        }
    }

    async fn a_challenge_belongs_to_who_asked_with_a_token_and_gets_its_message(world) {
        let (public, _) = world.issue(Whose::Public).await;
        assert_eq!(world.snapshot(public).await.unwrap().owner, None, "of nobody's token");
        world.pass(60);
        let (decoy, _) = world.issue_decoy(user(1)).await;
        assert_eq!(world.snapshot(decoy).await.unwrap().owner, None, "it has no truth to tell");
        let email = world.about_email();
        let (id, _) = email.issue(user(2)).await;
        let found = email.snapshot(id).await.unwrap();
        assert_eq!((found.channel, found.owner), (Channel::Email, Some(Uuid::from_u128(2))));
    }

    async fn a_used_challenge_keeps_its_status(world) {
        let (id, _) = world.issue(Whose::Public).await;
        world.judge(RIGHT).await;
        assert!(world.tell(id, Sent).await && world.tell(id, Delivered).await);
        assert_eq!(world.status(id).await, Some(Delivered));
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired, "used all the same");
    }

    async fn a_decoy_has_no_status_to_note(world) {
        let (id, outcome) = world.issue_decoy(Whose::Public).await;
        assert!(matches!(outcome, IssueOutcome::Written { entry: None, .. }), "{outcome:?}");
        assert!(!world.tell(id, Failed).await);
        assert_eq!(world.status(id).await, Some(Queued));
    }

    async fn a_replaced_challenge_has_no_status_and_is_told_of_in_vain(world) {
        let (first, _) = world.issue(user(1)).await;
        assert!(world.tell(first, Sent).await);
        world.pass(60);
        let (second, _) = world.issue(user(1)).await;
        assert_eq!(world.status(first).await, None);
        assert_eq!(world.status(second).await, Some(Queued));
        // Its failure comes late: the cooldown is the second one's, whose provider is another matter.
        assert!(!world.tell(first, Undelivered).await);
        assert!(world.waits(user(1)).await.cooldown > Duration::from_secs(50));
        world.pass(60);
        assert_eq!(world.issue(user(1)).await.1.avoid, None);
    }

    async fn a_failure_ends_the_cooldown_of_the_user_whose_message_it_was(world) {
        for status in [Undelivered, Failed] {
            let (id, entry) = world.issue(user(1)).await;
            assert_eq!(entry.avoid, None);
            assert!(world.waits(user(1)).await.cooldown > Duration::from_secs(50));
            assert!(world.tell(id, status).await);
            let found = world.snapshot(id).await.unwrap();
            assert_eq!(found.owner_waits.cooldown, Duration::ZERO);
            assert!(found.waits.cooldown > Duration::from_secs(50));
            assert_eq!(world.waits(user(1)).await.cooldown, Duration::ZERO);
            world.store.acknowledge(&entry).await.unwrap();
            world.pass(20);
            let (_, again) = world.issue(user(1)).await;
            assert_eq!(again.avoid.as_deref(), Some("twilio"));
            world.pass(31);
            assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&again), "whoever takes it over knows it too");
            world.store.acknowledge(&again).await.unwrap();
            // It ends early once: it runs on as it did.
            let waits = world.waits(user(1)).await;
            assert!(waits.cooldown <= Duration::from_secs(10), "{waits:?}");
            world.pass(600);
        }
    }

    async fn a_failure_gives_one_more_message_and_not_many(world) {
        let (first, _) = world.issue(user(1)).await;
        world.tell(first, Failed).await;
        world.pass(1);
        let (second, _) = world.issue(user(1)).await;
        world.tell(second, Failed).await;
        let outcome = world.issue_to(user(1), &[]).await.1;
        assert!(matches!(outcome, IssueOutcome::Cooldown { .. }), "{outcome:?}");
    }

    async fn a_public_challenge_whose_message_failed_leaves_the_cooldown(world) {
        let (id, _) = world.issue(Whose::Public).await;
        world.tell(id, Failed).await;
        let found = world.snapshot(id).await.unwrap();
        assert!(found.waits == found.owner_waits && found.waits.cooldown > Duration::from_secs(50), "{found:?}");
        assert!(matches!(world.issue_to(Whose::Public, &[]).await.1, IssueOutcome::Cooldown { .. }));
        world.pass(60);
        let (again, entry) = world.issue(Whose::Public).await;
        assert_eq!(entry.avoid.as_deref(), Some("twilio"), "another is tried all the same");
        world.tell(again, Delivered).await;
        world.pass(60);
        assert_eq!(world.issue(Whose::Public).await.1.avoid, None, "it is said once");
    }

    async fn a_failure_lets_nobody_else_off(world) {
        let (first, _) = world.issue(user(1)).await;
        let (second, _) = world.issue(user(2)).await;
        world.tell(second, Failed).await;
        assert!(world.waits(user(1)).await.cooldown > Duration::from_secs(50));
        assert_eq!(world.waits(user(2)).await.cooldown, Duration::ZERO);
        world.tell(first, Undelivered).await;
        world.pass(60);
        assert_eq!(world.issue(user(1)).await.1.avoid.as_deref(), Some("twilio"), "each slot avoids for itself");
    }

    async fn a_delivered_message_leaves_the_cooldown(world) {
        let (id, _) = world.issue(user(1)).await;
        world.tell(id, Delivered).await;
        assert!(world.waits(user(1)).await.cooldown > Duration::from_secs(50));
        assert!(matches!(world.issue_to(user(1), &[]).await.1, IssueOutcome::Cooldown { .. }));
    }

    async fn wrong_codes_are_charged_to_challenges_by_name_but_for_decoys(world) {
        let slots = [user(1), Whose::Public];
        let (first, _) = world.issue(user(1)).await;
        assert_eq!(world.charged(&slots, WRONG).await, (wrong(2), vec![(first, 1)]));
        world.pass(60);
        let (second, _) = world.issue(Whose::Public).await;
        assert_eq!(world.charged(&slots, WRONG).await, (wrong(2), vec![(first, 2), (second, 1)]));
        world.pass(60);
        world.issue_decoy(Whose::Public).await;
        assert_eq!(world.charged(&[Whose::Public], WRONG).await, (wrong(2), vec![]));
        assert_eq!(world.charged(&[user(1)], RIGHT).await.1, vec![]);
    }
}
