//! The life of a delivery where there is one provider.

use super::*;

#[test]
fn calls_in_flight_are_bounded_and_the_rest_wait_in_order() {
    let mut bench = Bench::new(2);
    assert_eq!(words(&bench.submit(1)), ["attempt 1"]);
    assert_eq!(words(&bench.submit(2)), ["attempt 2"]);
    assert_eq!(words(&bench.submit(3)), [""; 0]);
    assert_eq!(words(&bench.submit(4)), [""; 0]);
    assert_eq!((bench.in_flight(), bench.machine.queued()), (2, 2));
    let effects = bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 2 accepted", "attempt 3"]);
    assert_eq!((bench.in_flight(), bench.machine.queued()), (2, 1));
}

#[test]
fn a_retry_renews_first_and_after_five_tries_the_sms_rests_unacknowledged() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        let effects = bench.attempted(1, AttemptOutcome::Retry(None));
        assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
    }
    let effects = bench.attempted(1, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), ["left"]);
}

#[test]
fn pauses_double_up_to_a_cap() {
    let mut bench = Bench::new(1);
    let entropy = Arc::new(Always(AtomicU64::new(0)));
    bench.machine.entropy = Arc::clone(&entropy) as Arc<dyn Entropy>;
    let longest = [500_u64, 1000, 2000, 4000, 8000, 15_000, 15_000];
    for (strikes, bound) in (1..).zip(longest) {
        // The remainder by `bound + 1` is then `bound`: all that full jitter may give.
        entropy.0.store(bound, Ordering::Relaxed);
        assert_eq!(bench.machine.pause(strikes), Duration::from_millis(bound));
        entropy.0.store(0, Ordering::Relaxed);
        assert_eq!(bench.machine.pause(strikes), Duration::ZERO);
    }
}

#[test]
fn the_providers_pause_is_kept_if_it_is_longer() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(20 * SECOND)));
    assert!(matches!(effects[..], [Effect::WakeAt(until)] if until == bench.now.at + 20 * SECOND));
    bench.pass(19 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), [""; 0]);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 1 renewed again"]);
}

#[test]
fn no_retry_comes_after_the_time_for_retries_or_the_codes_life() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.pass(59 * SECOND);
    let effects = bench.attempted(1, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
    bench.pass(SECOND);
    let effects = bench.attempted(1, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), ["left"], "60 s in all");

    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.pass(600 * SECOND);
    bench.machine.rules.retry_for = 3600 * SECOND;
    let effects = bench.attempted(1, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), ["left"], "the code has expired");
}

/// Answers the lease renewals of what waits, once a second, for so long.
fn rest(bench: &mut Bench, seconds: u32) {
    for _ in 0..seconds {
        bench.pass(SECOND);
        for effect in bench.on(Event::Tick) {
            if let Effect::Renew(deliveries) = effect {
                let (since, gone) = (bench.now.at, Vec::new());
                let held = deliveries.iter().map(|delivery| delivery.id()).collect();
                bench.on(Event::Renewed { since, held, gone });
            }
        }
    }
}

#[test]
fn a_pause_beyond_the_time_for_retries_is_kept_for_as_long_as_the_code_lives() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(200 * SECOND)));
    assert_eq!(words(&effects), ["wake"]);
    rest(&mut bench, 199);
    assert_eq!(
        (bench.machine.queued(), bench.in_flight()),
        (1, 0),
        "quiet, and leased"
    );
    assert!(!bench.machine.is_stale(&bench.machine.paused[0].1, bench.now));
    rest(&mut bench, 1);
    assert_eq!(bench.in_flight(), 1);

    // An hour is beyond its life; when that is over the outbox is asked, and drops it.
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(3600 * SECOND)));
    assert_eq!(words(&effects), ["wake"]);
    rest(&mut bench, 399);
    assert_eq!((bench.machine.queued(), bench.in_flight()), (1, 0));
    rest(&mut bench, 1);
    assert_eq!(bench.in_flight(), 1);
    let effects = bench.attempted(1, AttemptOutcome::Cancelled(Disposition::Expired));
    assert_eq!(words(&effects), ["settle 1 expired"]);
}

#[test]
fn a_pause_that_is_asked_for_when_all_tries_are_spent_is_a_lease_or_longer() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    (1..5).for_each(|_| drop(bench.attempted(1, AttemptOutcome::Retry(None))));
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(20 * SECOND)));
    assert_eq!(words(&effects), ["left"], "the lease lasts longer");

    let mut bench = Bench::new(1);
    bench.submit(2);
    bench.pass(15 * SECOND);
    (1..5).for_each(|_| drop(bench.attempted(2, AttemptOutcome::Retry(None))));
    let effects = bench.attempted(2, AttemptOutcome::Retry(Some(20 * SECOND)));
    assert_eq!(words(&effects), ["wake"]);
    rest(&mut bench, 29);
    assert_eq!(bench.in_flight(), 0, "no tries in a row any more");
    rest(&mut bench, 1);
    assert_eq!(bench.in_flight(), 1);
    assert_eq!(words(&bench.attempted(2, AttemptOutcome::Retry(None))), ["left"]);
}

#[test]
fn a_panic_costs_a_try_and_nothing_else() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    assert_eq!(words(&bench.attempted(1, AttemptOutcome::Lost)), ["wake"]);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::Unknown);
    assert_eq!(words(&effects), ["attempt 1 renewed again"]);
}

#[test]
fn what_is_held_up_too_long_is_left_to_its_lease_unacknowledged() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        let effects = bench.attempted(1, AttemptOutcome::Postponed);
        assert_eq!(words(&effects), ["wake", "attempt 1 renewed"]);
    }
    assert_eq!(words(&bench.attempted(1, AttemptOutcome::Postponed)), ["left"]);
    assert_eq!((bench.in_flight(), bench.machine.queued()), (0, 0));
}

#[test]
fn what_waited_a_third_of_its_lease_is_renewed_before_the_call() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.submit(2);
    bench.pass(9 * SECOND);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted", "attempt 2"]);
    bench.submit(3);
    bench.pass(10 * SECOND);
    let effects = bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 2 accepted", "attempt 3 renewed"]);
}

#[test]
fn leases_of_what_waits_are_kept_and_superseded_codes_fall_out() {
    let mut bench = Bench::new(1);
    (1..=3).for_each(|number| drop(bench.submit(number)));
    assert_eq!(words(&bench.on(Event::Tick)), ["take over 49"]);
    bench.pass(10 * SECOND);
    assert_eq!(words(&bench.on(Event::Tick)), ["renew 2,3"]);
    assert_eq!(words(&bench.on(Event::Tick)), [""; 0], "one round at a time");
    let effects = bench.on(Event::Renewed {
        since: bench.now.at,
        held: vec![Uuid::from_u128(3)],
        gone: vec![Uuid::from_u128(2)],
    });
    assert_eq!(words(&effects), ["superseded 1"]);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted", "attempt 3"]);
}

#[test]
fn sweeps_come_one_at_a_time_and_leave_room() {
    let mut bench = Bench::new(1);
    (1..=60).for_each(|number| drop(bench.submit(number)));
    assert_eq!(
        words(&bench.on(Event::Tick)),
        ["take over 20"],
        "half of 40 free places"
    );
    assert_eq!(words(&bench.on(Event::Tick)), [""; 0]);
    let deliveries = (100..120).map(|number| bench.tracked(number)).collect();
    let since = bench.now.at;
    bench.on(Event::TakenOver { deliveries, since });
    assert_eq!(bench.machine.queued(), 79);
    assert_eq!(words(&bench.on(Event::Tick)), ["take over 10"]);
}

#[test]
fn a_job_that_is_here_already_is_not_taken_over_twice() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.submit(2);
    let deliveries = vec![bench.tracked(1), bench.tracked(2), bench.tracked(3)];
    let since = bench.now.at;
    bench.on(Event::TakenOver { deliveries, since });
    assert_eq!((bench.in_flight(), bench.machine.queued()), (1, 2));
    // While it is being acknowledged it is ours, too.
    bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    let deliveries = vec![bench.tracked(1)];
    bench.on(Event::TakenOver { deliveries, since });
    assert_eq!(bench.machine.queued(), 1);
}

#[test]
fn draining_hands_back_what_has_not_begun_and_what_would_begin_again() {
    let mut bench = Bench::new(2);
    (1..=4).for_each(|number| drop(bench.submit(number)));
    assert_eq!(words(&bench.on(Event::Drain)), ["hand back 3,4"]);
    assert_eq!(
        words(&bench.submit(5)),
        ["hand back 5"],
        "submitted on the way out"
    );
    let effects = bench.attempted(1, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), ["wake", "hand back 1"]);
    let effects = bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 2 accepted"]);
    assert_eq!(words(&bench.settled(2)), [""; 0]);
    let ids = [1, 3, 4, 5].map(Uuid::from_u128).to_vec();
    let effects = bench.on(Event::HandedBack { ids, done: 4 });
    assert_eq!(words(&effects), ["drained 4"]);
    assert_eq!(
        words(&bench.on(Event::Tick)),
        ["drained 4"],
        "nothing is taken over any more"
    );
}

#[test]
fn abandoning_hands_back_calls_under_way_but_not_what_was_answered() {
    let mut bench = Bench::new(2);
    bench.submit(1);
    bench.submit(2);
    bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    assert_eq!(words(&bench.on(Event::Abandon)), ["hand back 2"]);
    let ids = vec![Uuid::from_u128(2)];
    let effects = bench.on(Event::HandedBack { ids, done: 1 });
    assert_eq!(words(&effects), ["drained 1"]);
}

#[test]
fn what_is_answered_after_it_was_handed_back_is_acknowledged_all_the_same() {
    let mut bench = Bench::new(4);
    (1..=3).for_each(|number| drop(bench.submit(number)));
    bench.take_over(4);
    bench.on(Event::Drain);
    let effects = bench.on(Event::Abandon);
    assert!(words(&effects)[0].starts_with("hand back"), "{effects:?}");
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted"]);
    let effects = bench.attempted(2, AttemptOutcome::Retry(None));
    assert_eq!(words(&effects), [""; 0], "pending, and not ours any more");
    let effects = bench.looked_up(4, LookupOutcome::Taken);
    assert_eq!(words(&effects), ["settle 4 accepted"]);
    let ids = (1..=4).map(Uuid::from_u128).collect();
    let effects = bench.on(Event::HandedBack { ids, done: 4 });
    assert_eq!(words(&effects), [""; 0], "the outbox is to know first");
    let effects = bench.attempted(3, AttemptOutcome::Settled(Disposition::Failed));
    assert_eq!(words(&effects), ["settle 3 failed"], "after the hand-back, too");
    assert_eq!(
        words(&bench.attempted(3, AttemptOutcome::Settled(Disposition::Failed))),
        [""; 0]
    );
    bench.settled(1);
    bench.settled(3);
    assert_eq!(words(&bench.untold(4)), ["drained 4"], "it was tried");
}

#[test]
fn a_sweep_under_way_is_waited_for_so_that_its_leases_are_handed_back() {
    let mut bench = Bench::new(1);
    bench.on(Event::Tick);
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    let (deliveries, since) = (vec![bench.tracked(1)], bench.now.at);
    let effects = bench.on(Event::TakenOver { deliveries, since });
    assert_eq!(words(&effects), ["hand back 1"]);
}

#[test]
fn renewals_under_way_are_waited_for_lest_they_lease_again_what_was_handed_back() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.submit(2);
    bench.pass(10 * SECOND);
    bench.on(Event::Tick);
    bench.on(Event::TakenOver {
        deliveries: Vec::new(),
        since: bench.now.at,
    });
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    let (since, held, gone) = (bench.now.at, vec![Uuid::from_u128(2)], Vec::new());
    let effects = bench.on(Event::Renewed { since, held, gone });
    assert_eq!(words(&effects), ["hand back 2"]);
}

#[test]
fn lost_reports_leak_nothing() {
    let mut bench = Bench::new(2);
    bench.submit(1);
    bench.submit(2);
    bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    bench.on(Event::Tick);
    bench.pass(26 * SECOND);
    let effects = bench.on(Event::Tick);
    // Number 1 may have been sent, 2 is acknowledged once more, and sweeping goes on.
    let all = ["wake", "acknowledge 2", "renew 1", "take over 49"];
    assert_eq!(words(&effects), all);
    bench.pass(26 * SECOND);
    let effects = bench.on(Event::Tick);
    assert_eq!(words(&effects)[..2], ["acknowledge 2", "renew 1"], "nor a round");
}

#[test]
fn the_outbox_is_told_until_it_knows_or_no_code_can_live_any_more() {
    let mut bench = Bench::new(2);
    bench.on(Event::Tick);
    (1..=2).for_each(|number| drop(bench.submit(number)));
    (1..=2).for_each(|number| drop(bench.attempted(number, AttemptOutcome::Settled(Disposition::Accepted))));
    bench.untold(1);
    assert_eq!(
        words(&bench.on(Event::Tick)),
        ["acknowledge 1"],
        "2 is being told"
    );
    bench.untold(2);
    assert_eq!(words(&bench.on(Event::Tick)), [""; 0], "one round at a time");
    bench.on(Event::Acknowledged { ids: Vec::new() });
    // Their leases ran out meanwhile: they are ours still.
    bench.pass(60 * SECOND);
    let (deliveries, since) = (vec![bench.tracked(1)], bench.now.at);
    assert_eq!(words(&bench.on(Event::TakenOver { deliveries, since })), [""; 0]);
    let effects = words(&bench.on(Event::Tick));
    assert!(
        ["acknowledge 1,2", "acknowledge 2,1"].contains(&&*effects[0]),
        "{effects:?}"
    );
    let ids = vec![Uuid::from_u128(1)];
    bench.on(Event::Acknowledged { ids });
    assert_eq!(words(&bench.on(Event::Tick)), ["acknowledge 2"]);
    bench.on(Event::Acknowledged { ids: Vec::new() });
    bench.pass(541 * SECOND);
    bench.on(Event::Tick);
    assert!(bench.machine.settling.is_empty(), "its code has expired");
}

#[test]
fn draining_waits_for_the_outbox_to_know_but_not_for_ever() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    bench.untold(1);
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    assert_eq!(words(&bench.on(Event::Tick)), ["acknowledge 1"]);
    assert_eq!(words(&bench.on(Event::Acknowledged { ids: Vec::new() })), [""; 0]);
    assert_eq!(words(&bench.on(Event::Tick)), ["acknowledge 1"]);
    assert_eq!(words(&bench.on(Event::Abandon)), ["drained 0"]);
    let ids = vec![Uuid::from_u128(1)];
    assert_eq!(words(&bench.on(Event::Acknowledged { ids })), ["drained 0"]);
}
