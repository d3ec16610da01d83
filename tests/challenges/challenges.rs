//! What a challenge promises, whatever keeps it.

use std::time::Duration;

use ringback::{
    challenges::{Hold, Issue, IssueOutcome, Proof, Purpose, Verdict, Waits, Whose},
    limits::{self, Counter, CounterName, RuleTag, Shadowed},
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{OTHER, RIGHT, WRONG, World, count, wrong},
};

on_every_store! {
    async fn a_right_code_works_once(world) {
        let (id, _) = world.issue(Whose::Public).await;
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("refused") };
        let expected = Proof { address: world.slot(Whose::Public).address(), challenge_id: id, subject: Some(Uuid::from_u128(7)), issued_at_ms: proof.issued_at_ms, has_message: true, has_worked: false, shadowed: Shadowed::default() };
        assert_eq!(proof, expected);
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired);
        assert_eq!(world.judge(WRONG).await, Verdict::Expired);
    }

    async fn the_third_wrong_code_ends_a_challenge(world) {
        world.issue(Whose::Public).await;
        assert_eq!(world.judge(WRONG).await, wrong(2));
        assert_eq!(world.judge(WRONG).await, wrong(1));
        assert_eq!(world.judge(WRONG).await, Verdict::Exceeded);
        assert_eq!(world.judge(RIGHT).await, Verdict::Exceeded);
    }

    async fn however_many_guess_at_once_three_are_judged(world) {
        world.issue(Whose::Public).await;
        let verdicts = world.judge_in_parallel(500, WRONG).await;
        assert_eq!(count(&verdicts, |verdict| matches!(verdict, Verdict::Wrong { .. })), 2);
        assert_eq!(count(&verdicts, |verdict| *verdict == Verdict::Exceeded), 498);
        assert_eq!(world.judge(RIGHT).await, Verdict::Exceeded);
    }

    async fn however_many_are_right_at_once_one_succeeds(world) {
        world.issue(Whose::Public).await;
        let verdicts = world.judge_in_parallel(200, RIGHT).await;
        assert_eq!(count(&verdicts, |verdict| matches!(verdict, Verdict::Right(_))), 1);
        assert_eq!(count(&verdicts, |verdict| *verdict == Verdict::Expired), 199);
    }

    async fn however_many_ask_at_once_one_is_issued(world) {
        let asks = (0..100).map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.issue_to(Whose::Public, &[]).await.1 })
        });
        let outcomes = futures_util::future::try_join_all(asks).await.unwrap();
        let written = outcomes.iter().filter(|outcome| matches!(outcome, IssueOutcome::Written { .. })).count();
        let cooling = outcomes.iter().filter(|outcome| matches!(outcome, IssueOutcome::Cooldown { .. })).count();
        assert_eq!((written, cooling), (1, 99));
    }

    async fn a_call_that_is_sent_twice_issues_once(world) {
        let first = world.issue_again(Whose::Public, None).await;
        assert_eq!(world.judge(WRONG).await, wrong(2));
        let IssueOutcome::Written { entry: Some(entry), .. } = &first.1 else { panic!("{first:?}") };
        let again = world.issue_again(Whose::Public, Some(first.0)).await;
        assert!(matches!(&again.1, IssueOutcome::Written { entry: Some(same), .. } if same == entry), "{again:?}");
        assert_eq!(world.judge(WRONG).await, wrong(1), "what was spent stays so");
    }

    async fn a_code_expires_by_the_stores_clock(world) {
        world.issue(Whose::Public).await;
        world.pass(599);
        assert_eq!(world.judge(WRONG).await, wrong(2));
        world.pass(1);
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired);
    }

    async fn what_was_never_issued_is_judged_by_nobody(world) {
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired);
    }

    async fn a_resend_replaces_the_code_and_keeps_the_failures(world) {
        let (first, _) = world.issue(Whose::Public).await;
        for round in 1..=3 {
            for _ in 0..3 {
                world.judge(WRONG).await;
            }
            world.pass(60);
            let (latest, _) = world.issue(Whose::Public).await;
            assert_ne!(first, latest, "round {round}");
            assert_eq!(world.judge_in(&[Whose::Public], Some(first), RIGHT).await, Verdict::Expired);
        }
        assert_eq!(world.judge(WRONG).await, wrong(2), "the tenth wrong code is judged");
        let Verdict::Locked { wait } = world.judge(RIGHT).await else { panic!("judged after ten wrong codes") };
        assert!(wait > Duration::from_secs(3590) && wait <= Duration::from_secs(3600), "{wait:?}");
        world.pass(60);
        assert!(matches!(world.issue_to(Whose::Public, &[]).await.1, IssueOutcome::Locked { .. }), "nor is one sent");
        world.pass(3540);
        world.issue(Whose::Public).await;
        assert_eq!(world.judge(WRONG).await, wrong(2), "the hour is over");
    }

    async fn each_user_has_a_cooldown_of_their_own_and_strangers_one_together(world) {
        let all = [Whose::Public, Whose::User(Uuid::from_u128(1)), Whose::User(Uuid::from_u128(2))];
        for whose in all {
            world.issue(whose).await;
            world.pass(5);
        }
        for (whose, left) in all.into_iter().zip([45, 50, 55]) {
            let (_, outcome) = world.issue_to(whose, &[]).await;
            let IssueOutcome::Cooldown { wait } = outcome else { panic!("{outcome:?}") };
            assert!(wait > Duration::from_secs(left - 5) && wait <= Duration::from_secs(left), "{whose:?}: {wait:?}");
        }
        world.pass(45);
        world.issue(Whose::Public).await;
        assert!(matches!(world.issue_to(all[1], &[]).await.1, IssueOutcome::Cooldown { .. }));
        world.pass(5);
        world.issue(all[1]).await;
    }

    async fn a_released_address_may_have_a_code_again(world) {
        let own = Whose::User(Uuid::from_u128(1));
        let both = [world.slot(Whose::Public), world.slot(own)];
        for whose in [Whose::Public, own] {
            world.issue(whose).await;
            let (_, outcome) = world.issue_to(whose, &[]).await;
            assert!(matches!(outcome, IssueOutcome::Cooldown { .. }), "{outcome:?}");
            world.store.release(&both, Hold::Failures).await.unwrap();
            assert!(!world.waits(whose).await.cooldown.is_zero(), "the cooldown is another hold");
            world.store.release(&both, Hold::Cooldown).await.unwrap();
            assert!(world.waits(whose).await.cooldown.is_zero());
            assert_eq!(world.judge_in(&[whose], None, WRONG).await, wrong(2), "the challenge is there as it was");
        }
        for round in 0..3 {
            world.store.release(&both, Hold::Cooldown).await.unwrap();
            world.issue(own).await;
            for _ in 0..3 {
                world.judge_in(&[own], None, WRONG).await;
            }
            world.store.release(&both, Hold::Cooldown).await.unwrap();
            if round < 2 {
                world.issue(own).await;
            }
        }
        let (_, outcome) = world.issue_to(own, &[]).await;
        assert!(matches!(outcome, IssueOutcome::Locked { .. }), "{outcome:?}");
        world.store.release(&both, Hold::Cooldown).await.unwrap();
        let (_, outcome) = world.issue_to(own, &[]).await;
        assert!(matches!(outcome, IssueOutcome::Locked { .. }), "the wrong codes are another hold: {outcome:?}");
        world.store.release(&both, Hold::Failures).await.unwrap();
        assert_eq!(world.waits(own).await.failures, 0);
        world.issue(own).await;
        assert_eq!(world.judge_in(&[own], None, WRONG).await, wrong(2));
    }

    async fn what_keeps_an_address_waiting_is_told_and_changes_nothing(world) {
        let waits = async || world.waits(Whose::Public).await;
        let none = Waits { cooldown: Duration::ZERO, locked: Duration::ZERO, failures: 0, forgotten_in: Duration::ZERO };
        assert_eq!(waits().await, none);
        world.issue(Whose::Public).await;
        let cooldown = waits().await.cooldown;
        assert!(cooldown > Duration::from_secs(50) && cooldown <= Duration::from_secs(60), "{cooldown:?}");
        for failures in 1..=2 {
            world.judge(WRONG).await;
            assert_eq!([waits().await.failures, waits().await.failures], [failures; 2]);
        }
        assert!(waits().await.forgotten_in > Duration::from_secs(3500));
        world.pass(3600);
        assert_eq!(waits().await, none);
    }

    async fn failures_outlive_the_challenges_that_they_came_from(world) {
        let mine = Whose::User(Uuid::from_u128(1));
        world.issue(Whose::Public).await;
        world.judge(WRONG).await;
        world.pass(601);
        world.issue(mine).await;
        world.judge_in(&[mine], None, WRONG).await;
        world.pass(61);
        let failures = async |whose| world.waits(whose).await.failures;
        assert_eq!([failures(Whose::Public).await, failures(mine).await], [1, 1]);
        world.issue(Whose::Public).await;
        world.judge(WRONG).await;
        assert_eq!([failures(Whose::Public).await, failures(mine).await], [2, 1]);
    }

    async fn a_users_challenge_leaves_the_public_one_as_it_was(world) {
        let mine = Whose::User(Uuid::from_u128(1));
        let (id, _) = world.issue(Whose::Public).await;
        world.judge(WRONG).await;
        world.pass(60);
        world.issue_with(mine, OTHER).await;
        assert_eq!(world.judge_in(&[Whose::Public], Some(id), WRONG).await, wrong(1));
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("refused") };
        assert_eq!((proof.challenge_id, proof.subject), (id, Some(Uuid::from_u128(7))));
        let waits = world.waits(Whose::Public).await;
        assert!(waits.failures == 1 && waits.cooldown.is_zero(), "one with an id, one without: {waits:?}");
    }

    async fn a_users_challenge_is_that_users_alone(world) {
        let (mine, theirs) = (Whose::User(Uuid::from_u128(1)), Whose::User(Uuid::from_u128(2)));
        let (id, _) = world.issue(mine).await;
        for slots in [&[Whose::Public][..], &[theirs][..], &[theirs, Whose::Public][..]] {
            for _ in 0..20 {
                assert_eq!(world.judge_in(slots, None, RIGHT).await, Verdict::Expired);
                assert_eq!(world.judge_in(slots, Some(id), RIGHT).await, Verdict::Expired);
            }
        }
        assert!(matches!(world.judge_in(&[mine, Whose::Public], None, RIGHT).await, Verdict::Right(_)));
    }

    async fn strangers_spend_neither_attempts_nor_failures_of_a_user(world) {
        let mine = Whose::User(Uuid::from_u128(1));
        for _ in 0..4 {
            world.issue(Whose::Public).await;
            for _ in 0..3 {
                world.judge(WRONG).await;
            }
            world.pass(60);
        }
        world.issue(mine).await;
        assert!(matches!(world.judge(RIGHT).await, Verdict::Locked { .. }), "the public slot is locked");
        assert_eq!(world.judge_in(&[mine, Whose::Public], None, WRONG).await, wrong(2));
        assert!(matches!(world.judge_in(&[mine, Whose::Public], None, RIGHT).await, Verdict::Right(_)));
    }

    async fn a_public_code_serves_a_user_who_has_none_of_their_own(world) {
        world.issue(Whose::Public).await;
        let slots = [Whose::User(Uuid::from_u128(1)), Whose::Public];
        assert_eq!(world.judge_in(&slots, None, WRONG).await, wrong(2));
        let Verdict::Right(proof) = world.judge_in(&slots, None, RIGHT).await else { panic!("refused") };
        assert_eq!(proof.address, world.slot(Whose::Public).address());
    }

    async fn the_code_that_came_last_is_good_whichever_way_it_was_asked_for(world) {
        let (mine, slots) = (Whose::User(Uuid::from_u128(1)), [Whose::User(Uuid::from_u128(1)), Whose::Public]);
        world.issue_with(mine, OTHER).await;
        world.pass(60);
        world.issue(Whose::Public).await;
        assert_eq!(world.judge_in(&slots, None, WRONG).await, wrong(2), "both judged it");
        let Verdict::Right(proof) = world.judge_in(&slots, None, RIGHT).await else { panic!("refused") };
        assert_eq!(proof.address, world.slot(Whose::Public).address());
        assert_eq!(world.judge_in(&[mine], None, WRONG).await, wrong(1), "the right one cost the other nothing");
        assert!(matches!(world.judge_in(&slots, None, OTHER).await, Verdict::Right(_)));
    }

    async fn an_exhausted_challenge_does_not_stand_before_an_open_one(world) {
        let (mine, slots) = (Whose::User(Uuid::from_u128(1)), [Whose::User(Uuid::from_u128(1)), Whose::Public]);
        world.issue_with(mine, OTHER).await;
        for _ in 0..3 {
            world.judge_in(&slots, None, WRONG).await;
        }
        assert_eq!(world.judge_in(&slots, None, OTHER).await, Verdict::Exceeded);
        world.pass(60);
        world.issue(Whose::Public).await;
        assert_eq!(world.judge_in(&slots, None, WRONG).await, wrong(2));
        assert!(matches!(world.judge_in(&slots, None, RIGHT).await, Verdict::Right(_)));
    }

    async fn a_challenge_id_names_the_only_challenge_that_may_judge(world) {
        let (id, _) = world.issue(Whose::Public).await;
        for _ in 0..10 {
            for other in [Uuid::from_u128(9), Uuid::nil(), world.name(Whose::Public)] {
                assert_eq!(world.judge_in(&[Whose::Public], Some(other), WRONG).await, Verdict::Expired);
            }
        }
        assert!(matches!(world.judge_in(&[Whose::Public], Some(id), RIGHT).await, Verdict::Right(_)));
    }

    async fn a_reinstated_code_is_good_again_unless_replaced_or_expired(world) {
        world.issue(Whose::Public).await;
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("refused") };
        world.store.reinstate(&proof).await.unwrap();
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("not good again") };
        world.pass(60);
        let (second, _) = world.issue(Whose::Public).await;
        let Verdict::Right(later) = world.judge(RIGHT).await else { panic!("refused") };
        assert_eq!(later.challenge_id, second);
        world.store.reinstate(&proof).await.unwrap();
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired, "the old proof revives nothing");
        world.pass(600);
        world.store.reinstate(&later).await.unwrap();
        assert_eq!(world.judge(RIGHT).await, Verdict::Expired);
    }

    async fn an_enforced_counter_refuses_and_then_nothing_is_spent(world) {
        let counter = |key: &str, burst, enforce| Counter {
            partition: world.destination.partition(),
            name: CounterName::new(key, Uuid::from_bytes(*world.destination.as_bytes())),
            emission_us: 3_600_000_000,
            burst,
            units: 1,
            by_message: false,
            grows_by: 0,
worked_by: 0,
            has_worked: false,
            enforce,
        };
        let attached = [counter("wide", 9, true), counter("shadow", 1, false), counter("narrow", 2, true)];
        for _ in 0..2 {
            let (_, outcome) = world.issue_to(Whose::Public, &attached).await;
            assert!(matches!(outcome, IssueOutcome::Written { .. }), "{outcome:?}");
            world.pass(60);
        }
        let issue = Issue {
            place: world.place(Whose::Public, world.name(Whose::Public), WRONG),
            others: &[],
            subject: None,
            message: None,
            attached: &attached,
            shadowed: &Shadowed::default(),
        };
        for _ in 0..5 {
            let issued = world.store.issue(&issue).await.unwrap();
            assert_eq!(issued.outcome, IssueOutcome::Limited);
            assert!(matches!(issued.attached[0], limits::Verdict::Admitted { remaining: 6 }), "{:?}", issued.attached);
            assert!(issued.attached[1].is_refused() && issued.attached[2].is_refused());
        }
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("the challenge still stands") };
        assert!(proof.shadowed.names(RuleTag::of("shadow")) && proof.shadowed.as_str().len() == 4, "{proof:?}");
    }

    // Even where the digests of a phone and of an e-mail address were the same.
    async fn a_code_for_one_purpose_or_address_is_good_for_no_other(world) {
        let email = world.about_email();
        world.issue(Whose::Public).await;
        email.issue_with(Whose::Public, OTHER).await;
        let slots = [Whose::User(Uuid::from_u128(7)), Whose::Public];
        assert_eq!(email.judge_in(&slots, None, RIGHT).await, wrong(2));
        assert_eq!(world.judge_in(&slots, None, OTHER).await, wrong(2));
        for purpose in Purpose::ALL {
            // An address that has this purpose's challenge under another channel, or none at all.
            let elsewhere = world.about(purpose, ringback::phone::PhoneDigest::from_bytes([purpose.byte(); 16]).into());
            assert_eq!(elsewhere.judge_in(&slots, None, RIGHT).await, Verdict::Expired);
        }
        assert_eq!([world.waits(Whose::Public).await.failures, email.waits(Whose::Public).await.failures], [1, 1]);
        let Verdict::Right(proof) = world.judge(RIGHT).await else { panic!("refused") };
        assert_eq!(proof.address, world.slot(Whose::Public).address());
        let Verdict::Right(proof) = email.judge(OTHER).await else { panic!("refused") };
        assert_eq!(proof.address, email.slot(Whose::Public).address());
    }

    // A purpose that comes with a channel which another one proves shares its cooldown, and nothing else.
    async fn the_cooldown_of_an_address_holds_across_purposes(world) {
        let other = world.about(Purpose::VerifyEmail, world.destination);
        other.issue(Whose::Public).await;
        let IssueOutcome::Cooldown { .. } = world.issue_to(Whose::Public, &[]).await.1 else { panic!("no cooldown") };
        assert!(world.waits(Whose::Public).await.cooldown > Duration::from_secs(50));
        world.pass(60);
        world.issue_with(Whose::Public, OTHER).await;
        assert!(matches!(other.issue_to(Whose::Public, &[]).await.1, IssueOutcome::Cooldown { .. }));
        assert_eq!(world.judge(RIGHT).await, wrong(2), "the other purpose's");
        assert!(matches!(other.judge(RIGHT).await, Verdict::Right(_)), "replaced by nothing of another purpose");
    }
}
