//! What a challenge promises that is found by its id, whatever keeps it: three live at a time, and they are one in all that is
//! bounded.

use ringback::{
    challenges::{IssueOutcome, Place, Proof, Purpose, Verdict, Whose},
    delivery::Lease,
    limits::Shadowed,
    provider::DeliveryStatus,
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{OTHER, RIGHT, WRONG, World, count, wrong},
};

fn signing_in(world: &World) -> World {
    world.about(Purpose::SignIn, world.destination)
}

fn is_right(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Right(_))
}

async fn judged_in_parallel(world: &World, times: usize, id: Uuid, code: [u8; 16]) -> Vec<Verdict> {
    let attempts = (0..times).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.judge_by_id(id, code).await })
    });
    futures_util::future::try_join_all(attempts).await.unwrap()
}

on_every_store! {
    async fn a_right_code_works_once_by_its_id(world) {
        let world = signing_in(&world);
        let (id, entry) = world.issue_candidate(RIGHT).await;
        let Verdict::Right(proof) = world.judge_by_id(id, RIGHT).await else { panic!("refused") };
        let expected = Proof { address: entry.address, challenge_id: id, subject: Some(Uuid::from_u128(7)), issued_at_ms: proof.issued_at_ms, has_message: true, has_worked: false, shadowed: Shadowed::default() };
        assert_eq!(proof, expected);
        assert_eq!(world.judge_by_id(id, RIGHT).await, Verdict::Expired);
        assert_eq!(world.judge_by_id(id, WRONG).await, Verdict::Expired);
    }

    async fn of_sixty_at_once_with_the_right_code_one_succeeds(world) {
        let world = signing_in(&world);
        let (id, _) = world.issue_candidate(RIGHT).await;
        let verdicts = judged_in_parallel(&world, 60, id, RIGHT).await;
        assert_eq!(count(&verdicts, is_right), 1);
        assert_eq!(count(&verdicts, |verdict| *verdict == Verdict::Expired), 59);
    }

    async fn however_many_guess_at_an_id_at_once_three_are_judged(world) {
        let world = signing_in(&world);
        let (id, _) = world.issue_candidate(RIGHT).await;
        let verdicts = judged_in_parallel(&world, 200, id, WRONG).await;
        assert_eq!(count(&verdicts, |verdict| matches!(verdict, Verdict::Wrong { .. })), 2);
        assert_eq!(count(&verdicts, |verdict| *verdict == Verdict::Exceeded), 198);
        assert_eq!(world.judge_by_id(id, RIGHT).await, Verdict::Exceeded);
        assert_eq!(world.waits(Whose::Candidate(2)).await.failures, 3, "what was not judged is no failure");
    }

    async fn three_live_at_a_time_and_a_fourth_replaces_the_oldest(world) {
        let world = signing_in(&world);
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(world.issue_candidate(RIGHT).await.0);
        }
        assert_eq!(world.judge_by_id(ids[0], RIGHT).await, Verdict::Expired);
        for id in [ids[1], ids[3], ids[2]] {
            assert!(is_right(&world.judge_by_id(id, RIGHT).await));
        }
    }

    async fn a_new_one_goes_where_nobody_can_use_what_is_there(world) {
        let world = signing_in(&world);
        let mut entries = Vec::new();
        for _ in 0..3 {
            entries.push(world.issue_candidate(RIGHT).await.1);
        }
        // Used.
        assert!(is_right(&world.judge_by_id(entries[1].challenge_id, RIGHT).await));
        assert_eq!(world.issue_candidate(RIGHT).await.1.address, entries[1].address);
        // Exhausted.
        for _ in 0..3 {
            world.judge_by_id(entries[2].challenge_id, WRONG).await;
        }
        let fifth = world.issue_candidate(RIGHT).await.1;
        assert_eq!(fifth.address, entries[2].address);
        // Its message failed: the next one avoids the provider.
        assert!(world.store.note_status(fifth.address, fifth.challenge_id, DeliveryStatus::Failed, "twilio").await.unwrap());
        let sixth = world.issue_candidate(RIGHT).await.1;
        assert_eq!((sixth.address, sixth.avoid.as_deref()), (entries[2].address, Some("twilio")));
        assert!(is_right(&world.judge_by_id(entries[0].challenge_id, RIGHT).await), "the first of all was left alone");
    }

    async fn an_expired_one_is_judged_by_nobody_and_its_place_is_free(world) {
        let world = signing_in(&world);
        let (first, entry) = world.issue_candidate(RIGHT).await;
        world.pass(540);
        assert_eq!(world.judge_by_id(first, RIGHT).await, Verdict::Expired);
        for _ in 0..3 {
            world.issue_candidate(RIGHT).await;
        }
        assert_eq!(world.issue_candidate(OTHER).await.1.address, entry.address, "the first again");
    }

    async fn wrong_codes_of_all_three_add_up(world) {
        let world = signing_in(&world);
        let (beside, _) = world.issue_candidate(RIGHT).await;
        for _ in 0..3 {
            let (id, _) = world.issue_candidate(RIGHT).await;
            assert_eq!(world.judge_by_id(id, WRONG).await, wrong(2));
            assert_eq!(world.judge_by_id(id, WRONG).await, wrong(1));
            assert_eq!(world.judge_by_id(id, WRONG).await, Verdict::Exceeded);
        }
        for n in 0..3 {
            assert_eq!(world.waits(Whose::Candidate(n)).await.failures, 9);
        }
        let (id, _) = world.issue_candidate(RIGHT).await;
        assert_eq!(world.judge_by_id(id, WRONG).await, wrong(2), "the tenth");
        assert!(matches!(world.judge_by_id(id, RIGHT).await, Verdict::Locked { .. }));
        assert!(matches!(world.judge_by_id(beside, RIGHT).await, Verdict::Locked { .. }), "that beside it as well");
        let sent = world.issue_into(&world.candidates(RIGHT), &[]).await;
        assert!(matches!(sent, IssueOutcome::Locked { .. }), "nor is one sent");
        let snapshot = world.store.snapshot(world.attempt_by_id(id, RIGHT).address, id).await.unwrap().unwrap();
        assert_eq!(snapshot.waits.failures, 10, "which is told");
        world.pass(3600);
        let (id, _) = world.issue_candidate(RIGHT).await;
        assert_eq!(world.judge_by_id(id, WRONG).await, wrong(2), "the hour is over");
    }

    async fn other_purposes_and_addresses_neither_judge_nor_pay(world) {
        let (sign_in, reset) = (signing_in(&world), world.about(Purpose::ResetPassword, world.destination));
        let (id, _) = sign_in.issue_candidate(RIGHT).await;
        let (other, _) = reset.issue_candidate(RIGHT).await;
        world.issue(Whose::Public).await;
        for _ in 0..20 {
            assert_eq!(reset.judge_by_id(id, RIGHT).await, Verdict::Expired);
            assert_eq!(sign_in.judge_by_id(other, WRONG).await, Verdict::Expired);
            for made_up in [Uuid::nil(), Uuid::from_u128(9)] {
                let attempt = ringback::challenges::AttemptById { challenge_id: made_up, ..sign_in.attempt_by_id(id, RIGHT) };
                assert_eq!(sign_in.store.judge_by_id(&attempt).await.unwrap().verdict, Verdict::Expired);
            }
        }
        assert_eq!(world.judge(WRONG).await, wrong(2));
        assert_eq!(sign_in.waits(Whose::Candidate(0)).await.failures, 0);
        assert!(is_right(&sign_in.judge_by_id(id, RIGHT).await));
        assert!(is_right(&reset.judge_by_id(other, RIGHT).await));
    }

    async fn a_challenge_of_an_address_is_not_judged_by_its_id_alone(world) {
        let (id, _) = world.issue(Whose::Public).await;
        let attempt = ringback::challenges::AttemptById { purpose: Purpose::SignIn, ..world.attempt_by_id(id, RIGHT) };
        for _ in 0..5 {
            assert_eq!(world.store.judge_by_id(&attempt).await.unwrap().verdict, Verdict::Expired);
        }
        assert!(is_right(&world.judge(RIGHT).await), "and has lost no attempt");
    }

    async fn the_cooldown_of_an_address_holds_for_them_too(world) {
        let world = signing_in(&world);
        let asks = (0..40).map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.issue_into(&world.candidates(RIGHT), &[]).await })
        });
        let outcomes = futures_util::future::try_join_all(asks).await.unwrap();
        let written = outcomes.iter().filter(|outcome| matches!(outcome, IssueOutcome::Written { .. })).count();
        let cooling = outcomes.iter().filter(|outcome| matches!(outcome, IssueOutcome::Cooldown { .. })).count();
        assert_eq!((written, cooling), (1, 39));
        let verifying = world.about(Purpose::VerifyPhone, world.destination);
        assert!(matches!(verifying.issue_to(Whose::Public, &[]).await.1, IssueOutcome::Cooldown { .. }));
        world.pass(60);
        verifying.issue(Whose::Public).await;
        assert!(matches!(world.issue_into(&world.candidates(RIGHT), &[]).await, IssueOutcome::Cooldown { .. }));
    }

    async fn known_networks_have_places_a_cooldown_and_failures_of_their_own(world) {
        let (sign_in, reset) = (signing_in(&world), world.about(Purpose::ResetPassword, world.destination));
        let written = async |world: &World, places: [Place; 3]| match world.issue_into(&places, &[]).await {
            IssueOutcome::Written { challenge_id, .. } => challenge_id,
            other => panic!("{other:?}"),
        };
        let strangers = written(&sign_in, sign_in.candidates(OTHER)).await;
        let known = written(&sign_in, sign_in.known(RIGHT)).await;
        for (world, places) in [(&sign_in, sign_in.known(RIGHT)), (&reset, reset.known(RIGHT)), (&sign_in, sign_in.candidates(RIGHT))] {
            let outcome = world.issue_into(&places, &[]).await;
            assert!(matches!(outcome, IssueOutcome::Cooldown { .. }), "{outcome:?}");
        }
        for n in 0..4 {
            world.pass(60);
            let id = if n == 0 { strangers } else { written(&sign_in, sign_in.candidates(OTHER)).await };
            for _ in 0..3 {
                sign_in.judge_by_id(id, WRONG).await;
            }
        }
        assert!(matches!(sign_in.issue_into(&sign_in.candidates(OTHER), &[]).await, IssueOutcome::Locked { .. }));
        assert!(is_right(&sign_in.judge_by_id(known, RIGHT).await), "no stranger replaced it, or locked it");
        written(&sign_in, sign_in.known(RIGHT)).await;
        assert_eq!(sign_in.waits(Whose::Known(1)).await.failures, 0);
    }

    async fn a_call_that_is_sent_twice_takes_one_place(world) {
        let world = signing_in(&world);
        let places = world.candidates(RIGHT);
        let first = world.issue_into(&places, &[]).await;
        let again = world.issue_into(&places, &[]).await;
        assert_eq!(first, again);
        world.pass(60);
        let second = world.issue_candidate(RIGHT).await;
        assert!(matches!(&first, IssueOutcome::Written { entry: Some(entry), .. } if entry.address != second.1.address));
    }

    async fn a_reinstated_one_is_good_again_unless_replaced_or_expired(world) {
        let world = signing_in(&world);
        let (id, _) = world.issue_candidate(RIGHT).await;
        let Verdict::Right(proof) = world.judge_by_id(id, RIGHT).await else { panic!("refused") };
        world.store.reinstate(&proof).await.unwrap();
        assert!(is_right(&world.judge_by_id(id, RIGHT).await), "good again");
        for _ in 0..3 {
            world.issue_candidate(RIGHT).await;
        }
        world.store.reinstate(&proof).await.unwrap();
        assert_eq!(world.judge_by_id(id, RIGHT).await, Verdict::Expired, "its place was free, and was taken");
    }

    async fn the_messages_of_all_three_are_pending_side_by_side(world) {
        let world = signing_in(&world);
        let mut pending = Vec::new();
        for _ in 0..3 {
            pending.push(world.issue_candidate(RIGHT).await.1);
        }
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.extend(world.store.take_over(10).await.unwrap());
        }
        for entries in [&mut pending, &mut taken] {
            entries.sort_by_key(|entry| entry.challenge_id);
        }
        assert_eq!(taken, pending);
        let (_, fourth) = world.issue_candidate(RIGHT).await;
        let replaced = pending.iter().find(|entry| entry.address == fourth.address).unwrap();
        assert_eq!(world.store.renew(replaced).await.unwrap(), Lease::Gone);
        assert_eq!(world.store.renew(&fourth).await.unwrap(), Lease::Held);
    }

    async fn a_decoy_among_them_is_found_and_judged_alike(world) {
        let world = signing_in(&world);
        let issue = ringback::challenges::Issue {
            place: world.candidates([5; 16])[0],
            others: &world.candidates([5; 16])[1..],
            subject: None,
            message: None,
            attached: &[],
            shadowed: &Shadowed::default(),
        };
        let outcome = world.store.issue(&issue).await.unwrap().outcome;
        let IssueOutcome::Written { challenge_id, entry: None } = outcome else { panic!("{outcome:?}") };
        assert_eq!(world.judge_by_id(challenge_id, WRONG).await, wrong(2));
        assert_eq!(world.judge_by_id(challenge_id, RIGHT).await, wrong(1));
        assert_eq!(world.judge_by_id(challenge_id, WRONG).await, Verdict::Exceeded);
        assert_eq!(world.waits(Whose::Candidate(1)).await.failures, 3);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
    }
}
