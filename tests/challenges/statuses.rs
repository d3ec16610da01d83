//! What the status of a challenge promises, whatever keeps it.

use std::time::Duration;

use ringback::{
    challenges::{Course, End, IssueOutcome, News, Slot, Stage, places},
    provider::DeliveryStatus,
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{RIGHT, WRONG, World, keyring, wrong},
};

const DELIVERED: Stage = Stage::Ended(End::Delivered);
const UNDELIVERED: Stage = Stage::Ended(End::Undelivered);

impl World {
    async fn status(&self, id: Uuid) -> Option<DeliveryStatus> {
        let mut found = None;
        for address in places(&keyring(), id) {
            found = self.store.recall(address, id).await.unwrap();
        }
        Some(found?.status)
    }

    async fn tell(&self, id: Uuid, stage: Stage) -> Option<Course> {
        let (mut news, provider) = (None, "twilio");
        for address in places(&keyring(), id) {
            news = self
                .store
                .advance(address, id, &News { stage, provider })
                .await
                .unwrap();
        }
        news
    }

    async fn cooldown(&self) -> Duration {
        self.store.waits(self.phone, Slot::Public).await.unwrap().cooldown
    }
}

on_every_store! {
    async fn a_status_goes_forward_and_never_back(world) {
        let (id, _) = world.issue(Slot::Public).await;
        assert_eq!(world.status(id).await, Some(DeliveryStatus::Queued));
        world.pass(2);
        let course = world.tell(id, Stage::Sent).await.unwrap();
        assert!(course.sent.is_some_and(|after| (2_000..60_000).contains(&after)), "{course:?}");
        assert_eq!(world.status(id).await, Some(DeliveryStatus::Sent));
        assert_eq!(world.tell(id, Stage::Sent).await, None, "repeated");
        world.pass(3);
        let course = world.tell(id, DELIVERED).await.unwrap();
        assert!(matches!(course.end, Some((End::Delivered, 5_000..60_000))), "{course:?}");
        for late in [Stage::Sent, UNDELIVERED, Stage::Ended(End::Failed), DELIVERED] {
            assert_eq!(world.tell(id, late).await, None);
            assert_eq!(world.status(id).await, Some(DeliveryStatus::Delivered));
        }
    }

    async fn a_status_lives_as_long_as_its_code(world) {
        let user = Slot::User(Uuid::from_u128(1));
        let (id, _) = world.issue(user).await;
        let address = user.address(world.phone);
        let waits = world.store.recall(address, id).await.unwrap().unwrap().waits;
        assert!(waits.cooldown > Duration::from_secs(50), "the phone's: {waits:?}");
        world.pass(599);
        assert_eq!(world.status(id).await, Some(DeliveryStatus::Queued));
        world.pass(1);
        assert_eq!(world.status(id).await, None);
        assert_eq!(world.tell(id, DELIVERED).await, None);
        for never in [world.name(user), Uuid::from_u128(3)] {
            assert_eq!(world.tell(never, DELIVERED).await, None);
            assert_eq!(world.status(never).await, None);
        }
    }

    async fn a_used_challenge_keeps_its_status(world) {
        let (id, _) = world.issue(Slot::Public).await;
        world.judge(RIGHT).await;
        world.tell(id, Stage::Sent).await.unwrap();
        world.tell(id, DELIVERED).await.unwrap();
        assert_eq!(world.status(id).await, Some(DeliveryStatus::Delivered));
        assert_eq!(world.judge(RIGHT).await, ringback::challenges::Verdict::Expired, "used all the same");
    }

    async fn a_replaced_challenge_has_no_status_and_its_news_are_none(world) {
        let (first, _) = world.issue(Slot::Public).await;
        world.tell(first, Stage::Sent).await.unwrap();
        world.pass(60);
        let (second, _) = world.issue(Slot::Public).await;
        assert_eq!(world.status(first).await, None);
        assert_eq!(world.status(second).await, Some(DeliveryStatus::Queued));
        // Its failure comes late: the cooldown is the second one's, whose provider is another matter.
        assert_eq!(world.tell(first, UNDELIVERED).await, None);
        assert!(world.cooldown().await > Duration::from_secs(50));
        world.pass(60);
        assert_eq!(world.issue(Slot::Public).await.1.avoid, None);
    }

    async fn a_users_sms_that_fails_ends_the_phones_cooldown_if_it_began_it(world) {
        let (mine, his) = (Slot::User(Uuid::from_u128(1)), Slot::User(Uuid::from_u128(2)));
        let (first, _) = world.issue(mine).await;
        world.pass(60);
        let (second, _) = world.issue(his).await;
        world.tell(first, UNDELIVERED).await.unwrap();
        assert!(world.cooldown().await > Duration::from_secs(50), "another's");
        world.tell(second, Stage::Ended(End::Failed)).await.unwrap();
        assert_eq!(world.cooldown().await, Duration::ZERO);
        let (_, entry) = world.issue(mine).await;
        assert_eq!(entry.avoid.as_deref(), Some("twilio"), "the failure of his last one");
        world.pass(60);
        assert_eq!(world.issue(Slot::Public).await.1.avoid, None, "each slot avoids for itself");
    }

    async fn a_users_decoy_that_seems_lost_allows_the_next_one_at_its_time(world) {
        let course = Course { sent: Some(1_000), end: Some((End::Failed, 30_000)) };
        let mine = Slot::User(Uuid::from_u128(1));
        let (id, _) = world.issue_decoy_in(mine, course).await;
        assert!(world.cooldown().await > Duration::from_secs(50));
        world.pass(30);
        assert_eq!(world.status(id).await, Some(DeliveryStatus::Failed));
        assert_eq!(world.cooldown().await, Duration::ZERO);
        world.issue(Slot::Public).await;
    }

    async fn what_was_not_delivered_may_be_sent_again_at_once_and_by_another(world) {
        let (id, entry) = world.issue(Slot::Public).await;
        assert_eq!(entry.avoid, None);
        world.tell(id, Stage::Sent).await.unwrap();
        assert!(world.cooldown().await > Duration::from_secs(50));
        world.tell(id, UNDELIVERED).await.unwrap();
        assert_eq!(world.cooldown().await, Duration::ZERO);
        world.store.acknowledge(&entry).await.unwrap();
        let (again, entry) = world.issue(Slot::Public).await;
        assert_eq!(entry.avoid.as_deref(), Some("twilio"));
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry), "whoever takes it over knows it too");
        world.store.acknowledge(&entry).await.unwrap();
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
        world.tell(again, DELIVERED).await.unwrap();
        assert_eq!(world.issue(Slot::Public).await.1.avoid, None, "it is said once");
    }

    async fn a_delivered_sms_leaves_the_cooldown(world) {
        let (id, _) = world.issue(Slot::Public).await;
        world.tell(id, DELIVERED).await.unwrap();
        assert!(world.cooldown().await > Duration::from_secs(50));
        assert!(matches!(world.issue_to(Slot::Public, &[]).await.1, IssueOutcome::Cooldown { .. }));
    }

    async fn a_decoys_course_comes_true_by_the_stores_clock(world) {
        let course = Course { sent: Some(20_000), end: Some((End::Delivered, 40_000)) };
        let (id, _) = world.issue_decoy(course).await;
        for expected in [DeliveryStatus::Queued, DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Delivered] {
            assert_eq!(world.status(id).await, Some(expected));
            world.pass(20);
        }
    }

    async fn a_decoy_that_seems_lost_allows_the_next_one_at_its_time(world) {
        let course = Course { sent: Some(1_000), end: Some((End::Undelivered, 30_000)) };
        world.issue_decoy(course).await;
        let outcome = world.issue_decoy(course).await.1;
        let IssueOutcome::Cooldown { wait } = outcome else { panic!("{outcome:?}") };
        assert!(wait > Duration::from_secs(50), "as if nothing were known yet: {wait:?}");
        world.pass(30);
        assert_eq!(world.cooldown().await, Duration::ZERO);
        let (_, outcome) = world.issue_decoy(Course::default()).await;
        assert!(matches!(outcome, IssueOutcome::Written { entry: None }), "{outcome:?}");
        assert!(world.cooldown().await > Duration::from_secs(50));
    }

    async fn wrong_codes_are_charged_to_challenges_by_name_but_for_decoys(world) {
        let (mine, user) = (Slot::User(Uuid::from_u128(1)), Uuid::from_u128(1));
        let (first, _) = world.issue(mine).await;
        assert_eq!(world.charged(&[mine, Slot::Public], WRONG).await, (wrong(2), vec![(first, 1)]));
        world.pass(60);
        let (second, _) = world.issue(Slot::Public).await;
        let charged = world.charged(&[Slot::User(user), Slot::Public], WRONG).await;
        assert_eq!(charged, (wrong(2), vec![(first, 2), (second, 1)]));
        world.pass(60);
        world.issue_decoy(Course::default()).await;
        assert_eq!(world.charged(&[Slot::Public], WRONG).await, (wrong(2), vec![]));
        assert_eq!(world.charged(&[mine], RIGHT).await.1, vec![]);
    }
}
