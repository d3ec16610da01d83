//! What follows an answer: the delivery is done with, goes on to another provider, or rests before its next call.

use std::{collections::BTreeSet, time::Duration};

use super::{Dispatcher, Settling};
use crate::delivery::{
    Health,
    breaker::Observation,
    router::ProviderId,
    steps::{Effect, Moment},
    tracked::{AttemptOutcome, Disposition, LookupOutcome, Tracked},
};

/// The first retry waits up to this long, each later one up to twice as long as the one before.
const RETRY_BASE: Duration = Duration::from_millis(500);
/// No retry waits longer, unless the provider asks for it.
const RETRY_CAP: Duration = Duration::from_secs(15);
/// A provider needs a moment until it can tell what it took.
const LOOK_UP_AFTER: Duration = Duration::from_secs(1);
/// Calls whose answer was lost for good, after which a delivery rests for a lease: each may have been a message.
const MAX_UNANSWERED: u32 = 2;

impl Dispatcher {
    /// Decides what follows an attempt to send.
    pub(super) fn judge(
        &mut self,
        provider: ProviderId,
        is_probe: bool,
        mut tracked: Tracked,
        outcome: AttemptOutcome,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let observation = match outcome {
            AttemptOutcome::Misconfigured if tracked.refused_by.contains(&provider) => {
                Observation::OfOneAlone
            }
            AttemptOutcome::CutOff(_) if tracked.cut_off_by.contains(&provider) => Observation::OfOneAlone,
            _ => outcome.observation(),
        };
        self.router.observe(provider, is_probe, observation, now.at);
        if is_probe && observation == Observation::Failed {
            tracked.failed_probes.insert(provider);
        }
        match outcome {
            AttemptOutcome::Settled(disposition) => {
                self.settle(tracked, Some(provider), disposition, now, effects)
            }
            AttemptOutcome::Cancelled(disposition) => self.settle(tracked, None, disposition, now, effects),
            AttemptOutcome::Misconfigured => {
                tracked.refused_by.insert(provider);
                self.refused(provider, tracked, now, effects);
            }
            AttemptOutcome::Postponed => self.set_back(tracked, now, effects),
            AttemptOutcome::Retry(asked) | AttemptOutcome::PutOff(asked) => {
                self.failed(provider, asked, tracked, now, effects);
            }
            AttemptOutcome::CutOff(cut_off) => {
                tracked.cut_off_by.insert(provider);
                if cut_off.may_be_taken {
                    tracked.unanswered += 1;
                    tracked.doubts.push_back(provider);
                }
                self.failed(provider, None, tracked, now, effects);
            }
            AttemptOutcome::Unsure(_) | AttemptOutcome::Unanswered | AttemptOutcome::Lost => {
                tracked.unanswered += u32::from(outcome == AttemptOutcome::Unanswered);
                tracked.doubts.push_back(provider);
                let asked = match outcome {
                    AttemptOutcome::Unsure(asked) => asked,
                    _ => None,
                };
                self.failed(provider, asked, tracked, now, effects);
            }
        }
    }

    /// Decides what follows the refusal of an account. The provider is shut now, and another has the delivery, or the first that
    /// opens; or it takes others, and so refuses this message alone.
    fn refused(&mut self, provider: ProviderId, tracked: Tracked, now: Moment, effects: &mut Vec<Effect>) {
        let (entry, deprioritized) = (&tracked.delivery.entry, tracked.deprioritized());
        let is_alone = !self.router.is_open_but_for(&deprioritized, entry, now.at);
        if is_alone && self.router.health(provider) == Health::Working {
            // Unless its code expires before; then the outbox is asked, and drops it.
            let mut rest = self.router.rest().min(life(&tracked, now));
            if self.router.has_others(&deprioritized, entry) {
                rest = rest.min(self.rules.lease); // they may open by then
            }
            self.rest(rest, tracked, now, effects);
        } else {
            self.wait(tracked, effects);
        }
    }

    /// Decides what follows a look-up.
    pub(super) fn looked_up(
        &mut self,
        provider: ProviderId,
        mut tracked: Tracked,
        outcome: LookupOutcome,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            LookupOutcome::Taken => {
                return self.settle(tracked, Some(provider), Disposition::Accepted, now, effects);
            }
            LookupOutcome::Cancelled(disposition) => {
                return self.settle(tracked, None, disposition, now, effects);
            }
            LookupOutcome::Postponed => {
                return self.set_back(tracked, now, effects);
            }
            LookupOutcome::NotTaken => tracked.unanswered = tracked.unanswered.saturating_sub(1),
            LookupOutcome::Unknown if tracked.unanswered >= MAX_UNANSWERED => {
                let provider = Some(provider);
                return effects.push(Effect::LeftToLease { provider });
            }
            LookupOutcome::Unknown => {}
        }
        tracked.doubts.pop_front();
        self.wait(tracked, effects);
    }

    /// Decides what follows a call that came to nothing. A provider that asks for a longer pause than a delivery has by its lease gets
    /// it: another has the delivery, or may have it in a lease; with no other it rests for so long, though its code may expire.
    fn failed(
        &mut self,
        provider: ProviderId,
        asked: Option<Duration>,
        mut tracked: Tracked,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        tracked.tries += 1;
        let look_up = (!tracked.doubts.is_empty()).then_some(LOOK_UP_AFTER);
        let pause = asked.max(look_up).unwrap_or_default() + self.pause(tracked.tries);
        let leased = (tracked.leased_at + self.rules.lease).saturating_duration_since(now.at);
        if self.has_time(tracked.tries, pause, &tracked, now) {
            self.rest(pause, tracked, now, effects);
        } else if asked.is_none_or(|asked| asked.min(life(&tracked, now)) <= leased) {
            // Not acknowledged: nobody took it, so it stays pending, and comes back for as long as its code lives.
            let provider = Some(provider);
            effects.push(Effect::LeftToLease { provider });
        } else {
            let entry = &tracked.delivery.entry;
            let deprioritized = &tracked.deprioritized() | &BTreeSet::from([provider]);
            let rest = if !self.router.has_others(&deprioritized, entry) {
                pause.max(self.rules.lease)
            } else if self.router.is_open_but_for(&deprioritized, entry, now.at) {
                tracked.paused_by.insert(provider);
                look_up.unwrap_or_default()
            } else {
                tracked.paused_by.insert(provider);
                self.rules.lease // another may open by then
            };
            self.rest(rest.min(life(&tracked, now)), tracked, now, effects);
        }
    }

    /// Decides what follows a call that could not begin.
    fn set_back(&mut self, mut tracked: Tracked, now: Moment, effects: &mut Vec<Effect>) {
        tracked.setbacks += 1;
        let pause = self.pause(tracked.setbacks);
        if self.has_time(tracked.setbacks, pause, &tracked, now) {
            self.rest(pause, tracked, now, effects);
        } else {
            effects.push(Effect::LeftToLease { provider: None });
        }
    }

    /// Whether there is still sense in a call after this pause.
    fn has_time(&self, strikes: u32, pause: Duration, tracked: &Tracked, now: Moment) -> bool {
        let spent = tracked.began.map_or(Duration::ZERO, |began| now.at - began);
        strikes < self.rules.max_tries && spent + pause < self.rules.retry_for && pause < life(tracked, now)
    }

    fn rest(&mut self, pause: Duration, tracked: Tracked, now: Moment, effects: &mut Vec<Effect>) {
        let until = now.at + pause;
        effects.push(Effect::WakeAt(until));
        self.paused.push((until, tracked));
    }

    /// Full jitter over a doubling bound, so that deliveries that failed together don't come back together.
    pub(super) fn pause(&self, strikes: u32) -> Duration {
        let doubled = RETRY_BASE.saturating_mul(1 << (strikes - 1).min(16));
        let bound = u64::try_from(doubled.min(RETRY_CAP).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.entropy.up_to(bound))
    }

    pub(super) fn settle(
        &mut self,
        tracked: Tracked,
        provider: Option<ProviderId>,
        disposition: Disposition,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let delivery = tracked.share();
        effects.push(Effect::Settle {
            delivery,
            provider,
            disposition,
        });
        let settling = Settling {
            since: now.at,
            tracked,
            untold: false,
            late: self.abandoned,
        };
        self.settling.insert(settling.tracked.id(), settling);
    }
}

/// How long the code of a delivery is still good, by the clock of this machine.
fn life(tracked: &Tracked, now: Moment) -> Duration {
    let left = tracked.delivery.entry.expires_at_ms.saturating_sub(now.wall_ms);
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
