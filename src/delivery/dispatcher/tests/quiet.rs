//! Providers that put messages off, and those that ask for a longer pause than a delivery has.

use super::{routes::break_a, *};

#[test]
fn what_is_put_off_comes_again_and_holds_nothing_else_up() {
    let mut bench = Bench::new(4);
    for number in 1..=40 {
        assert_eq!(words(&bench.submit(number)), [format!("attempt {number}")]);
        for _ in 1..5 {
            let effects = bench.attempted(number, AttemptOutcome::PutOff(None));
            assert_eq!(
                words(&effects),
                ["wake".to_owned(), format!("attempt {number} renewed again")]
            );
        }
        let effects = bench.attempted(number, AttemptOutcome::PutOff(None));
        assert_eq!(words(&effects), ["left"], "until its lease ends");
    }
}

#[test]
fn what_is_cut_off_for_its_own_sake_opens_nothing_and_keeps_nobody_from_probing() {
    let cut_off = |is_own| {
        AttemptOutcome::CutOff(CutOff {
            is_own,
            may_be_taken: false,
        })
    };
    let mut bench = Bench::new(4);
    bench.machine.rules.max_tries = 100;
    bench.submit(1);
    for _ in 0..50 {
        let effects = bench.attempted(1, cut_off(true));
        assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
    }
    // Others are told of once each, whatever many show by now.
    for _ in 0..20 {
        bench.attempted(1, cut_off(false));
    }
    assert_eq!(bench.machine.router.health(0), Health::Working);
    break_a(&mut bench);
    bench.machine.rules.max_tries = 100;
    bench.attempted(1, cut_off(true));
    bench.pass(5 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), [""; 0], "others first");
    bench.pass(5 * SECOND);
    assert_eq!(
        words(&bench.on(Event::Wake)),
        ["attempt 1 renewed again", "a probing"]
    );
    assert_eq!(words(&bench.submit(2)), [""; 0]);
    let effects = words(&bench.attempted(1, cut_off(false)));
    assert!(effects.contains(&"attempt 2".to_owned()), "at once: {effects:?}");
    let effects = words(&bench.attempted(2, AttemptOutcome::Settled(Disposition::Accepted)));
    assert!(effects.contains(&"a working".to_owned()), "{effects:?}");
}

#[test]
fn where_many_domains_are_cut_off_it_is_the_provider() {
    let mut bench = Bench::new(8);
    bench.machine.rules.max_tries = 1;
    let outcome = AttemptOutcome::CutOff(CutOff {
        is_own: false,
        may_be_taken: false,
    });
    for number in 1..=8 {
        assert_eq!(bench.machine.router.health(0), Health::Working);
        bench.submit(number);
        bench.attempted(number, outcome);
    }
    assert_eq!(bench.machine.router.health(0), Health::Failing);
}

#[test]
fn who_asks_for_quiet_for_long_is_left_for_another_and_looked_up_before_if_it_failed() {
    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(3600 * SECOND)));
    assert_eq!(words(&effects), ["wake", "attempt 1 by b renewed again"]);
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(3600 * SECOND)));
    assert_eq!(words(&effects), ["wake"], "both");
    bench.pass(599 * SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), [""; 0]);

    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Unsure(Some(3600 * SECOND)));
    assert_eq!(words(&effects), ["wake"]);
    bench.pass(SECOND);
    assert_eq!(words(&bench.on(Event::Wake)), ["look up 1 renewed"]);
    let effects = bench.looked_up(1, LookupOutcome::NotTaken);
    assert_eq!(words(&effects), ["attempt 1 by b renewed again"]);
}

#[test]
fn who_asked_for_quiet_and_then_refuses_the_account_is_stopped() {
    let mut bench = Bench::with(&[route("a"), route("b")], 1);
    bench.submit(1);
    bench.attempted(1, AttemptOutcome::Retry(Some(3600 * SECOND)));
    let effects = bench.attempted(1, AttemptOutcome::Misconfigured);
    assert_eq!(words(&effects), ["attempt 1 renewed again", "b stopped"]);
    let effects = words(&bench.attempted(1, AttemptOutcome::Misconfigured));
    assert!(effects.contains(&"a stopped".to_owned()), "{effects:?}");
}

#[test]
fn while_another_is_shut_who_asks_for_quiet_is_waited_for_by_a_lease() {
    let mut bench = Bench::with(&[route("a"), route("b")], 4);
    break_a(&mut bench);
    bench.submit(1);
    let effects = bench.attempted(1, AttemptOutcome::Retry(Some(3600 * SECOND)));
    assert_eq!(words(&effects), ["wake"]);
    bench.pass(30 * SECOND);
    let effects = words(&bench.on(Event::Wake));
    assert!(
        effects.iter().any(|effect| effect.starts_with("attempt 1")),
        "{effects:?}"
    );
}
