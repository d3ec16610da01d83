//! What follows an answer: the job is done with, goes on to another line, or rests before its next call.

use std::{collections::BTreeSet, time::Duration};

use super::{Dispatcher, Settling};
use crate::delivery::{
    Health,
    breaker::Report,
    job::{Fate, Finding, Job, Verdict},
    steps::{Effect, Moment},
    switchboard::LineId,
};

/// The first retry waits up to this long, each later one up to twice as long as the one before.
const RETRY_BASE: Duration = Duration::from_millis(500);
/// No retry waits longer, unless the provider asks for it.
const RETRY_CAP: Duration = Duration::from_secs(15);
/// A provider needs a moment until it can tell what it took.
const LOOK_UP_AFTER: Duration = Duration::from_secs(1);
/// Calls whose answer was lost for good, after which a job rests for a lease: each may have been an SMS.
const MAX_UNANSWERED: u32 = 2;

impl Dispatcher {
    /// Decides what follows an attempt to send.
    pub(super) fn judge(
        &mut self,
        line: LineId,
        is_probe: bool,
        mut job: Job,
        verdict: Verdict,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let report = match verdict {
            Verdict::Misconfigured if job.refused_by.contains(&line) => Report::RefusedAgain,
            _ => verdict.report(),
        };
        self.switchboard.report(line, is_probe, report, now.at);
        match verdict {
            Verdict::Answered(fate) => self.settle(job, Some(line), fate, now, effects),
            Verdict::Moot(fate) => self.settle(job, None, fate, now, effects),
            Verdict::Misconfigured => {
                job.refused_by.insert(line);
                self.refused(line, job, now, effects);
            }
            Verdict::Postponed => self.set_back(job, now, effects),
            Verdict::Retry(asked) => self.failed(line, asked, job, now, effects),
            Verdict::Unsure(_) | Verdict::Unanswered | Verdict::Lost => {
                job.unanswered += u32::from(verdict == Verdict::Unanswered);
                job.doubts.push_back(line);
                let asked = match verdict {
                    Verdict::Unsure(asked) => asked,
                    _ => None,
                };
                self.failed(line, asked, job, now, effects);
            }
        }
    }

    /// Decides what follows the refusal of an account. The line is shut now, and another has the job, or the first that
    /// opens; or it takes others, and so refuses this SMS alone.
    fn refused(&mut self, line: LineId, job: Job, now: Moment, effects: &mut Vec<Effect>) {
        let (entry, shunned_by) = (&job.ticket.errand.entry, job.shunned_by());
        let is_alone = !self.switchboard.is_open_but_for(&shunned_by, entry, now.at);
        if is_alone && self.switchboard.health(line) == Health::Working {
            // Unless its code expires before; then the outbox is asked, and drops it.
            let mut rest = self.switchboard.rest().min(life(&job, now));
            if self.switchboard.has_others(&shunned_by, entry) {
                rest = rest.min(self.rules.lease); // they may open by then
            }
            self.rest(rest, job, now, effects);
        } else {
            self.wait(job, effects);
        }
    }

    /// Decides what follows a look-up.
    pub(super) fn looked_up(
        &mut self,
        line: LineId,
        mut job: Job,
        finding: Finding,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        match finding {
            Finding::Taken => return self.settle(job, Some(line), Fate::Accepted, now, effects),
            Finding::Moot(fate) => return self.settle(job, None, fate, now, effects),
            Finding::Postponed => {
                return self.set_back(job, now, effects);
            }
            Finding::NotTaken => job.unanswered = job.unanswered.saturating_sub(1),
            Finding::Unknown if job.unanswered >= MAX_UNANSWERED => return effects.push(Effect::LeftToLease),
            Finding::Unknown => {}
        }
        job.doubts.pop_front();
        self.wait(job, effects);
    }

    /// Decides what follows a call that came to nothing. A line that asks for a longer pause than a job has by its lease gets
    /// it: another has the job, or may have it in a lease; with no other it rests for so long, though its code may expire.
    fn failed(
        &mut self,
        line: LineId,
        asked: Option<Duration>,
        mut job: Job,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        job.tries += 1;
        let look_up = (!job.doubts.is_empty()).then_some(LOOK_UP_AFTER);
        let pause = asked.max(look_up).unwrap_or_default() + self.pause(job.tries);
        let leased = (job.leased_at + self.rules.lease).saturating_duration_since(now.at);
        if self.has_time(job.tries, pause, &job, now) {
            self.rest(pause, job, now, effects);
        } else if asked.is_none_or(|asked| asked.min(life(&job, now)) <= leased) {
            // Not acknowledged: nobody took it, so it stays owed, and comes back for as long as its code lives.
            effects.push(Effect::LeftToLease);
        } else {
            let entry = &job.ticket.errand.entry;
            let shunned_by = &job.shunned_by() | &BTreeSet::from([line]);
            let rest = if !self.switchboard.has_others(&shunned_by, entry) {
                pause.max(self.rules.lease)
            } else if self.switchboard.is_open_but_for(&shunned_by, entry, now.at) {
                job.paused_by.insert(line);
                look_up.unwrap_or_default()
            } else {
                job.paused_by.insert(line);
                self.rules.lease // another may open by then
            };
            self.rest(rest.min(life(&job, now)), job, now, effects);
        }
    }

    /// Decides what follows a call that could not begin.
    fn set_back(&mut self, mut job: Job, now: Moment, effects: &mut Vec<Effect>) {
        job.setbacks += 1;
        let pause = self.pause(job.setbacks);
        if self.has_time(job.setbacks, pause, &job, now) {
            self.rest(pause, job, now, effects);
        } else {
            effects.push(Effect::LeftToLease);
        }
    }

    /// Whether there is still sense in a call after this pause.
    fn has_time(&self, strikes: u32, pause: Duration, job: &Job, now: Moment) -> bool {
        let spent = job.began.map_or(Duration::ZERO, |began| now.at - began);
        strikes < self.rules.max_tries && spent + pause < self.rules.retry_for && pause < life(job, now)
    }

    fn rest(&mut self, pause: Duration, job: Job, now: Moment, effects: &mut Vec<Effect>) {
        let until = now.at + pause;
        effects.push(Effect::WakeAt(until));
        self.paused.push((until, job));
    }

    /// Full jitter over a doubling bound, so that jobs that failed together don't come back together.
    pub(super) fn pause(&self, strikes: u32) -> Duration {
        let doubled = RETRY_BASE.saturating_mul(1 << (strikes - 1).min(16));
        let bound = u64::try_from(doubled.min(RETRY_CAP).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.entropy.up_to(bound))
    }

    pub(super) fn settle(
        &mut self,
        job: Job,
        line: Option<LineId>,
        fate: Fate,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let errand = job.errand();
        effects.push(Effect::Settle { errand, line, fate });
        let settling = Settling {
            since: now.at,
            job,
            untold: false,
            late: self.abandoned,
        };
        self.settling.insert(settling.job.id(), settling);
    }
}

/// How long the code of a job is still good, by the clock of this machine.
fn life(job: &Job, now: Moment) -> Duration {
    let left = job.ticket.errand.entry.expires_at_ms.saturating_sub(now.wall_ms);
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
