//! Which provider a delivery takes, and what becomes of it where one refuses, fails, or does not answer.

use super::*;

/// Fails calls until the breaker of `a` is open, each with a delivery of its own that is not tried again.
pub(super) fn break_a(bench: &mut Bench) {
    bench.machine.rules.max_tries = 1;
    for number in 101..=108 {
        assert_eq!(words(&bench.submit(number)), [format!("attempt {number}")]);
        bench.attempted(number, AttemptOutcome::Retry(None));
    }
    assert_eq!(bench.machine.router.health(0), Health::Failing);
    bench.machine.rules.max_tries = 5;
}

#[test]
fn a_provider_that_refuses_the_account_is_left_at_once_and_the_next_takes_over() {
    let mut bench = Bench::with(&[route("a"), route("b")], 2);
    assert_eq!(words(&bench.submit(1)), ["attempt 1"]);
    let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(words(&effects), ["attempt 1 by b renewed", "a stopped"]);
    assert_eq!(words(&bench.submit(2)), ["attempt 2 by b"]);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted"]);
}

#[test]
fn what_a_provider_says_of_a_number_is_for_good() {
    let mut bench = Bench::with(&[route("a"), route("b")], 2);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Failed));
    assert_eq!(words(&effects), ["settle 1 failed"]);
}

/// From when on codes may be issued, as the last of these effects has it.
fn opens(effects: &[Effect]) -> Option<Instant> {
    let opens = |effect: &Effect| match effect {
        Effect::Turned { opens, .. } => Some(*opens),
        _ => None,
    };
    effects.iter().rev().find_map(opens).unwrap()
}

#[test]
fn where_all_have_stopped_the_next_code_is_the_probe_and_what_was_refused_follows_when_it_is_taken() {
    let mut bench = Bench::new(4);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(words(&effects), ["wake", "a stopped"]);
    assert_eq!(opens(&effects), Some(bench.now.at + 5 * SECOND));
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), [""; 0], "codes may be issued now");
    bench.pass(2 * SECOND);
    assert_eq!(words(&bench.submit(2)), ["attempt 2", "a probing"]);
    assert_eq!(words(&bench.submit(3)), [""; 0]);
    let effects = bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    let all = ["settle 2 accepted", "attempt 1 renewed", "attempt 3", "a working"];
    assert_eq!(words(&effects), all);
}

#[test]
fn what_waits_probes_one_at_a_time_and_each_refusal_doubles_the_pause() {
    let mut bench = Bench::new(4);
    (1..=3).for_each(|number| drop(bench.submit(number)));
    bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(words(&bench.submit(4)), ["wake"], "it had its place before");
    assert_eq!(words(&bench.submit(5)), [""; 0]);
    bench.attempted(2, AttemptOutcome::Misconfigured);
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 4", "a probing"]);
    let effects = bench.attempted(3, AttemptOutcome::Misconfigured);
    assert_eq!(words(&effects), [""; 0], "the probe decides");
    let effects = bench.attempted(4, AttemptOutcome::Misconfigured);
    assert_eq!(words(&effects), ["wake", "a stopped"]);
    bench.pass(9 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), [""; 0], "twice as long");
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 5 renewed", "a probing"]);
    let effects = bench.attempted(5, AttemptOutcome::Settled(Disposition::Accepted));
    let calls = words(&effects);
    let again = |call: &&String| call.starts_with("attempt");
    assert_eq!(
        calls.iter().filter(again).count(),
        4,
        "all that were refused: {calls:?}"
    );
}

#[test]
fn where_nobody_else_comes_what_was_refused_is_the_probe_for_as_long_as_its_code_lives() {
    let mut bench = Bench::new(4);
    bench.submit(1);
    bench.attempted(1, AttemptOutcome::Misconfigured);
    bench.pass(10 * SECOND);
    for _ in 0..5 {
        assert_eq!(words(&bench.on(Event::Wake)), ["attempt 1 renewed", "a probing"]);
        let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
        assert_eq!(words(&effects), ["wake", "a stopped"]);
        assert_eq!(opens(&effects), Some(bench.now.at), "it tells nothing of others");
        bench.pass(59 * SECOND);
        assert_eq!(words(&bench.on(Event::Wake)), [""; 0]);
        bench.pass(SECOND);
    }
    // The operator has acted.
    bench.on(Event::Wake);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted", "a working"]);
}

#[test]
fn what_is_refused_though_others_are_taken_stops_nobody_and_rests() {
    let mut bench = Bench::new(4);
    bench.submit(1);
    bench.attempted(1, AttemptOutcome::Misconfigured);
    bench.pass(5 * SECOND);
    bench.submit(2);
    bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    for rest in [60; 9].into_iter().chain([55]) {
        let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
        assert_eq!(words(&effects), ["wake"], "it works for all others");
        assert_eq!(bench.machine.router.health(0), Health::Working);
        bench.pass((rest - 1) * SECOND);
        assert_eq!(words(&bench.on(Event::Wake)), [""; 0]);
        bench.pass(SECOND);
        assert_eq!(words(&bench.on(Event::Wake)), ["attempt 1 renewed"]);
    }
    // Its code has expired.
    let effects = bench.attempted(1, AttemptOutcome::Cancelled(Disposition::Expired));
    assert_eq!(words(&effects), ["settle 1 expired"]);
}

#[test]
fn what_one_refused_waits_for_another_that_is_open() {
    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    bench.submit(1);
    bench.submit(2);
    bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(bench.machine.queued(), 1, "b is busy");
    bench.pass(10 * SECOND);
    assert_eq!(words(&bench.submit(3)), ["attempt 3", "a probing"]);
    bench.attempted(3, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(bench.machine.queued(), 1, "a takes others");
    let effects = bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), ["settle 2 accepted", "attempt 1 by b renewed"]);
    let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(
        words(&effects),
        ["attempt 1 renewed", "b stopped"],
        "all others are shut"
    );
}

#[test]
fn a_provider_that_fails_is_left_alone_and_the_next_takes_over() {
    let mut bench = Bench::with(&[route("a"), route("b")], 4);
    break_a(&mut bench);
    assert_eq!(words(&bench.submit(1)), ["attempt 1 by b"]);
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.submit(2)), ["attempt 2", "a probing"]);
    assert_eq!(words(&bench.submit(3)), ["attempt 3 by b"], "one probe at a time");
    let effects = bench.attempted(2, AttemptOutcome::Retry(None));
    assert_eq!(
        words(&effects),
        ["wake", "attempt 2 by b renewed again", "a failing"]
    );
    bench.pass(10 * SECOND);
    assert_eq!(words(&bench.submit(4)), ["attempt 4", "a probing"]);
    let effects = bench.attempted(4, AttemptOutcome::Settled(Disposition::Failed));
    assert_eq!(
        words(&effects),
        ["settle 4 failed", "a working"],
        "it did its work"
    );
}

#[test]
fn what_failed_a_probe_probes_after_what_never_did() {
    let mut bench = Bench::new(4);
    break_a(&mut bench);
    bench.submit(1);
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 1", "a probing"]);
    let effects = words(&bench.attempted(1, AttemptOutcome::Retry(None)));
    assert!(effects.contains(&"a failing".to_owned()), "{effects:?}");
    bench.pass(SECOND);
    bench.on(Event::Wake);
    bench.submit(2);
    bench.pass(9 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 2", "a probing"]);
    // Where nobody else waits, it waits no longer for that.
    bench.attempted(2, AttemptOutcome::Retry(None));
    bench.pass(20 * SECOND);
    let effects = words(&bench.on(Event::Wake));
    assert_eq!(effects, ["attempt 1 renewed again", "a probing"]);
}

#[test]
fn a_probe_that_asks_nobody_leaves_it_to_the_next() {
    let mut bench = Bench::new(4);
    break_a(&mut bench);
    bench.submit(1);
    bench.submit(2);
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["attempt 1", "a probing"]);
    let effects = bench.attempted(1, AttemptOutcome::Cancelled(Disposition::Superseded));
    assert_eq!(words(&effects), ["settle 1 superseded", "attempt 2"]);
}

#[test]
fn what_is_out_of_pace_goes_on_to_the_next_or_waits() {
    let paced = |name| Route {
        max_per_second: 1,
        ..route(name)
    };
    let mut bench = Bench::with(&[paced("a"), paced("b")], 4);
    assert_eq!(words(&bench.submit(1)), ["attempt 1"]);
    assert_eq!(words(&bench.submit(2)), ["attempt 2 by b"]);
    assert_eq!(words(&bench.submit(3)), ["wake"]);
    assert_eq!(words(&bench.submit(4)), [""; 0], "it is to wake already");
    bench.pass(SECOND);
    let effects = bench.on(Event::Wake);
    assert_eq!(words(&effects), ["attempt 3", "attempt 4 by b"]);
}

#[test]
fn whose_sms_did_not_arrive_is_avoided() {
    let mut bench = Bench::with(&[route("a"), route("b")], 4);
    let tracked = bench.avoiding(1, Some("a"));
    assert_eq!(words(&bench.on(Event::Submitted(tracked))), ["attempt 1 by b"]);
}

#[test]
fn jobs_for_one_provider_do_not_wait_behind_those_for_another() {
    let nowhere = Country::UNKNOWN;
    let only = |name, countries| Route {
        countries,
        ..route(name)
    };
    let abroad = Countries::Except(vec![nowhere]);
    let routes = [only("a", Countries::Only(vec![nowhere])), only("b", abroad)];
    let mut bench = Bench::with(&routes, 1);
    assert_eq!(words(&bench.submit(1)), ["attempt 1"]);
    assert_eq!(words(&bench.submit(2)), [""; 0]);
    let mut tracked = bench.tracked(3);
    Arc::get_mut(&mut tracked.delivery).unwrap().entry.country = Country::parse("FR").unwrap();
    assert_eq!(words(&bench.on(Event::Submitted(tracked))), ["attempt 3 by b"]);
}

#[test]
fn where_no_route_leads_a_job_is_left_to_those_who_may_have_one() {
    let route = Route {
        countries: Countries::Except(vec![Country::UNKNOWN]),
        ..route("a")
    };
    let mut bench = Bench::with(&[route], 1);
    assert_eq!(words(&bench.submit(1)), ["left"]);
    assert_eq!(words(&bench.take_over(2)), ["left"]);
}

#[test]
fn what_may_have_been_taken_is_looked_up_first() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    assert_eq!(words(&bench.attempted(1, AttemptOutcome::Unanswered)), ["wake"]);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::Taken);
    assert_eq!(words(&effects), ["settle 1 accepted"]);
}

#[test]
fn what_was_not_taken_is_sent_again_as_often_as_any_other() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        bench.attempted(1, AttemptOutcome::Unanswered);
        bench.pass(SECOND);
        bench.on(Event::Wake);
        let effects = bench.looked_up(1, LookupOutcome::NotTaken);
        assert_eq!(words(&effects), ["attempt 1 renewed again"]);
    }
    assert_eq!(words(&bench.attempted(1, AttemptOutcome::Unanswered)), ["left"]);
}

#[test]
fn what_a_provider_failed_over_is_looked_up_and_tried_as_often_as_any_other() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        bench.attempted(1, AttemptOutcome::Unsure(Some(2 * SECOND)));
        bench.pass(2 * SECOND);
        assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
        let effects = bench.looked_up(1, LookupOutcome::Unknown);
        assert_eq!(words(&effects), ["attempt 1 renewed again"]);
    }
    assert_eq!(words(&bench.attempted(1, AttemptOutcome::Unsure(None))), ["left"]);
}

#[test]
fn a_call_that_a_look_up_cleared_counts_no_more_among_those_without_an_answer() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for outcome in [LookupOutcome::NotTaken, LookupOutcome::Unknown] {
        bench.attempted(1, AttemptOutcome::Unanswered);
        bench.pass(SECOND);
        bench.on(Event::Wake);
        let effects = bench.looked_up(1, outcome);
        assert_eq!(words(&effects), ["attempt 1 renewed again"]);
    }
}

#[test]
fn what_nobody_can_tell_is_sent_once_more_and_then_rests() {
    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    bench.submit(1);
    bench.attempted(1, AttemptOutcome::Unanswered);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::Unknown);
    assert_eq!(words(&effects), ["attempt 1 renewed again"]);
    bench.attempted(1, AttemptOutcome::Unanswered);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
    assert_eq!(words(&bench.looked_up(1, LookupOutcome::Unknown)), ["left"]);
    assert_eq!((bench.in_flight(), bench.machine.queued()), (0, 0));
}

#[test]
fn what_is_taken_over_is_looked_up_at_everybody_who_may_have_it() {
    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    assert_eq!(words(&bench.take_over(1)), ["look up 1"]);
    let effects = bench.looked_up(1, LookupOutcome::NotTaken);
    assert_eq!(words(&effects), ["look up 1 by b renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::Unknown);
    assert_eq!(words(&effects), ["attempt 1 renewed"], "never lost");

    assert_eq!(words(&bench.take_over(2)), [""; 0], "a is busy");
    bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    bench.looked_up(2, LookupOutcome::NotTaken);
    let effects = bench.looked_up(2, LookupOutcome::Taken);
    assert_eq!(words(&effects), ["settle 2 accepted"], "b has it");
}

#[test]
fn a_look_up_that_is_held_back_comes_again() {
    let mut bench = Bench::new(1);
    bench.take_over(1);
    let effects = bench.looked_up(1, LookupOutcome::Postponed);
    assert_eq!(words(&effects), ["wake", "look up 1 renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::Cancelled(Disposition::Expired));
    assert_eq!(words(&effects), ["settle 1 expired"]);
}

#[test]
fn a_look_up_that_never_reports_is_one_that_cannot_tell() {
    let mut bench = Bench::new(2);
    bench.take_over(1);
    bench.pass(26 * SECOND);
    let effects = bench.on(Event::Tick);
    assert_eq!(words(&effects), ["renew 1", "take over 50", "attempt 1 renewed"]);
}

#[test]
fn look_ups_are_waited_for_and_what_would_be_sent_then_is_handed_back() {
    let mut bench = Bench::new(2);
    bench.take_over(1);
    bench.take_over(2);
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    let effects = bench.looked_up(1, LookupOutcome::NotTaken);
    assert_eq!(words(&effects), ["hand back 1"]);
    assert_eq!(words(&bench.on(Event::Abandon)), ["hand back 2"]);
}

#[test]
fn a_report_that_comes_too_late_is_of_no_effect() {
    let mut bench = Bench::new(1);
    bench.take_over(1);
    let effects = bench.attempted(1, AttemptOutcome::Settled(Disposition::Accepted));
    assert_eq!(words(&effects), [""; 0], "it is being looked up");
    assert_eq!(words(&bench.looked_up(7, LookupOutcome::Taken)), [""; 0]);
}
