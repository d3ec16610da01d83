//! Whatever happens in whatever order: no job is lost, none ends twice, and the bounds hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const IN_FLIGHT: usize = 3;

/// How often each job has ended, and what is asked for and not answered yet.
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
                Effect::Attempt { line, .. } | Effect::LookUp { line, .. } => {
                    self.calling[*line] += 1;
                    assert!(self.calling[*line] <= IN_FLIGHT);
                    self.asked.push(effect);
                }
                Effect::Settle { errand, .. } => {
                    self.end(errand.id());
                    self.asked.push(effect);
                }
                Effect::HandBack(errands) => {
                    errands.iter().for_each(|errand| self.end(errand.id()));
                    self.asked.push(effect);
                }
                Effect::Acknowledge(_) | Effect::Renew(_) | Effect::TakeOver { .. } => {
                    self.asked.push(effect)
                }
                Effect::Drained { .. } => self.drained = true,
                Effect::LeftToLease | Effect::Superseded(_) | Effect::WakeAt(_) | Effect::Turned { .. } => {}
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
            Effect::Attempt { errand, line, .. } => {
                self.calling[line] -= 1;
                let verdict = match how % 7 {
                    0 => Verdict::Retry(Some(SECOND)),
                    1 => Verdict::Unanswered,
                    2 => Verdict::Misconfigured,
                    3 => Verdict::Postponed,
                    4 => Verdict::Unsure(None),
                    5 => Verdict::Moot(Fate::Superseded),
                    _ => Verdict::Answered(Fate::Accepted),
                };
                let id = errand.id();
                self.step(Event::Attempted { id, verdict });
            }
            Effect::LookUp { errand, line, .. } => {
                self.calling[line] -= 1;
                let finding = match how % 4 {
                    0 => Finding::Taken,
                    1 => Finding::NotTaken,
                    2 => Finding::Unknown,
                    _ => Finding::Postponed,
                };
                let id = errand.id();
                self.step(Event::LookedUp { id, finding });
            }
            Effect::Settle { errand, .. } => {
                let (id, done) = (errand.id(), how.is_multiple_of(3));
                self.step(Event::Settled { id, done });
            }
            Effect::Acknowledge(errands) => {
                let known = errands.iter().filter(|_| how.is_multiple_of(2));
                let ids = known.map(|errand| errand.id()).collect();
                self.step(Event::Acknowledged { ids });
            }
            Effect::Renew(errands) => {
                let (since, gone) = (self.bench.now.at, Vec::new());
                let held = errands.iter().map(|errand| errand.id()).collect();
                self.step(Event::Renewed { since, held, gone });
            }
            Effect::HandBack(errands) => {
                let ids: Vec<_> = errands.iter().map(|errand| errand.id()).collect();
                let done = ids.len();
                self.step(Event::HandedBack { ids, done });
            }
            _ => {
                let since = self.bench.now.at;
                let tickets = Vec::new();
                self.step(Event::TakenOver { tickets, since });
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
                    let ticket = chance.bench.ticket(number);
                    chance.ends.insert(number, 0);
                    chance.step(Event::Submitted(ticket));
                }
                2 => {
                    chance.bench.pass(Duration::from_millis(u64::from(how) * 5));
                    chance.step(Event::Tick);
                }
                // Two calls without an answer leave a job to its lease: not of interest here.
                _ if how % 7 == 1 => {}
                _ => chance.answer(which, how),
            }
        }
        chance.step(Event::Drain);
        while !chance.asked.is_empty() {
            chance.answer(0, 6);
        }
        // What the outbox did not take before.
        chance.step(Event::Tick);
        while !chance.asked.is_empty() {
            chance.answer(0, 6);
        }
        prop_assert!(chance.drained);
        prop_assert!(chance.ends.values().all(|&ends| ends == 1), "{:?}", chance.ends);
        prop_assert_eq!(chance.bench.machine.queued(), 0);
    }
}
