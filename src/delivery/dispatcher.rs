//! What happens in the life of a job, as a state machine without I/O: events in, effects out, time as a value.
//!
//! ```text
//!  submitted ──┐                               ┌─ answered for good ─────────────────▶ settling ─▶ done
//!              ▼         a line is free        │                                          ▲
//!  ┌──▶ waiting to be sent ─────────────▶ sending ─ refuses this account: another line ─┐ │
//!  │        ▲  ▲                               │                                        │ │
//!  │        │  └───────────────────────────────┼────────────────────────────────────────┘ │
//!  │        └──── not taken ──────┐            │                                          │
//!  │                           paused ◀────────┴─ may work later                          │
//!  │           ┌── may be taken ──┘                                                       │
//!  │           ▼         a line is free                                                   │
//!  │    waiting to be looked up ────────▶ looking up ─ this provider has it ──────────────┘
//!  │           ▲                               │
//!  │           ├─────────── another may ───────┤
//!  │        taken over                         │
//!  └─────────────────────── nobody has it ─────┘
//!
//!  draining: what waits, what is paused, and what would wait ─▶ handing back ─▶ done
//! ```
//! A job is in exactly one of these collections, so nothing that is counted can leak: the calls in flight on a line are
//! the size of its map. It leaves all of them when a provider has answered and the outbox knows (`settling`: one that is
//! away is told again and again, for as long as a code may live), when another instance shall have it (`handing_back`),
//! when the outbox says that it is superseded, or when it is left to its lease. What waits here is kept leased, so that no
//! other instance sends it as well.
//!
//! A line is a provider. Which one a job takes, and when, is the switchboard's to say; whether a provider is called at
//! all, its breaker's. Before an SMS is sent that may be sent already, because its answer was lost or no good, or
//! because whoever had it is gone, the provider is asked for it: taken, it is not sent again; not taken, it is. Where it cannot
//! tell, it is sent, for one too many is better than none: twice in a row at most where answers are lost, then it
//! rests for a lease.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Health,
    job::{Errand, Fate, Finding, Job, Verdict},
    steps::{Effect, Event, Moment, Rules},
    switchboard::{Choice, LineId, Switchboard, Want},
};
use crate::entropy::Entropy;

/// A call to a provider that is under way.
struct Call {
    since: Instant,
    kind: Kind,
    job: Job,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The probe of a breaker, or a call like others.
    Send {
        is_probe: bool,
    },
    LookUp,
}

/// A job that was answered for good, until the outbox knows.
struct Settling {
    since: Instant,
    job: Job,
    /// Whether the outbox could not be told, and has to be asked again.
    untold: bool,
    /// Whether it was answered after the calls under way were waited for.
    late: bool,
}

pub(super) struct Dispatcher {
    rules: Rules,
    entropy: Arc<dyn Entropy>,
    switchboard: Switchboard,
    /// By what they wait for; no queue is empty.
    waiting: BTreeMap<Want, VecDeque<Job>>,
    paused: Vec<(Instant, Job)>,
    /// Of each line.
    calls: Vec<HashMap<Uuid, Call>>,
    settling: HashMap<Uuid, Settling>,
    handing_back: HashMap<Uuid, Job>,
    /// Jobs that ever began to wait.
    turns: u64,
    /// When a line was last said to open.
    wakes: Option<Instant>,
    /// When the sweep, or the round of renewals or acknowledgements, that is under way began.
    sweeping: Option<Instant>,
    renewing: Option<Instant>,
    acknowledging: Option<Instant>,
    draining: bool,
    abandoned: bool,
    /// Calls that were under way when they were handed back: their answers may still come.
    overdue: HashMap<Uuid, (LineId, Arc<Errand>)>,
    handed_back: usize,
}

impl Dispatcher {
    pub fn new(rules: Rules, switchboard: Switchboard, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            rules,
            entropy,
            waiting: BTreeMap::new(),
            paused: Vec::new(),
            calls: (0..switchboard.lines()).map(|_| HashMap::new()).collect(),
            switchboard,
            settling: HashMap::new(),
            handing_back: HashMap::new(),
            turns: 0,
            wakes: None,
            sweeping: None,
            renewing: None,
            acknowledging: None,
            draining: false,
            abandoned: false,
            overdue: HashMap::new(),
            handed_back: 0,
        }
    }

    /// Jobs that wait for a call, or for the next one.
    pub fn queued(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum::<usize>() + self.paused.len()
    }

    /// Calls under way, by line.
    pub fn in_flight(&self) -> Vec<usize> {
        self.calls.iter().map(HashMap::len).collect()
    }

    /// Takes one step.
    pub fn on(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        let before = self.health();
        match event {
            Event::Submitted(ticket) => self.wait(Job::new(ticket, now.at), &mut effects),
            Event::TakenOver { tickets, since } => {
                self.sweeping = None;
                for ticket in tickets {
                    self.adopt(ticket, since, &mut effects);
                }
            }
            Event::Attempted { id, verdict } => {
                if let Some((line, is_probe, job)) = self.end_of_attempt(id) {
                    self.judge(line, is_probe, job, verdict, now, &mut effects);
                } else if let Verdict::Answered(fate) = verdict {
                    self.answered_late(id, fate, now, &mut effects);
                }
            }
            Event::LookedUp { id, finding } => {
                if let Some((line, job)) = self.end_of_look_up(id) {
                    self.looked_up(line, job, finding, now, &mut effects);
                } else if finding == Finding::Taken {
                    self.answered_late(id, Fate::Accepted, now, &mut effects);
                }
            }
            Event::Settled { id, done } => self.settled(id, done),
            Event::Acknowledged { ids } => self.acknowledged(&ids),
            Event::Renewed { since, held, gone } => self.renewed(since, &held, &gone, &mut effects),
            Event::HandedBack { ids, done } => {
                self.handing_back.retain(|id, _| !ids.contains(id));
                self.handed_back += done;
            }
            Event::Tick => self.tick(now, &mut effects),
            Event::Wake => {}
            Event::Drain => self.draining = true,
            Event::Abandon => self.abandon(&mut effects),
        }
        self.advance(now, &mut effects);
        for (line, (before, health)) in before.into_iter().zip(self.health()).enumerate() {
            if health != before {
                let opens = self.switchboard.admits_from(line, now.at);
                effects.push(Effect::Turned { line, health, opens });
            }
        }
        effects
    }

    fn health(&self) -> Vec<Health> {
        let lines = 0..self.switchboard.lines();
        lines.map(|line| self.switchboard.health(line)).collect()
    }

    /// Queues a job for what comes next: to be looked up where somebody may have it, else to be sent.
    fn wait(&mut self, mut job: Job, effects: &mut Vec<Effect>) {
        let want = match job.doubts.front() {
            Some(&line) => Some(Want::LookUp(line)),
            None => self
                .switchboard
                .wanted_by(&job.ticket.errand.entry, &job.shunned_by()),
        };
        match want {
            Some(want) => {
                self.turns += 1;
                job.turn = self.turns;
                self.waiting.entry(want).or_default().push_back(job);
            }
            // No route leads to its country any more; another instance may know better.
            None => effects.push(Effect::LeftToLease),
        }
    }

    /// Starts what may start; hands back what may not any more.
    fn advance(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let due = self.paused.extract_if(.., |(until, _)| *until <= now.at);
        let due: Vec<_> = due.map(|(_, job)| job).collect();
        due.into_iter().for_each(|job| self.wait(job, effects));
        if self.draining {
            return self.wind_up(effects);
        }
        while let Some((line, want)) = self.next_call(now, effects) {
            self.call(line, &want, now, effects);
        }
    }

    /// Whose turn it is among those whose line is free. Where nobody's is, asks to be woken when the next line opens.
    fn next_call(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Option<(LineId, Want)> {
        let load = self.in_flight();
        let (mut next, mut opens): (Option<(u64, LineId, &Want)>, Option<Instant>) = (None, None);
        for (want, jobs) in &self.waiting {
            let turn = jobs.front().map_or(u64::MAX, |job| job.turn);
            match self.switchboard.choose(want, &load, now.at) {
                Choice::Line(line) if next.is_none_or(|(first, ..)| turn < first) => {
                    next = Some((turn, line, want));
                }
                Choice::NotBefore(at) => opens = Some(opens.map_or(at, |soonest| soonest.min(at))),
                Choice::Line(_) | Choice::Later => {}
            }
        }
        if let (None, Some(at)) = (&next, opens)
            && self.wakes.is_none_or(|wakes| wakes <= now.at || at < wakes)
        {
            self.wakes = Some(at);
            effects.push(Effect::WakeAt(at));
        }
        next.map(|(_, line, want)| (line, want.clone()))
    }

    /// Begins a call for the first job that wants it.
    fn call(&mut self, line: LineId, want: &Want, now: Moment, effects: &mut Vec<Effect>) {
        let Some(jobs) = self.waiting.get_mut(want) else {
            return;
        };
        let first = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(want);
        }
        let Some(mut job) = first else { return };
        let (errand, retry) = (job.errand(), job.tries > 0);
        let renew = job.began.is_some() || self.is_stale(&job, now);
        let kind = match want {
            Want::LookUp(_) => {
                self.switchboard.begin_look_up(line, now.at);
                effects.push(Effect::LookUp { errand, line, renew });
                Kind::LookUp
            }
            Want::Send { .. } => {
                let is_probe = self.switchboard.begin_send(line, now.at);
                effects.push(Effect::Attempt {
                    errand,
                    line,
                    renew,
                    retry,
                });
                Kind::Send { is_probe }
            }
        };
        job.began.get_or_insert(now.at);
        let since = now.at;
        self.calls[line].insert(job.id(), Call { since, kind, job });
    }

    fn end_of_attempt(&mut self, id: Uuid) -> Option<(LineId, bool, Job)> {
        let (line, call) = self.end_of_call(id, |kind| kind != Kind::LookUp)?;
        Some((line, call.kind == Kind::Send { is_probe: true }, call.job))
    }

    fn end_of_look_up(&mut self, id: Uuid) -> Option<(LineId, Job)> {
        let (line, call) = self.end_of_call(id, |kind| kind == Kind::LookUp)?;
        Some((line, call.job))
    }

    /// Ends the call for a job, if there is one of this kind: a report may come too late.
    fn end_of_call(&mut self, id: Uuid, is_meant: impl Fn(Kind) -> bool) -> Option<(LineId, Call)> {
        let mut calls = self.calls.iter_mut().enumerate();
        calls.find_map(|(line, calls)| {
            let is_here = calls.get(&id).is_some_and(|call| is_meant(call.kind));
            is_here.then(|| calls.remove(&id).map(|call| (line, call)))?
        })
    }
}

mod upkeep;
mod verdicts;

#[cfg(test)]
mod tests;
