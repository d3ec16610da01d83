//! Whatever happens in whatever order: no delivery is lost, none ends twice, and the bounds hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const IN_FLIGHT: usize = 3;

/// How often each delivery has ended, and what is asked for and not answered yet.
struct Chance {
    bench: Bench,
    ends: BTreeMap<u128, usize>,
    asked: Vec<Effect>,
    calling: [usize; 2],
    drained: bool,
}

impl Chance {
    fn step(&mut self, event: Event) {
        for effect in self.bench.on(event) {
            match &effect {
                Effect::Attempt { provider, .. } | Effect::LookUp { provider, .. } => {
                    self.calling[*provider] += 1;
                    assert!(self.calling[*provider] <= IN_FLIGHT);
                    self.asked.push(effect);
                }
                Effect::Settle { delivery, .. } => {
                    self.end(delivery.id());
                    self.asked.push(effect);
                }
                Effect::HandBack(deliveries) => {
                    deliveries.iter().for_each(|delivery| self.end(delivery.id()));
                    self.asked.push(effect);
                }
                Effect::Acknowledge(_) | Effect::Renew(_) | Effect::TakeOver { .. } => {
                    self.asked.push(effect)
                }
                Effect::Drained { .. } => self.drained = true,
                Effect::LeftToLease { .. }
                | Effect::Superseded(_)
                | Effect::WakeAt(_)
                | Effect::Turned { .. } => {}
            }
        }
        assert_eq!(self.bench.machine.in_flight(), self.calling);
    }

    fn end(&mut self, id: Uuid) {
        *self.ends.entry(id.as_u128()).or_default() += 1;
    }

    /// Answers something that was asked for, in one of the ways that it can end.
    fn answer(&mut self, which: usize, how: u8) {
        if self.asked.is_empty() {
            return;
        }
        match self.asked.swap_remove(which % self.asked.len()) {
            Effect::Attempt {
                delivery, provider, ..
            } => {
                self.calling[provider] -= 1;
                let outcome = match how % 9 {
                    0 => AttemptOutcome::Retry(Some(SECOND)),
                    1 => AttemptOutcome::Unanswered,
                    2 => AttemptOutcome::Misconfigured,
                    3 => AttemptOutcome::Postponed,
                    4 => AttemptOutcome::Unsure(None),
                    5 => AttemptOutcome::Cancelled(Disposition::Superseded),
                    6 | 7 => AttemptOutcome::CutOff(CutOff {
                        is_own: how % 9 == 6,
                        may_be_taken: false,
                    }),
                    _ => AttemptOutcome::Settled(Disposition::Accepted),
                };
                let id = delivery.id();
                self.step(Event::Attempted { id, outcome });
            }
            Effect::LookUp {
                delivery, provider, ..
            } => {
                self.calling[provider] -= 1;
                let outcome = match how % 4 {
                    0 => LookupOutcome::Taken,
                    1 => LookupOutcome::NotTaken,
                    2 => LookupOutcome::Unknown,
                    _ => LookupOutcome::Postponed,
                };
                let id = delivery.id();
                self.step(Event::LookedUp { id, outcome });
            }
            Effect::Settle { delivery, .. } => {
                let (id, done) = (delivery.id(), how.is_multiple_of(3));
                self.step(Event::Settled { id, done });
            }
            Effect::Acknowledge(deliveries) => {
                let known = deliveries.iter().filter(|_| how.is_multiple_of(2));
                let ids = known.map(|delivery| delivery.id()).collect();
                self.step(Event::Acknowledged { ids });
            }
            Effect::Renew(deliveries) => {
                let (since, gone) = (self.bench.now.at, Vec::new());
                let held = deliveries.iter().map(|delivery| delivery.id()).collect();
                self.step(Event::Renewed { since, held, gone });
            }
            Effect::HandBack(deliveries) => {
                let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id()).collect();
                let done = ids.len();
                self.step(Event::HandedBack { ids, done });
            }
            _ => {
                let since = self.bench.now.at;
                let deliveries = Vec::new();
                self.step(Event::TakenOver { deliveries, since });
            }
        }
    }
}

proptest! {
    #[test]
    fn every_job_ends_once_and_no_bound_is_passed(
        steps in prop::collection::vec((0_u8..8, any::<usize>(), any::<u8>()), 1..300),
    ) {
        let mut bench = Bench::with(&[route("a"), route("b")], IN_FLIGHT);
        // Nothing is left to its lease, so that each end shows.
        bench.machine.rules.max_tries = u32::MAX;
        bench.machine.rules.retry_for = 3600 * SECOND;
        bench.machine.rules.stuck_after = 3600 * SECOND;
        let mut chance = Chance {
            bench,
            ends: BTreeMap::new(),
            asked: Vec::new(),
            calling: [0; 2],
            drained: false,
        };
        let mut number = 0;
        for (kind, which, how) in steps {
            match kind {
                0 | 1 if number < 60 => {
                    number += 1;
                    let tracked = chance.bench.tracked(number);
                    chance.ends.insert(number, 0);
                    chance.step(Event::Submitted(tracked));
                }
                2 => {
                    chance.bench.pass(Duration::from_millis(u64::from(how) * 5));
                    chance.step(Event::Tick);
                }
                // Two calls without an answer leave a delivery to its lease: not of interest here.
                _ if how % 9 == 1 => {}
                _ => chance.answer(which, how),
            }
        }
        chance.step(Event::Drain);
        while !chance.asked.is_empty() {
            chance.answer(0, 8);
        }
        // What the outbox did not take before.
        chance.step(Event::Tick);
        while !chance.asked.is_empty() {
            chance.answer(0, 8);
        }
        prop_assert!(chance.drained);
        prop_assert!(chance.ends.values().all(|&ends| ends == 1), "{:?}", chance.ends);
        prop_assert_eq!(chance.bench.machine.queued(), 0);
    }
}
