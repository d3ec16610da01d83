//! What happens in the life of a delivery, as a state machine without I/O: events in, effects out, time as a value.
//!
//! ```text
//!  submitted ──┐                               ┌─ settled or cancelled ──────────────▶ settling ─▶ done
//!              ▼      a provider is free       │                                          ▲
//!  ┌──▶ waiting to be sent ─────────────▶ sending ─ refuses the account: another one ───┐ │
//!  │        ▲  ▲                               │                                        │ │
//!  │        │  └───────────────────────────────┼────────────────────────────────────────┘ │
//!  │        └──── not taken ──────┐            │                                          │
//!  │                           paused ◀────────┴─ may work later                          │
//!  │           ┌── may be taken ──┘                                                       │
//!  │           ▼      a provider is free                                                  │
//!  │    waiting to be looked up ────────▶ looking up ─ this provider has it ──────────────┘
//!  │           ▲                               │
//!  │           ├─────────── another may ───────┤
//!  │        taken over                         │
//!  └─────────────────────── nobody has it ─────┘
//!
//!  draining: what waits, what is paused, and what would wait ─▶ handing back ─▶ done
//! ```
//! A delivery is in exactly one of these collections, so nothing that is counted can leak: the calls in flight at a provider
//! are the size of its map. It leaves all of them when a provider has answered and the outbox knows (`settling`: one that
//! is unavailable is told again and again, for as long as a code may live), when another instance shall have it
//! (`handing_back`), when the outbox says that it is superseded, or when it is left to its lease. What waits here is kept
//! leased, so that no other instance sends it as well.
//!
//! Which provider a delivery takes, and when, is the router's to say; whether a provider is called at all, its breaker's.
//! Before a message is sent that may be sent already, because its answer was lost or no good, or because whoever had it is
//! gone, the provider is asked for it: taken, it is not sent again; not taken, it is. Where it cannot tell, it is sent, for
//! one too many is better than none: twice in a row at most where answers are lost, then it rests for a lease.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Health,
    router::{Choice, ProviderId, Router, Want},
    steps::{Effect, Event, Moment, Rules},
    tracked::{AttemptOutcome, Delivery, Disposition, LookupOutcome, Tracked},
};
use crate::entropy::Entropy;

/// A call to a provider that is under way.
struct Call {
    since: Instant,
    kind: Kind,
    tracked: Tracked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The probe of a breaker, or a call like others.
    Send {
        is_probe: bool,
    },
    LookUp,
}

/// A delivery that was answered for good, until the outbox knows.
struct Settling {
    since: Instant,
    tracked: Tracked,
    /// Whether the outbox could not be told, and has to be asked again.
    untold: bool,
    /// Whether it was answered after the calls under way were waited for.
    late: bool,
}

pub(super) struct Dispatcher {
    rules: Rules,
    entropy: Arc<dyn Entropy>,
    router: Router,
    /// By what they wait for; no queue is empty.
    waiting: BTreeMap<Want, VecDeque<Tracked>>,
    paused: Vec<(Instant, Tracked)>,
    /// Of each provider.
    calls: Vec<HashMap<Uuid, Call>>,
    settling: HashMap<Uuid, Settling>,
    handing_back: HashMap<Uuid, Tracked>,
    /// Deliveries that ever began to wait.
    turns: u64,
    /// When a provider was last said to open.
    wakes: Option<Instant>,
    /// When the sweep, or the round of renewals or acknowledgements, that is under way began.
    sweeping: Option<Instant>,
    renewing: Option<Instant>,
    acknowledging: Option<Instant>,
    draining: bool,
    abandoned: bool,
    /// Calls that were under way when they were handed back: their answers may still come.
    overdue: HashMap<Uuid, (ProviderId, Arc<Delivery>)>,
    handed_back: usize,
}

impl Dispatcher {
    pub fn new(rules: Rules, router: Router, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            rules,
            entropy,
            waiting: BTreeMap::new(),
            paused: Vec::new(),
            calls: (0..router.count()).map(|_| HashMap::new()).collect(),
            router,
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

    /// Deliveries that wait for a call, or for the next one.
    pub fn queued(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum::<usize>() + self.paused.len()
    }

    /// Calls under way, by provider.
    pub fn in_flight(&self) -> Vec<usize> {
        self.calls.iter().map(HashMap::len).collect()
    }

    /// Takes one step.
    pub fn on(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        let before = self.health();
        match event {
            Event::Submitted(tracked) => self.wait(tracked, &mut effects),
            Event::TakenOver { deliveries, since } => {
                self.sweeping = None;
                for tracked in deliveries {
                    self.adopt(tracked, since, &mut effects);
                }
            }
            Event::Attempted { id, outcome } => {
                if let Some((provider, is_probe, tracked)) = self.end_of_attempt(id) {
                    self.judge(provider, is_probe, tracked, outcome, now, &mut effects);
                } else if let AttemptOutcome::Settled(disposition) = outcome {
                    self.answered_late(id, disposition, now, &mut effects);
                }
            }
            Event::LookedUp { id, outcome } => {
                if let Some((provider, tracked)) = self.end_of_look_up(id) {
                    self.looked_up(provider, tracked, outcome, now, &mut effects);
                } else if outcome == LookupOutcome::Taken {
                    self.answered_late(id, Disposition::Accepted, now, &mut effects);
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
        for (provider, (before, health)) in before.into_iter().zip(self.health()).enumerate() {
            if health != before {
                let opens = self.router.admits_from(provider, now.at);
                effects.push(Effect::Turned {
                    provider,
                    health,
                    opens,
                });
            }
        }
        effects
    }

    fn health(&self) -> Vec<Health> {
        let providers = 0..self.router.count();
        providers.map(|provider| self.router.health(provider)).collect()
    }

    /// Queues a delivery for what comes next: to be looked up where somebody may have it, else to be sent.
    fn wait(&mut self, mut tracked: Tracked, effects: &mut Vec<Effect>) {
        let want = match tracked.doubts.front() {
            Some(&provider) => Some(Want::LookUp(provider)),
            None => self.router.wanted_by(
                &tracked.delivery.entry,
                &tracked.deprioritized(),
                &tracked.failed_probes,
            ),
        };
        match want {
            Some(want) => {
                self.turns += 1;
                tracked.turn = self.turns;
                self.waiting.entry(want).or_default().push_back(tracked);
            }
            // No route leads to its country any more; another instance may know better.
            None => effects.push(Effect::LeftToLease { provider: None }),
        }
    }

    /// Starts what may start; hands back what may not any more.
    fn advance(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let due = self.paused.extract_if(.., |(until, _)| *until <= now.at);
        let due: Vec<_> = due.map(|(_, tracked)| tracked).collect();
        due.into_iter().for_each(|tracked| self.wait(tracked, effects));
        if self.draining {
            return self.wind_up(effects);
        }
        while let Some((provider, want)) = self.next_call(now, effects) {
            self.call(provider, &want, now, effects);
        }
    }

    /// Whose turn it is among those whose provider is free; what failed a probe comes after all that may be one. Where nobody's is, asks to be woken when the next provider opens.
    fn next_call(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Option<(ProviderId, Want)> {
        let load = self.in_flight();
        let mut next: Option<((bool, u64), ProviderId, &Want)> = None;
        let mut opens: Option<Instant> = None;
        for (want, tracked) in &self.waiting {
            let turn = tracked.front().map_or(u64::MAX, |tracked| tracked.turn);
            match self.router.choose(want, &load, now.at) {
                Choice::Provider(provider) => {
                    let turn = (self.router.is_later_probe(want, provider), turn);
                    if next.is_none_or(|(first, ..)| turn < first) {
                        next = Some((turn, provider, want));
                    }
                }
                Choice::NotBefore(at) => opens = Some(opens.map_or(at, |soonest| soonest.min(at))),
                Choice::Later => {}
            }
        }
        if let (None, Some(at)) = (&next, opens)
            && self.wakes.is_none_or(|wakes| wakes <= now.at || at < wakes)
        {
            self.wakes = Some(at);
            effects.push(Effect::WakeAt(at));
        }
        next.map(|(_, provider, want)| (provider, want.clone()))
    }

    /// Begins a call for the first deliveries that wants it.
    fn call(&mut self, provider: ProviderId, want: &Want, now: Moment, effects: &mut Vec<Effect>) {
        let Some(tracked) = self.waiting.get_mut(want) else {
            return;
        };
        let first = tracked.pop_front();
        if tracked.is_empty() {
            self.waiting.remove(want);
        }
        let Some(mut tracked) = first else { return };
        let (delivery, retry) = (tracked.share(), tracked.tries > 0);
        let renew = tracked.began.is_some() || self.is_stale(&tracked, now);
        let kind = match want {
            Want::LookUp(_) => {
                self.router.begin_look_up(provider, now.at);
                effects.push(Effect::LookUp {
                    delivery,
                    provider,
                    renew,
                });
                Kind::LookUp
            }
            Want::Send { .. } => {
                let is_probe = self.router.begin_send(provider, now.at);
                effects.push(Effect::Attempt {
                    delivery,
                    provider,
                    renew,
                    retry,
                });
                Kind::Send { is_probe }
            }
        };
        tracked.began.get_or_insert(now.at);
        let since = now.at;
        self.calls[provider].insert(tracked.id(), Call { since, kind, tracked });
    }

    fn end_of_attempt(&mut self, id: Uuid) -> Option<(ProviderId, bool, Tracked)> {
        let (provider, call) = self.end_of_call(id, |kind| kind != Kind::LookUp)?;
        Some((provider, call.kind == Kind::Send { is_probe: true }, call.tracked))
    }

    fn end_of_look_up(&mut self, id: Uuid) -> Option<(ProviderId, Tracked)> {
        let (provider, call) = self.end_of_call(id, |kind| kind == Kind::LookUp)?;
        Some((provider, call.tracked))
    }

    /// Ends the call for a delivery, if there is one of this kind: a report may come too late.
    fn end_of_call(&mut self, id: Uuid, is_meant: impl Fn(Kind) -> bool) -> Option<(ProviderId, Call)> {
        let mut calls = self.calls.iter_mut().enumerate();
        calls.find_map(|(provider, calls)| {
            let is_here = calls.get(&id).is_some_and(|call| is_meant(call.kind));
            is_here.then(|| calls.remove(&id).map(|call| (provider, call)))?
        })
    }
}

mod outcomes;
mod upkeep;

#[cfg(test)]
mod tests;
