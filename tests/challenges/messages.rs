//! Counters that messages spend, attached to the scripts of a challenge.

use ringback::{
    challenges::{Attempt, CodeDigest, Issue, IssueOutcome, Issued, Verdict, Whose},
    limits::{self, Counter, CounterName, Marker, Refund, Shadowed},
};
use uuid::Uuid;

use crate::{
    support::on_every_store,
    world::{RIGHT, WRONG, World},
};

/// Takes so many messages, and one an hour.
fn counter(world: &World, rule: &str, burst: u32) -> Counter {
    Counter {
        partition: world.destination.partition(),
        name: CounterName::new(rule, Uuid::from_bytes(*world.destination.as_bytes())),
        emission_us: 3_600_000_000,
        burst,
        units: 1,
        by_message: true,
        grows_by: 0,
        worked_by: 0,
        has_worked: false,
        enforce: true,
    }
}

fn refund(world: &World, counters: &[Counter]) -> Refund {
    Refund {
        marker: Marker {
            partition: world.destination.partition(),
            key: format!("v:{}", Uuid::from_bytes(*world.destination.as_bytes())),
        },
        counters: counters.to_vec(),
        earns: true,
    }
}

/// A decoy; the cooldown is over after it.
async fn issue_decoy(world: &World, attached: &[Counter]) -> Issued {
    let issue = Issue {
        place: world.place(Whose::Public, world.name(Whose::Public), WRONG),
        others: &[],
        subject: None,
        message: None,
        attached,
        shadowed: &Shadowed::default(),
    };
    let issued = world.store.issue(&issue).await.unwrap();
    world.pass(60);
    issued
}

async fn issue_message(world: &World, attached: &[Counter]) -> IssueOutcome {
    let (_, outcome) = world.issue_to(Whose::Public, attached).await;
    world.pass(60);
    outcome
}

async fn judge(world: &World, code: [u8; 16], given: &Refund) -> Verdict {
    let attempt = Attempt {
        slots: &[world.slot(Whose::Public)],
        claimants_at: None,
        challenge_id: None,
        digest: CodeDigest::unmatchable(code),
        attached: &[],
        refund: Some(given),
    };
    world.store.judge(&attempt).await.unwrap().verdict
}

/// What is left of the counter, as a decoy sees it.
async fn left(world: &World, attached: &[Counter]) -> limits::Verdict {
    issue_decoy(world, attached).await.attached[0]
}

fn admitted(remaining: u32) -> limits::Verdict {
    limits::Verdict::Admitted { remaining }
}

on_every_store! {
    async fn decoys_and_cooldowns_spend_nothing_of_what_counts_messages(world) {
        let attached = [counter(&world, "block", 3)];
        for _ in 0..5 {
            let issued = issue_decoy(&world, &attached).await;
            assert!(matches!(issued.outcome, IssueOutcome::Written { .. }));
            assert_eq!(issued.attached, [admitted(2)]);
        }
        for _ in 0..3 {
            let (_, outcome) = world.issue_to(Whose::Public, &attached).await;
            assert!(matches!(outcome, IssueOutcome::Written { .. }), "{outcome:?}");
            for _ in 0..3 {
                let (_, outcome) = world.issue_to(Whose::Public, &attached).await;
                assert!(matches!(outcome, IssueOutcome::Cooldown { .. }), "{outcome:?}");
            }
            world.pass(60);
        }
        assert_eq!(issue_message(&world, &attached).await, IssueOutcome::Limited);
        let decoy = issue_decoy(&world, &attached).await;
        assert_eq!(decoy.outcome, IssueOutcome::Limited, "asked like any other");
    }

    async fn a_right_code_gives_its_message_back_once_though_it_is_reinstated(world) {
        let attached = [counter(&world, "block", 9)];
        let given = refund(&world, &attached);
        for _ in 0..3 {
            issue_message(&world, &attached).await;
        }
        assert!(matches!(judge(&world, WRONG, &given).await, Verdict::Wrong { .. }));
        for _ in 0..3 {
            let Verdict::Right(proof) = judge(&world, RIGHT, &given).await else { panic!("not right") };
            assert!(proof.has_message);
            world.store.reinstate(&proof).await.unwrap();
        }
        assert!(matches!(judge(&world, RIGHT, &given).await, Verdict::Right(_)));
        assert_eq!(left(&world, &attached).await, admitted(6), "nine less three and this one, and one back");
    }

    async fn a_code_that_no_message_told_gives_nothing_back(world) {
        let attached = [counter(&world, "block", 9)];
        let given = refund(&world, &attached);
        issue_message(&world, &attached).await;
        let issue = Issue {
            place: world.place(Whose::Public, world.name(Whose::Public), RIGHT),
            others: &[],
            subject: None,
            message: None,
            attached: &attached,
            shadowed: &Shadowed::default(),
        };
        world.store.issue(&issue).await.unwrap();
        let Verdict::Right(proof) = judge(&world, RIGHT, &given).await else { panic!("not right") };
        assert!(!proof.has_message);
        world.pass(60);
        assert_eq!(left(&world, &attached).await, admitted(7));
    }
}
