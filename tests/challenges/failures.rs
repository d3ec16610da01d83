//! What wrong codes lock, and for whom: they are bounded across claimants, slots and purposes, and nobody's are spent by strangers.

use std::time::Duration;

use ringback::challenges::{Attempt, CodeDigest, IssueOutcome, Purpose, Verdict, Whose};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{OTHER, RIGHT, WRONG, World, wrong},
};

const PER_HOUR: u32 = 10;
const PER_DAY: u32 = 3 * PER_HOUR;

fn user(n: u128) -> Whose {
    Whose::User(Uuid::from_u128(n))
}

fn is_right(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Right(_))
}

fn is_locked(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Locked { .. })
}

impl World {
    /// With the token of a user who has not proven the address.
    async fn judge_as_claimant(&self, whose: Whose, digest: [u8; 16]) -> Verdict {
        let attempt = Attempt {
            slots: &[self.slot(whose), self.slot(Whose::Public)],
            claimants_at: Some(self.slot(Whose::Public)),
            challenge_id: None,
            digest: CodeDigest::unmatchable(digest),
            attached: &[],
            refund: None,
        };
        self.store.judge(&attempt).await.unwrap().verdict
    }
}

/// So many wrong codes for public challenges, with their ids or without.
async fn fail_in_public(world: &World, times: u32, with_id: bool) {
    let mut left = times;
    while left > 0 {
        let (id, _) = world.issue(Whose::Public).await;
        for _ in 0..left.min(3) {
            let verdict = world
                .judge_in(&[Whose::Public], with_id.then_some(id), WRONG)
                .await;
            assert!(
                matches!(verdict, Verdict::Wrong { .. } | Verdict::Exceeded),
                "{verdict:?}"
            );
        }
        left -= left.min(3);
        world.pass(60);
    }
}

on_every_store! {
    async fn codes_without_an_id_lock_nobody_who_has_it(world) {
        fail_in_public(&world, PER_HOUR - 1, false).await;
        let (id, _) = world.issue(Whose::Public).await;
        assert_eq!(world.judge(WRONG).await, wrong(2), "the tenth");
        assert!(is_locked(&world.judge(RIGHT).await));
        let IssueOutcome::Locked { wait } = world.issue_to(Whose::Public, &[]).await.1 else { panic!("issued") };
        assert!(wait > Duration::from_secs(3590), "{wait:?}");
        assert!(is_right(&world.judge_in(&[Whose::Public], Some(id), RIGHT).await));
    }

    async fn codes_with_an_id_lock_those_without_as_well(world) {
        fail_in_public(&world, PER_HOUR, true).await;
        assert!(matches!(world.issue_to(Whose::Public, &[]).await.1, IssueOutcome::Locked { .. }));
        for _ in 0..2 {
            assert!(is_locked(&world.judge(RIGHT).await));
        }
    }

    async fn a_challenge_judges_three_with_its_id_and_without_together(world) {
        let (id, _) = world.issue(Whose::Public).await;
        assert_eq!(world.judge(WRONG).await, wrong(2));
        assert_eq!(world.judge_in(&[Whose::Public], Some(id), WRONG).await, wrong(1));
        assert_eq!(world.judge(WRONG).await, Verdict::Exceeded);
        assert_eq!(world.judge_in(&[Whose::Public], Some(id), RIGHT).await, Verdict::Exceeded);
    }

    async fn codes_with_an_id_count_together_whatever_they_are_for(world) {
        let sign_in = world.about(Purpose::SignIn, world.destination);
        let reset = world.about(Purpose::ResetPassword, world.destination);
        fail_in_public(&world, 3, true).await;
        for by_id in [&sign_in, &reset] {
            let (id, _) = by_id.issue_candidate(RIGHT).await;
            for _ in 0..3 {
                by_id.judge_by_id(id, WRONG).await;
            }
        }
        let (id, _) = reset.issue_candidate(RIGHT).await;
        assert_eq!(reset.judge_by_id(id, WRONG).await, wrong(2), "the tenth");
        assert!(is_locked(&reset.judge_by_id(id, RIGHT).await));
        assert!(matches!(sign_in.issue_into(&sign_in.candidates(RIGHT), &[]).await, IssueOutcome::Locked { .. }));
        assert_eq!(sign_in.waits(Whose::Candidate(1)).await.failures, PER_HOUR);
    }

    async fn users_who_have_not_proven_an_address_are_bounded_together(world) {
        for round in 0..4 {
            world.issue(user(1)).await;
            for _ in 0..if round < 3 { 3 } else { 1 } {
                world.judge_as_claimant(user(1), WRONG).await;
            }
            world.pass(60);
        }
        assert!(is_locked(&world.judge_as_claimant(user(1), WRONG).await), "by the hour");
        for n in 2..=7 {
            world.issue(user(n)).await;
            for left in [2, 1] {
                assert_eq!(world.judge_as_claimant(user(n), WRONG).await, wrong(left), "one locks no other");
            }
            assert_eq!(world.judge_as_claimant(user(n), WRONG).await, Verdict::Exceeded);
        }
        let (mine, owners) = (user(8), user(9));
        world.issue(mine).await;
        world.issue_with(owners, OTHER).await;
        for left in [2, 1] {
            assert_eq!(world.judge_as_claimant(mine, WRONG).await, wrong(left), "the thirtieth at last");
        }
        assert!(is_locked(&world.judge_as_claimant(mine, RIGHT).await));
        for _ in 0..2 {
            world.judge_in(&[owners, Whose::Public], None, WRONG).await;
        }
        assert!(is_right(&world.judge_in(&[owners, Whose::Public], None, OTHER).await), "who has proven it isn't among them");
        world.issue(Whose::Public).await;
        assert_eq!(world.judge(WRONG).await, wrong(2), "nor is anybody without a token");
        world.pass(3600);
        world.issue(mine).await;
        assert!(is_locked(&world.judge_as_claimant(mine, RIGHT).await));
        world.pass(23 * 3600);
        world.issue(mine).await;
        assert_eq!(world.judge_as_claimant(mine, WRONG).await, wrong(2), "the day is over");
    }

    async fn strangers_spend_nothing_of_what_claimants_have_together(world) {
        fail_in_public(&world, PER_HOUR, false).await;
        world.issue(user(1)).await;
        for left in [2, 1] {
            assert_eq!(world.judge_as_claimant(user(1), WRONG).await, wrong(left));
        }
        assert!(is_right(&world.judge_as_claimant(user(1), RIGHT).await));
    }

    async fn wrong_codes_are_bounded_by_the_day(world) {
        for _ in 0..3 {
            fail_in_public(&world, PER_HOUR, true).await;
            world.pass(3600);
        }
        let (_, outcome) = world.issue_to(Whose::Public, &[]).await;
        let IssueOutcome::Locked { wait } = outcome else { panic!("{outcome:?}") };
        let passed = 3 * (3600 + 4 * 60);
        assert!(wait > Duration::from_secs(86_400 - passed - 10) && wait <= Duration::from_secs(86_400 - passed + 10), "{wait:?}");
        let told = world.waits(Whose::Public).await.locked;
        assert!(told <= wait && told + Duration::from_secs(10) > wait, "{told:?}");
        world.pass(86_400 - passed + 10);
        fail_in_public(&world, PER_HOUR, true).await;
    }

    async fn of_many_claimants_at_once_no_more_are_judged(world) {
        for n in 1..=20 {
            world.issue(user(n)).await;
        }
        let guesses = (0..60_u128).map(|n| {
            let world = world.clone();
            tokio::spawn(async move { world.judge_as_claimant(user(1 + n % 20), WRONG).await })
        });
        let verdicts = futures_util::future::try_join_all(guesses).await.unwrap();
        let judged = verdicts.iter().filter(|verdict| !is_locked(verdict)).count();
        assert_eq!(judged, PER_DAY as usize);
    }
}
