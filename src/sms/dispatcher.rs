//! What happens in the life of a job, as a state machine without I/O: events in, effects out, time as a value.
//!
//! ```text
//!   submitted ─┐                       ┌─ may work later ── paused ─┐ (back to the end of waiting)
//!              ├─▶ waiting ─▶ in flight┤                            │
//!  taken over ─┘      ▲                └─ answered for good ─▶ settling ─▶ done
//!                     └─────────────────────────────────────────────┘
//!   draining: waiting, paused, and what may work later ─▶ handing back ─▶ done
//! ```
//! A job is in exactly one of these collections, so nothing that is counted can leak: the calls in flight are the
//! size of `in_flight`. It leaves all of them when the provider has answered and the outbox knows (`settling`), when
//! another instance shall have it (`handing_back`), or when the outbox says that it is superseded. What waits here is
//! kept leased, so that no other instance sends it as well.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::job::{Errand, Fate, Job, Ticket, Verdict};
use crate::entropy::Entropy;

/// The first retry waits up to this long, each later one up to twice as long as the one before.
const RETRY_BASE: Duration = Duration::from_millis(500);
/// No retry waits longer, unless the provider asks for it.
const RETRY_CAP: Duration = Duration::from_secs(15);
/// Calls without an answer, after which a job rests for a lease: each may have been an SMS.
const MAX_UNANSWERED: u32 = 2;
/// Entries that one sweep takes over at most, and jobs whose leases one round renews.
const SWEEP: usize = 256;
const RENEWALS: usize = 1024;

/// What the machine is told.
#[derive(Debug)]
pub(super) enum Event {
    Submitted(Ticket),
    /// The end of a sweep; `since` is when its leases began.
    TakenOver {
        tickets: Vec<Ticket>,
        since: Instant,
    },
    Attempted {
        id: Uuid,
        verdict: Verdict,
    },
    Settled {
        id: Uuid,
    },
    Renewed {
        since: Instant,
        held: Vec<Uuid>,
        gone: Vec<Uuid>,
    },
    HandedBack {
        ids: Vec<Uuid>,
        done: usize,
    },
    /// About once a second: look after leases, and after what nobody holds.
    Tick,
    /// A pause has ended.
    Wake,
    /// Start nothing more, and hand back what has not begun.
    Drain,
    /// Hand back what is in flight, too.
    Abandon,
}

/// What the machine asks for.
#[derive(Debug)]
pub(super) enum Effect {
    /// Try to send; answer with `Attempted`. `renew` asks for a fresh lease first.
    Attempt {
        errand: Arc<Errand>,
        renew: bool,
        retry: bool,
    },
    /// Acknowledge to the outbox; answer with `Settled`.
    Settle { errand: Arc<Errand>, fate: Fate },
    /// Answer with `Renewed`.
    Renew(Vec<Arc<Errand>>),
    /// Answer with `TakenOver`.
    TakeOver { limit: usize },
    /// Answer with `HandedBack`.
    HandBack(Vec<Arc<Errand>>),
    /// Answer with `Wake` then.
    WakeAt(Instant),
    /// The outbox dropped this many superseded entries by itself.
    Superseded(usize),
    /// It could not be sent, or nobody could be asked about it: the job is forgotten here, and comes back when its
    /// lease runs out, here or at another instance.
    LeftToLease(Fate),
    /// Nothing is under way any more.
    Drained { handed_back: usize },
}

/// The bounds that the machine keeps.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Jobs here at most; whoever submits holds a place, so this only bounds what is taken over.
    pub queue: usize,
    /// Attempts at a time.
    pub in_flight: usize,
    pub lease: Duration,
    pub max_tries: u32,
    /// From the first attempt to the last.
    pub retry_for: Duration,
    /// An attempt or acknowledgement that has not reported after so long has lost its task.
    pub stuck_after: Duration,
}

/// What time it is: on the clock that only goes forward, and in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub at: Instant,
    pub wall_ms: i64,
}

pub(super) struct Dispatcher {
    rules: Rules,
    entropy: Arc<dyn Entropy>,
    waiting: VecDeque<Job>,
    paused: Vec<(Instant, Job)>,
    in_flight: HashMap<Uuid, (Instant, Job)>,
    settling: HashMap<Uuid, (Instant, Job)>,
    handing_back: HashMap<Uuid, Job>,
    /// When the sweep, or the round of renewals, that is under way began.
    sweeping: Option<Instant>,
    renewing: Option<Instant>,
    draining: bool,
    abandoned: bool,
    handed_back: usize,
}

impl Dispatcher {
    pub fn new(rules: Rules, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            rules,
            entropy,
            waiting: VecDeque::new(),
            paused: Vec::new(),
            in_flight: HashMap::new(),
            settling: HashMap::new(),
            handing_back: HashMap::new(),
            sweeping: None,
            renewing: None,
            draining: false,
            abandoned: false,
            handed_back: 0,
        }
    }

    /// Jobs that wait for an attempt, or for the next one.
    pub fn queued(&self) -> usize {
        self.waiting.len() + self.paused.len()
    }

    /// Attempts under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes one step.
    pub fn on(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Submitted(ticket) => self.waiting.push_back(Job::new(ticket, now.at)),
            Event::TakenOver { tickets, since } => {
                self.sweeping = None;
                tickets.into_iter().for_each(|ticket| self.adopt(ticket, since));
            }
            Event::Attempted { id, verdict } => {
                if let Some((_, job)) = self.in_flight.remove(&id) {
                    self.judge(job, verdict, now, &mut effects);
                }
            }
            Event::Settled { id } => drop(self.settling.remove(&id)),
            Event::Renewed { since, held, gone } => self.renewed(since, &held, &gone, &mut effects),
            Event::HandedBack { ids, done } => {
                self.handing_back.retain(|id, _| !ids.contains(id));
                self.handed_back += done;
            }
            Event::Tick => self.tick(now, &mut effects),
            Event::Wake => {}
            Event::Drain => self.draining = true,
            Event::Abandon => {
                self.abandoned = true;
                let unfinished = self.in_flight.drain().map(|(_, (_, job))| job).collect();
                self.hand_back(unfinished, &mut effects);
            }
        }
        self.advance(now, &mut effects);
        effects
    }

    /// Starts what may start; hands back what may not any more.
    fn advance(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let due = self.paused.extract_if(.., |(until, _)| *until <= now.at);
        self.waiting.extend(due.map(|(_, job)| job));
        if self.draining {
            return self.wind_up(effects);
        }
        while self.in_flight.len() < self.rules.in_flight {
            let Some(mut job) = self.waiting.pop_front() else {
                break;
            };
            job.began.get_or_insert(now.at);
            let retry = job.tries + job.setbacks > 0;
            effects.push(Effect::Attempt {
                errand: job.errand(),
                renew: retry || self.is_stale(&job, now),
                retry: job.tries > 0,
            });
            self.in_flight.insert(job.id(), (now.at, job));
        }
    }

    /// Gets rid of everything, and says so when it is done.
    fn wind_up(&mut self, effects: &mut Vec<Effect>) {
        // A renewal that is under way would lease again what is handed back now.
        if self.renewing.is_none() || self.abandoned {
            let paused = self.paused.drain(..).map(|(_, job)| job);
            let unstarted = self.waiting.drain(..).chain(paused).collect();
            self.hand_back(unstarted, effects);
        }
        let settled = self.settling.is_empty() && self.sweeping.is_none() && self.renewing.is_none();
        if (settled || self.abandoned) && self.in_flight.is_empty() && self.handing_back.is_empty() {
            effects.push(Effect::Drained {
                handed_back: self.handed_back,
            });
        }
    }

    /// Decides what follows an attempt.
    fn judge(&mut self, mut job: Job, verdict: Verdict, now: Moment, effects: &mut Vec<Effect>) {
        let (strikes, asked) = match verdict {
            Verdict::Done(fate) => return self.settle(job, fate, now, effects),
            Verdict::Misconfigured => return effects.push(Effect::LeftToLease(Fate::Misconfigured)),
            Verdict::Retry(asked) => (&mut job.tries, asked),
            Verdict::Lost => (&mut job.tries, None),
            Verdict::Unanswered => {
                job.unanswered += 1;
                (&mut job.tries, None)
            }
            Verdict::Postponed => (&mut job.setbacks, None),
        };
        *strikes += 1;
        let strikes = *strikes;
        let pause = self.pause(strikes).max(asked.unwrap_or_default());
        let spent = job.began.map_or(Duration::ZERO, |began| now.at - began);
        let life = job.ticket.errand.entry.expires_at_ms.saturating_sub(now.wall_ms);
        let life = Duration::from_millis(u64::try_from(life).unwrap_or_default());
        let worth_it = strikes < self.rules.max_tries
            && job.unanswered < MAX_UNANSWERED
            && spent + pause < self.rules.retry_for
            && pause < life;
        if worth_it {
            let until = now.at + pause;
            effects.push(Effect::WakeAt(until));
            self.paused.push((until, job));
        } else {
            // Not acknowledged: nobody took it, so it stays owed, and comes back for as long as its code lives.
            effects.push(Effect::LeftToLease(Fate::Left));
        }
    }

    /// Full jitter over a doubling bound, so that jobs that failed together don't come back together.
    fn pause(&self, strikes: u32) -> Duration {
        let doubled = RETRY_BASE.saturating_mul(1 << (strikes - 1).min(16));
        let bound = u64::try_from(doubled.min(RETRY_CAP).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.entropy.up_to(bound))
    }

    fn settle(&mut self, job: Job, fate: Fate, now: Moment, effects: &mut Vec<Effect>) {
        effects.push(Effect::Settle {
            errand: job.errand(),
            fate,
        });
        self.settling.insert(job.id(), (now.at, job));
    }

    fn hand_back(&mut self, jobs: Vec<Job>, effects: &mut Vec<Effect>) {
        if !jobs.is_empty() {
            effects.push(Effect::HandBack(jobs.iter().map(Job::errand).collect()));
            self.handing_back
                .extend(jobs.into_iter().map(|job| (job.id(), job)));
        }
    }

    /// Takes a job of another instance in; or one of our own whose lease ran out, which is leased anew by that.
    fn adopt(&mut self, ticket: Ticket, since: Instant) {
        let id = ticket.errand.id();
        let running = self.in_flight.contains_key(&id) || self.settling.contains_key(&id);
        if let Some(job) = self.queued_jobs().find(|job| job.id() == id) {
            job.leased_at = since;
        } else if !running {
            self.waiting.push_back(Job::new(ticket, since));
        }
    }

    fn renewed(&mut self, since: Instant, held: &[Uuid], gone: &[Uuid], effects: &mut Vec<Effect>) {
        self.renewing = None;
        let (held, gone): (HashSet<_>, HashSet<_>) = (held.iter().collect(), gone.iter().collect());
        if !gone.is_empty() {
            let before = self.queued();
            self.waiting.retain(|job| !gone.contains(&job.id()));
            self.paused.retain(|(_, job)| !gone.contains(&job.id()));
            effects.push(Effect::Superseded(before - self.queued()));
        }
        for job in self.queued_jobs().filter(|job| held.contains(&job.id())) {
            job.leased_at = since;
        }
    }

    fn tick(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let is_stuck = |since: Instant| now.at - since > self.rules.stuck_after;
        // A panic between a report and its handling is the one way to lose one. Rare, and so the bounds hold again.
        let lost = self.in_flight.extract_if(|_, (since, _)| is_stuck(*since));
        let lost: Vec<_> = lost.map(|(_, (_, job))| job).collect();
        self.settling.retain(|_, (since, _)| !is_stuck(*since));
        self.sweeping = self.sweeping.filter(|&since| !is_stuck(since));
        self.renewing = self.renewing.filter(|&since| !is_stuck(since));
        for job in lost {
            self.judge(job, Verdict::Lost, now, effects);
        }
        if self.draining {
            return;
        }
        if self.renewing.is_none() {
            let queued = self.waiting.iter().chain(self.paused.iter().map(|(_, job)| job));
            let stale = queued.filter(|job| self.is_stale(job, now)).take(RENEWALS);
            let stale: Vec<_> = stale.map(Job::errand).collect();
            if !stale.is_empty() {
                self.renewing = Some(now.at);
                effects.push(Effect::Renew(stale));
            }
        }
        // Half of the room is left to those who ask for a code now.
        let room = self
            .rules
            .queue
            .saturating_sub(self.queued() + self.in_flight.len() + self.settling.len());
        let limit = room.div_ceil(2).min(SWEEP);
        if self.sweeping.is_none() && limit > 0 {
            self.sweeping = Some(now.at);
            effects.push(Effect::TakeOver { limit });
        }
    }

    /// Whether so much of its lease is gone that it must not be sent without asking.
    fn is_stale(&self, job: &Job, now: Moment) -> bool {
        now.at - job.leased_at >= self.rules.lease / 3
    }

    fn queued_jobs(&mut self) -> impl Iterator<Item = &mut Job> {
        self.waiting
            .iter_mut()
            .chain(self.paused.iter_mut().map(|(_, job)| job))
    }
}

#[cfg(test)]
mod tests;
