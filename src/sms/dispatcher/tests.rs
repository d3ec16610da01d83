use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{
    phone::{Country, PhoneDigest, PhoneNumber},
    sms::{Language, OutboxEntry, Recipient, SmsCode},
};

/// Randomness that always gives the same share of what is asked for: none of it, or all of it.
struct Always(AtomicU64);

impl Entropy for Always {
    fn fill(&self, buffer: &mut [u8]) {
        let bytes = self.0.load(Ordering::Relaxed).to_le_bytes();
        buffer
            .iter_mut()
            .zip(bytes)
            .for_each(|(place, byte)| *place = byte);
    }
}

struct Bench {
    machine: Dispatcher,
    now: Moment,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn new(in_flight: usize) -> Self {
        let rules = Rules {
            queue: 100,
            in_flight,
            lease: 30 * SECOND,
            max_tries: 5,
            retry_for: 60 * SECOND,
            stuck_after: 25 * SECOND,
        };
        Self {
            machine: Dispatcher::new(rules, Arc::new(Always(AtomicU64::new(0)))),
            now: Moment {
                at: Instant::now(),
                wall_ms: 1_000_000,
            },
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.wall_ms += time.as_millis() as i64;
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(event, self.now)
    }

    /// A ticket whose code lives for ten minutes more.
    fn ticket(&self, number: u128) -> Ticket {
        Ticket {
            errand: Arc::new(Errand {
                entry: OutboxEntry {
                    challenge_id: Uuid::from_u128(number),
                    user_id: Uuid::from_u128(7),
                    phone_digest: PhoneDigest::decode("AAAAAAAAAAAAAAAAAAAAAA").unwrap(),
                    slot: "p".to_owned(),
                    key_id: "k".to_owned(),
                    country: Country::UNKNOWN,
                    language: Language::default(),
                    avoid: None,
                    expires_at_ms: self.now.wall_ms + 600_000,
                },
                recipient: Some(Recipient {
                    phone: PhoneNumber::from_stored("+14152000001".to_owned()),
                    code: SmsCode::new("123456"),
                }),
            }),
            place: None,
        }
    }

    fn submit(&mut self, number: u128) -> Vec<Effect> {
        let ticket = self.ticket(number);
        self.on(Event::Submitted(ticket))
    }

    fn attempted(&mut self, number: u128, verdict: Verdict) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::Attempted { id, verdict })
    }

    fn settled(&mut self, number: u128) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::Settled { id })
    }
}

/// Effects as short words, with the numbers of their jobs.
fn words(effects: &[Effect]) -> Vec<String> {
    let numbers = |errands: &[Arc<Errand>]| {
        let numbers = errands.iter().map(|errand| errand.id().as_u128().to_string());
        numbers.collect::<Vec<_>>().join(",")
    };
    let one = |errand: &Errand| errand.id().as_u128();
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Attempt { errand, renew, retry } => {
                let renew = if *renew { " renewed" } else { "" };
                let retry = if *retry { " again" } else { "" };
                format!("attempt {}{renew}{retry}", one(errand))
            }
            Effect::Settle { errand, fate } => format!("settle {} {}", one(errand), fate.name()),
            Effect::Renew(errands) => format!("renew {}", numbers(errands)),
            Effect::TakeOver { limit } => format!("take over {limit}"),
            Effect::HandBack(errands) => format!("hand back {}", numbers(errands)),
            Effect::WakeAt(_) => "wake".to_owned(),
            Effect::Superseded(count) => format!("superseded {count}"),
            Effect::LeftToLease(_) => "left".to_owned(),
            Effect::Drained { handed_back } => format!("drained {handed_back}"),
        })
        .collect()
}

#[test]
fn calls_in_flight_are_bounded_and_the_rest_wait_in_order() {
    let mut bench = Bench::new(2);
    assert_eq!(words(&bench.submit(1)), ["attempt 1"]);
    assert_eq!(words(&bench.submit(2)), ["attempt 2"]);
    assert_eq!(words(&bench.submit(3)), [""; 0]);
    assert_eq!(words(&bench.submit(4)), [""; 0]);
    assert_eq!((bench.machine.in_flight(), bench.machine.queued()), (2, 2));
    let effects = bench.attempted(2, Verdict::Done(Fate::Accepted));
    assert_eq!(words(&effects), ["settle 2 accepted", "attempt 3"]);
    assert_eq!((bench.machine.in_flight(), bench.machine.queued()), (2, 1));
}

#[test]
fn a_retry_renews_first_and_after_five_tries_the_sms_rests_unacknowledged() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        let effects = bench.attempted(1, Verdict::Retry(None));
        assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
    }
    let effects = bench.attempted(1, Verdict::Retry(None));
    assert_eq!(words(&effects), ["left"]);
}

#[test]
fn what_may_have_been_taken_is_tried_once_more_and_then_rests() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    let effects = bench.attempted(1, Verdict::Unanswered);
    assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
    assert_eq!(words(&bench.attempted(1, Verdict::Unanswered)), ["left"]);
}

#[test]
fn what_no_provider_takes_until_somebody_acts_stays_owed() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    assert_eq!(words(&bench.attempted(1, Verdict::Misconfigured)), ["left"]);
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
    let effects = bench.attempted(1, Verdict::Retry(Some(20 * SECOND)));
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
    let effects = bench.attempted(1, Verdict::Retry(Some(60 * SECOND)));
    assert_eq!(words(&effects), ["left"], "60 s in all");

    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.pass(595 * SECOND);
    bench.machine.rules.retry_for = 3600 * SECOND;
    let effects = bench.attempted(1, Verdict::Retry(Some(5 * SECOND)));
    assert_eq!(words(&effects), ["left"], "the code has expired by then");
}

#[test]
fn a_panic_costs_a_try_and_nothing_else() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    let effects = bench.attempted(1, Verdict::Lost);
    assert_eq!(words(&effects), ["wake", "attempt 1 renewed again"]);
}

#[test]
fn what_is_held_up_too_long_is_left_to_its_lease_unacknowledged() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    for _ in 1..5 {
        let effects = bench.attempted(1, Verdict::Postponed);
        assert_eq!(words(&effects), ["wake", "attempt 1 renewed"]);
    }
    assert_eq!(words(&bench.attempted(1, Verdict::Postponed)), ["left"]);
    assert_eq!((bench.machine.in_flight(), bench.machine.queued()), (0, 0));
}

#[test]
fn what_waited_a_third_of_its_lease_is_renewed_before_the_call() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.submit(2);
    bench.pass(9 * SECOND);
    let effects = bench.attempted(1, Verdict::Done(Fate::Accepted));
    assert_eq!(words(&effects), ["settle 1 accepted", "attempt 2"]);
    bench.submit(3);
    bench.pass(10 * SECOND);
    let effects = bench.attempted(2, Verdict::Done(Fate::Accepted));
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
    let effects = bench.attempted(1, Verdict::Done(Fate::Accepted));
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
    let tickets = (100..120).map(|number| bench.ticket(number)).collect();
    let since = bench.now.at;
    bench.on(Event::TakenOver { tickets, since });
    assert_eq!(bench.machine.queued(), 79);
    assert_eq!(words(&bench.on(Event::Tick)), ["take over 10"]);
}

#[test]
fn a_job_that_is_here_already_is_not_taken_over_twice() {
    let mut bench = Bench::new(1);
    bench.submit(1);
    bench.submit(2);
    let tickets = vec![bench.ticket(1), bench.ticket(2), bench.ticket(3)];
    let since = bench.now.at;
    bench.on(Event::TakenOver { tickets, since });
    assert_eq!((bench.machine.in_flight(), bench.machine.queued()), (1, 2));
    // While it is being acknowledged it is ours, too.
    bench.attempted(1, Verdict::Done(Fate::Accepted));
    let tickets = vec![bench.ticket(1)];
    bench.on(Event::TakenOver { tickets, since });
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
    let effects = bench.attempted(1, Verdict::Retry(None));
    assert_eq!(words(&effects), ["wake", "hand back 1"]);
    let effects = bench.attempted(2, Verdict::Done(Fate::Accepted));
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
    bench.attempted(1, Verdict::Done(Fate::Accepted));
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    assert_eq!(words(&bench.on(Event::Abandon)), ["hand back 2"]);
    let ids = vec![Uuid::from_u128(2)];
    let effects = bench.on(Event::HandedBack { ids, done: 1 });
    assert_eq!(words(&effects), ["drained 1"]);
}

#[test]
fn a_sweep_under_way_is_waited_for_so_that_its_leases_are_handed_back() {
    let mut bench = Bench::new(1);
    bench.on(Event::Tick);
    assert_eq!(words(&bench.on(Event::Drain)), [""; 0]);
    let (tickets, since) = (vec![bench.ticket(1)], bench.now.at);
    let effects = bench.on(Event::TakenOver { tickets, since });
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
        tickets: Vec::new(),
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
    bench.attempted(2, Verdict::Done(Fate::Accepted));
    bench.on(Event::Tick);
    bench.pass(26 * SECOND);
    let effects = bench.on(Event::Tick);
    // Number 1 tries again, 2 counts as acknowledged, and sweeping goes on.
    let expected = ["wake", "renew 1", "take over 50", "attempt 1 renewed again"];
    assert_eq!(words(&effects), expected);
    assert!(bench.machine.settling.is_empty());
}
