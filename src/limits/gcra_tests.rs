//! Tests of `gcra.rs`.

use proptest::prelude::*;

use super::*;

fn bucket(tat: i64) -> Option<Bucket> {
    Some(Bucket::new(tat, 10))
}

#[test]
fn a_burst_passes_at_once_then_one_for_each_emission() {
    let (mut tat, now) = (None, 1_000_000);
    for left in [2, 1, 0] {
        let Decision::Allow { new_tat, remaining } = decide(tat, now, 10, 3) else {
            panic!("refused within the burst");
        };
        assert_eq!(remaining, left);
        tat = bucket(new_tat);
    }
    assert_eq!(decide(tat, now, 10, 3), Decision::Refuse { retry_after_us: 10 });
    assert_eq!(
        decide(tat, now + 9, 10, 3),
        Decision::Refuse { retry_after_us: 1 }
    );
    assert!(matches!(
        decide(tat, now + 10, 10, 3),
        Decision::Allow { remaining: 0, .. }
    ));
}

#[test]
fn a_counter_from_a_larger_rule_counts_as_full_and_no_more() {
    assert_eq!(
        decide(bucket(1_000_000), 0, 10, 3),
        Decision::Refuse { retry_after_us: 10 }
    );
}

#[test]
fn with_other_numbers_as_many_requests_are_spent_as_before() {
    // Five of five are spent at 12 minutes each; now it is eight, at 7.5.
    let minute = 60_000_000;
    let spent = Bucket::new(60 * minute, 12 * minute);
    assert_eq!(
        spent.tat_at(0, 7 * minute + minute / 2),
        5 * (7 * minute + minute / 2)
    );
    let Decision::Allow { remaining, .. } = decide(Some(spent), 0, 7 * minute + minute / 2, 8) else {
        panic!("there was room for three");
    };
    assert_eq!(remaining, 2);
}

#[test]
fn what_is_given_back_can_be_spent_again() {
    let Decision::Allow { new_tat, .. } = decide(bucket(20), 0, 10, 3) else {
        panic!("there was room for one");
    };
    assert_eq!(give_back(bucket(new_tat).unwrap(), 0, 10), Some(20));
    assert_eq!(give_back(bucket(10).unwrap(), 0, 10), None);
}

#[test]
fn a_typed_code_gives_its_message_back_and_earns_room() {
    let spent = |messages: i64| bucket(messages * 10);
    let typed = |is_new| Typed {
        earns: is_new,
        is_new,
        has_worked: false,
    };
    let refund = |spent, growth, grows_by, is_new| {
        let (bucket, growth) = refund(spent, growth, 0, 10, 2, grows_by, typed(is_new));
        (bucket.tat, growth)
    };
    let plain = refund(spent(3), Growth::default(), 0, true);
    assert_eq!(plain, (20, Growth::default()));
    assert_eq!(refund(None, Growth::default(), 0, true).0, 0);
    // Two back as long as there is something spent, and room for the rest; but over the burst no free room is earned.
    let grown = |by| Growth {
        by,
        until_us: GROWN_FOR_US,
    };
    let yesterday = |by| Growth {
        by,
        until_us: GROWN_FOR_US - DAY_US,
    };
    let nothing = Growth::default();
    assert_eq!(refund(spent(2), nothing, 5, true), (0, nothing));
    assert_eq!(refund(spent(3), nothing, 5, true), (20, nothing));
    assert_eq!(refund(spent(4), nothing, 5, true), (20, nothing));
    assert_eq!(refund(spent(1), nothing, 5, true), (0, grown(1)));
    assert_eq!(refund(spent(1), yesterday(4), 5, true), (0, grown(5)));
    assert_eq!(
        refund(spent(1), grown(4), 5, true),
        (0, grown(4)),
        "not twice at once"
    );
    assert_eq!(
        refund(spent(1), yesterday(5), 5, true),
        (0, grown(5)),
        "and no further"
    );
    assert_eq!(
        refund(spent(1), yesterday(4), 5, false),
        (0, yesterday(4)),
        "known already"
    );
    let known = Typed {
        is_new: false,
        ..typed(true)
    };
    for (messages, left) in [(3, 10), (1, 0)] {
        let (bucket, growth) = super::refund(spent(messages), yesterday(4), 0, 10, 2, 5, known);
        assert_eq!(
            (bucket.tat, growth),
            (left, yesterday(4)),
            "earns, and grows nothing"
        );
    }
    assert_eq!(grown(5).at(0, 3), 3, "a rule that is cut down has it at once");
    assert_eq!(grown(5).at(GROWN_FOR_US, 5), 0, "forgotten");
}

/// Two users of one block prove work at the same time, and both type their codes: neither leaves free room.
#[test]
fn what_a_proof_of_work_let_out_gives_back_no_free_room() {
    let typed = Typed {
        earns: true,
        is_new: true,
        has_worked: true,
    };
    let after = |spent| {
        let spent = Some(Bucket::new(spent, 320));
        refund(spent, Growth::default(), 0, 320, 2, 5, typed).0.tat
    };
    // The burst is full at 640.
    assert_eq!(after(7 * 320), 3 * 320, "who types makes up for three who don't");
    assert_eq!((after(4 * 320), after(3 * 320)), (635, 635));
    assert_eq!((after(640), after(635)), (635, 630));
    assert_eq!(after(900), 575, "what there was below the burst is kept");
    assert_eq!(
        after(320),
        0,
        "another rule asked for the work: there was room here"
    );
}

/// By one for each code that is typed of a message that a proof of work let out, as long as the bucket isn't empty.
#[test]
fn a_typed_code_raises_the_ceiling_for_proofs_of_work_alone() {
    let typed = |earns, has_worked| Typed {
        earns,
        is_new: earns,
        has_worked,
    };
    let refund = |bucket, typed| refund(Some(bucket), Growth::default(), 0, 10, 2, 5, typed).0;
    let full = Bucket::new(70, 10);
    let raised = (0..6).scan(full, |bucket, _| {
        *bucket = Bucket {
            tat: 70,
            ..refund(*bucket, typed(true, true))
        };
        Some(bucket.raised)
    });
    assert_eq!(raised.collect::<Vec<_>>(), [1, 2, 3, 4, 4, 4]);
    for typed in [typed(true, false), typed(false, true), typed(false, false)] {
        assert_eq!(refund(full, typed).raised, 0, "{typed:?}");
    }
    let raised = Some(Bucket { raised: 3, ..full });
    // Seven of a burst of two, and of a ceiling of seven.
    let (free, work) = (
        WorkRoom {
            by: 5,
            is_given: false,
        },
        WorkRoom {
            by: 0,
            is_given: true,
        },
    );
    let passes = Decision::Allow {
        new_tat: 80,
        remaining: 2,
    };
    assert_eq!(decide_units(raised, 0, 10, 7, work, 1), passes);
    assert_eq!(
        decide_units(Some(full), 0, 10, 7, work, 1),
        Decision::Refuse { retry_after_us: 10 }
    );
    // A wait for no longer than five: it may prove work.
    assert_eq!(
        decide_units(raised, 0, 10, 2, free, 1),
        Decision::Refuse { retry_after_us: 30 }
    );
    assert_eq!(
        decide_units(Some(full), 0, 10, 2, free, 1),
        Decision::Refuse { retry_after_us: 60 }
    );
    let status = look_units(raised, 0, 10, 2, 5, 1);
    assert_eq!((status.wait_us, status.raised_us), (60, 30));
    assert_eq!(
        decide_units(raised, 70, 10, 7, work, 7),
        Decision::Allow {
            new_tat: 140,
            remaining: 0
        },
        "empty"
    );
}

#[test]
fn a_request_of_several_units_costs_them_all() {
    let Decision::Allow { new_tat, remaining } = decide_units(None, 0, 10, 7, WorkRoom::default(), 5) else {
        panic!("there was room for seven");
    };
    assert_eq!((new_tat, remaining), (50, 2));
    let refused = decide_units(bucket(50), 0, 10, 7, WorkRoom::default(), 5);
    assert_eq!(refused, Decision::Refuse { retry_after_us: 30 });
}

proptest! {
    #[test]
    fn no_more_than_the_burst_and_what_drained_is_ever_admitted(
        emission in 1_i64..1000,
        burst in 1_u32..20,
        steps in prop::collection::vec(0_i64..3000, 1..200),
    ) {
        let (mut now, mut tat, mut admitted) = (0, None, Vec::new());
        for step in steps {
            now += step;
            match decide(tat, now, emission, burst) {
                Decision::Allow { new_tat, .. } => {
                    prop_assert!(look(tat, now, emission, burst).remaining > 0);
                    tat = Some(Bucket::new(new_tat, emission));
                    admitted.push(now);
                }
                Decision::Refuse { retry_after_us } => {
                    let standing = look(tat, now, emission, burst);
                    prop_assert_eq!((standing.remaining, standing.wait_us), (0, retry_after_us));
                    let full = look(tat, now + standing.full_in_us, emission, burst);
                    prop_assert_eq!((full.remaining, full.full_in_us), (burst, 0));
                    // The wait is exact: not a microsecond earlier, and then it passes.
                    let then = now + retry_after_us;
                    let early = decide(tat, then - 1, emission, burst);
                    prop_assert_eq!(early, Decision::Refuse { retry_after_us: 1 });
                    let punctual = decide(tat, then, emission, burst);
                    let allowed = matches!(punctual, Decision::Allow { .. });
                    prop_assert!(allowed);
                }
            }
        }
        // In every window, not only from the start.
        for (first, &from) in admitted.iter().enumerate() {
            for (last, &to) in admitted.iter().enumerate().skip(first) {
                let count = i64::try_from(last - first + 1).unwrap();
                prop_assert!(count <= i64::from(burst) + (to - from) / emission);
            }
        }
    }
}
