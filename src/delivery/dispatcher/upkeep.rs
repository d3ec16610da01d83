//! What the machine does beside sending: leases are kept, what nobody holds is taken over, and in the end all that is
//! unfinished is handed back.

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Call, Dispatcher, Kind, Settling};
use crate::delivery::{
    steps::{Effect, Moment},
    tracked::{AttemptOutcome, Disposition, LookupOutcome, Tracked},
};

/// Entries that one sweep takes over at most, and delivery whose leases one round renews, or which it acknowledges.
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
        for provider in 0..self.calls.len() {
            let lost = self.calls[provider].extract_if(|_, call| is_stuck(call.since));
            let lost: Vec<_> = lost.map(|(_, call)| call).collect();
            for Call { kind, tracked, .. } in lost {
                match kind {
                    Kind::Send { is_probe } => {
                        self.judge(provider, is_probe, tracked, AttemptOutcome::Lost, now, effects)
                    }
                    Kind::LookUp => self.looked_up(provider, tracked, LookupOutcome::Unknown, now, effects),
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
        let mut untold: Vec<_> = untold.map(|settling| settling.tracked.share()).collect();
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
        let paused = self.paused.iter().map(|(_, tracked)| tracked);
        let queued = self.waiting.values().flatten().chain(paused);
        let stale = queued.filter(|tracked| self.is_stale(tracked, now)).take(ROUND);
        let stale: Vec<_> = stale.map(Tracked::share).collect();
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

    /// Takes in a delivery of another instance, which may have sent it; or one of our own whose lease ran out, which is leased
    /// anew by that.
    pub(super) fn adopt(&mut self, mut tracked: Tracked, since: Instant, effects: &mut Vec<Effect>) {
        let id = tracked.id();
        let calling = self.calls.iter().any(|calls| calls.contains_key(&id));
        if let Some(known) = self.queued_deliveries().find(|known| known.id() == id) {
            known.leased_at = since;
        } else if !calling && !self.settling.contains_key(&id) {
            let entry = &tracked.delivery.entry;
            let providers = self.router.towards(entry.channel, entry.country);
            tracked.leased_at = since;
            tracked.doubts = providers.into();
            self.wait(tracked, effects);
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
            for tracked in self.waiting.values_mut() {
                tracked.retain(|tracked| !gone.contains(&tracked.id()));
            }
            self.waiting.retain(|_, tracked| !tracked.is_empty());
            self.paused.retain(|(_, tracked)| !gone.contains(&tracked.id()));
            effects.push(Effect::Superseded(before - self.queued()));
        }
        for tracked in self
            .queued_deliveries()
            .filter(|tracked| held.contains(&tracked.id()))
        {
            tracked.leased_at = since;
        }
    }

    /// Gets rid of everything, and says so when it is done.
    pub(super) fn wind_up(&mut self, effects: &mut Vec<Effect>) {
        // A renewal that is under way would lease again what is handed back now.
        if self.renewing.is_none() || self.abandoned {
            let waiting = std::mem::take(&mut self.waiting).into_values().flatten();
            let paused = self.paused.drain(..).map(|(_, tracked)| tracked);
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
        for (provider, calls) in self.calls.iter_mut().enumerate() {
            for (id, call) in calls.drain() {
                self.overdue.insert(id, (provider, call.tracked.share()));
                unfinished.push(call.tracked);
            }
        }
        self.hand_back(unfinished, effects);
    }

    /// Takes the answer for good to a call that was handed back already: if the outbox knows in time, nobody sends it again.
    pub(super) fn answered_late(
        &mut self,
        id: Uuid,
        disposition: Disposition,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        if let Some((provider, delivery)) = self.overdue.remove(&id) {
            self.settle(
                Tracked::new(delivery, None, now.at),
                Some(provider),
                disposition,
                now,
                effects,
            );
        }
    }

    fn hand_back(&mut self, tracked: Vec<Tracked>, effects: &mut Vec<Effect>) {
        if !tracked.is_empty() {
            effects.push(Effect::HandBack(tracked.iter().map(Tracked::share).collect()));
            self.handing_back
                .extend(tracked.into_iter().map(|tracked| (tracked.id(), tracked)));
        }
    }

    /// Whether so much of its lease is gone that it must not be sent without asking.
    pub(super) fn is_stale(&self, tracked: &Tracked, now: Moment) -> bool {
        now.at - tracked.leased_at >= self.rules.lease / 3
    }

    fn queued_deliveries(&mut self) -> impl Iterator<Item = &mut Tracked> {
        let waiting = self.waiting.values_mut().flat_map(VecDeque::iter_mut);
        waiting.chain(self.paused.iter_mut().map(|(_, tracked)| tracked))
    }
}
