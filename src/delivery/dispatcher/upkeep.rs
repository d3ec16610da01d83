//! What the machine does beside sending: leases are kept, what nobody holds is taken over, and in the end all that is
//! unfinished is handed back.

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Call, Dispatcher, Kind, Settling};
use crate::delivery::{
    job::{Fate, Finding, Job, Ticket, Verdict},
    steps::{Effect, Moment},
};

/// Entries that one sweep takes over at most, and jobs whose leases one round renews, or which it acknowledges.
const SWEEP: usize = 256;
const ROUND: usize = 1024;

impl Dispatcher {
    pub(super) fn tick(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let patience = self.rules.stuck_after;
        let is_stuck = |since: Instant| now.at - since > patience;
        self.settling
            .retain(|_, settling| now.at - settling.since <= self.rules.ttl);
        for settling in self.settling.values_mut() {
            settling.untold |= is_stuck(settling.since);
        }
        self.acknowledging = self.acknowledging.filter(|&since| !is_stuck(since));
        self.sweeping = self.sweeping.filter(|&since| !is_stuck(since));
        self.renewing = self.renewing.filter(|&since| !is_stuck(since));
        // A panic between a report and its handling is the one way to lose one. Rare, and so the bounds hold again.
        for line in 0..self.calls.len() {
            let lost = self.calls[line].extract_if(|_, call| is_stuck(call.since));
            let lost: Vec<_> = lost.map(|(_, call)| call).collect();
            for Call { kind, job, .. } in lost {
                match kind {
                    Kind::Send { is_probe } => self.judge(line, is_probe, job, Verdict::Lost, now, effects),
                    Kind::LookUp => self.looked_up(line, job, Finding::Unknown, now, effects),
                }
            }
        }
        self.acknowledge(now, effects);
        if !self.draining {
            self.renew(now, effects);
            self.sweep(now, effects);
        }
    }

    /// Tells the outbox of what it could not be told before. Though the lease ran out meanwhile it is not too late: what
    /// another instance took over is renewed before it is sent.
    fn acknowledge(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let untold = self.settling.values().filter(|settling| settling.untold);
        let mut untold: Vec<_> = untold.map(|settling| settling.job.errand()).collect();
        if self.acknowledging.is_none() && !untold.is_empty() {
            // In any order, lest those of a server that hangs hold the others up for good.
            untold.sort_by_cached_key(|_| self.entropy.up_to(u64::MAX));
            untold.truncate(ROUND);
            self.acknowledging = Some(now.at);
            effects.push(Effect::Acknowledge(untold));
        }
    }

    pub(super) fn settled(&mut self, id: Uuid, done: bool) {
        if done {
            self.settling.remove(&id);
        } else if let Some(settling) = self.settling.get_mut(&id) {
            settling.untold = true;
        }
    }

    pub(super) fn acknowledged(&mut self, ids: &[Uuid]) {
        self.acknowledging = None;
        ids.iter().for_each(|&id| self.settled(id, true));
    }

    fn renew(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let paused = self.paused.iter().map(|(_, job)| job);
        let queued = self.waiting.values().flatten().chain(paused);
        let stale = queued.filter(|job| self.is_stale(job, now)).take(ROUND);
        let stale: Vec<_> = stale.map(Job::errand).collect();
        if self.renewing.is_none() && !stale.is_empty() {
            self.renewing = Some(now.at);
            effects.push(Effect::Renew(stale));
        }
    }

    fn sweep(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        // Half of the room is left to those who ask for a code now.
        let busy = self.queued() + self.in_flight().iter().sum::<usize>() + self.settling.len();
        let room = self.rules.queue.saturating_sub(busy);
        let limit = room.div_ceil(2).min(SWEEP);
        if self.sweeping.is_none() && limit > 0 {
            self.sweeping = Some(now.at);
            effects.push(Effect::TakeOver { limit });
        }
    }

    /// Takes a job of another instance in, which may have sent it; or one of our own whose lease ran out, which is leased
    /// anew by that.
    pub(super) fn adopt(&mut self, ticket: Ticket, since: Instant, effects: &mut Vec<Effect>) {
        let id = ticket.errand.id();
        let calling = self.calls.iter().any(|calls| calls.contains_key(&id));
        if let Some(job) = self.queued_jobs().find(|job| job.id() == id) {
            job.leased_at = since;
        } else if !calling && !self.settling.contains_key(&id) {
            let entry = &ticket.errand.entry;
            let lines = self.switchboard.towards(entry.channel, entry.country);
            let mut job = Job::new(ticket, since);
            job.doubts = lines.into();
            self.wait(job, effects);
        }
    }

    pub(super) fn renewed(
        &mut self,
        since: Instant,
        held: &[Uuid],
        gone: &[Uuid],
        effects: &mut Vec<Effect>,
    ) {
        self.renewing = None;
        let (held, gone): (HashSet<_>, HashSet<_>) = (held.iter().collect(), gone.iter().collect());
        if !gone.is_empty() {
            let before = self.queued();
            for jobs in self.waiting.values_mut() {
                jobs.retain(|job| !gone.contains(&job.id()));
            }
            self.waiting.retain(|_, jobs| !jobs.is_empty());
            self.paused.retain(|(_, job)| !gone.contains(&job.id()));
            effects.push(Effect::Superseded(before - self.queued()));
        }
        for job in self.queued_jobs().filter(|job| held.contains(&job.id())) {
            job.leased_at = since;
        }
    }

    /// Gets rid of everything, and says so when it is done.
    pub(super) fn wind_up(&mut self, effects: &mut Vec<Effect>) {
        // A renewal that is under way would lease again what is handed back now.
        if self.renewing.is_none() || self.abandoned {
            let waiting = std::mem::take(&mut self.waiting).into_values().flatten();
            let paused = self.paused.drain(..).map(|(_, job)| job);
            let unstarted = waiting.chain(paused).collect();
            self.hand_back(unstarted, effects);
        }
        let settled = self.settling.is_empty() && self.sweeping.is_none() && self.renewing.is_none();
        // Of what was answered since, one try to tell the outbox is waited for.
        let tried = |settling: &Settling| !settling.late || settling.untold;
        let given_up = self.abandoned && self.settling.values().all(tried);
        let called = self.in_flight().iter().all(|&calls| calls == 0);
        if (settled || given_up) && called && self.handing_back.is_empty() {
            effects.push(Effect::Drained {
                handed_back: self.handed_back,
            });
        }
    }

    /// Waits for no call any longer.
    pub(super) fn abandon(&mut self, effects: &mut Vec<Effect>) {
        self.abandoned = true;
        let mut unfinished = Vec::new();
        for (line, calls) in self.calls.iter_mut().enumerate() {
            for (id, call) in calls.drain() {
                self.overdue.insert(id, (line, call.job.errand()));
                unfinished.push(call.job);
            }
        }
        self.hand_back(unfinished, effects);
    }

    /// Takes the answer for good to a call that was handed back already: if the outbox knows in time, nobody sends it again.
    pub(super) fn answered_late(&mut self, id: Uuid, fate: Fate, now: Moment, effects: &mut Vec<Effect>) {
        if let Some((line, errand)) = self.overdue.remove(&id) {
            let ticket = Ticket { errand, place: None };
            self.settle(Job::new(ticket, now.at), Some(line), fate, now, effects);
        }
    }

    fn hand_back(&mut self, jobs: Vec<Job>, effects: &mut Vec<Effect>) {
        if !jobs.is_empty() {
            effects.push(Effect::HandBack(jobs.iter().map(Job::errand).collect()));
            self.handing_back
                .extend(jobs.into_iter().map(|job| (job.id(), job)));
        }
    }

    /// Whether so much of its lease is gone that it must not be sent without asking.
    pub(super) fn is_stale(&self, job: &Job, now: Moment) -> bool {
        now.at - job.leased_at >= self.rules.lease / 3
    }

    fn queued_jobs(&mut self) -> impl Iterator<Item = &mut Job> {
        let waiting = self.waiting.values_mut().flat_map(VecDeque::iter_mut);
        waiting.chain(self.paused.iter_mut().map(|(_, job)| job))
    }
}
