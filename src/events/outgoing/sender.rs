//! Moves the positions of webhooks on, and sends what is due. Each webhook has a task of its own, so none holds another up.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    EventWebhook, LeasedEvent, OutgoingEvent, OutgoingStore,
    troubles::{Trouble, Troubles},
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    outage,
    provider::Outcome,
    unavailable::Unavailable,
    webhook::sign,
    wire::{self, Answer, Wire},
};

/// How often it looks for events.
const EVERY: Duration = Duration::from_secs(1);
/// Events that one statement makes due, and those that wait for a webhook at most: further ones stay in the table of events.
const STEP: u32 = 500;
const MOST_PENDING: u32 = 100_000;
/// Events that are sent at once, and for how long they are this instance's: longer than a call may take.
const BATCH: u32 = 16;
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// The pause after the first try that came to nothing, doubled each time up to the cap; half of it is left to chance.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
const PAUSE_CAP: TimeDelta = TimeDelta::minutes(15);
/// For how many looks a receiver is left alone that took nothing of what a look sent it, one more each time.
const MOST_SKIPPED: u32 = 30;

/// Whoever sends events.
pub struct EventSender {
    pub store: Arc<dyn OutgoingStore>,
    pub webhooks: Vec<EventWebhook>,
    pub wire: Wire,
    /// How long an event is tried.
    pub retry_for: TimeDelta,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What a task knows of its webhook between two looks.
#[derive(Default)]
struct Course {
    /// Where it stood last.
    position: Option<i64>,
    /// Looks since it was counted what waits; how much that was.
    looks: u32,
    pending: u32,
    /// Looks in a row in which the receiver took nothing; those that are left to skip.
    failed: u32,
    skip: u32,
    /// What the log has of it.
    troubles: Troubles,
}

impl EventSender {
    /// Sends events to each webhook, now and every second, for ever. Any number of instances may do so at once. A look that
    /// panics is told; what it had leased comes back.
    pub fn start(self) {
        let this = Arc::new(self);
        for at in 0..this.webhooks.len() {
            let this = Arc::clone(&this);
            tokio::spawn(async move {
                loop {
                    let this = Arc::clone(&this);
                    if let Err(panic) = tokio::spawn(async move { this.send_forever(at).await }).await {
                        tracing::error!(%panic, "a sender of events panicked");
                    }
                    tokio::time::sleep(EVERY).await;
                }
            });
        }
    }

    async fn send_forever(&self, at: usize) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut course = Course::default();
        loop {
            every.tick().await;
            let looked = self.look(&self.webhooks[at], &mut course).await;
            let _ = looked.inspect_err(outage::note);
            course.troubles.tell_over(&self.webhooks[at]);
        }
    }

    async fn look(&self, webhook: &EventWebhook, course: &mut Course) -> Result<(), Unavailable> {
        self.advance(webhook, course).await?;
        if course.skip > 0 {
            course.skip -= 1;
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            let due = self.store.lease(&webhook.name, now, now + LEASE, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            let taken = self.send_all(webhook, due, &mut course.troubles).await?;
            if taken == 0 {
                course.failed = (course.failed + 1).min(MOST_SKIPPED);
                course.skip = course.failed;
                return Ok(());
            }
            course.failed = 0;
        }
    }

    /// Makes new events due, unless too many wait.
    async fn advance(&self, webhook: &EventWebhook, course: &mut Course) -> Result<(), Unavailable> {
        if course.looks.is_multiple_of(10) {
            course.pending = self.store.pending(&webhook.name, MOST_PENDING).await?;
            gauge!("ringback_event_webhook_pending", "webhook" => webhook.name.clone()).set(course.pending);
        }
        course.looks = course.looks.wrapping_add(1);
        // Before it is known a webhook doesn't begin either: it would with all that ever happened.
        let Some(settled) = self.store.settled().await? else {
            return Ok(());
        };
        let mut position = match course.position {
            Some(position) => position,
            None => self.store.begin(&webhook.name, settled).await?,
        };
        while position < settled && course.pending < MOST_PENDING {
            let now = self.clock.now();
            position = self
                .store
                .advance(&webhook.name, &webhook.kinds, settled, now, STEP)
                .await?;
            course.pending = course.pending.saturating_add(STEP);
        }
        course.position = Some(position);
        Ok(())
    }

    /// Sends these, each by itself; answers how many were taken or are done otherwise.
    async fn send_all(
        &self,
        webhook: &EventWebhook,
        due: Vec<LeasedEvent>,
        troubles: &mut Troubles,
    ) -> Result<usize, Unavailable> {
        let outcomes = join_all(due.into_iter().map(|leased| async move {
            let (outcome, trouble) = self.send(webhook, &leased).await;
            let (name, outcome_name) = (webhook.name.clone(), outcome.name());
            counter!("ringback_event_webhooks_total", "webhook" => name, "outcome" => outcome_name)
                .increment(1);
            (leased.seq, outcome, trouble)
        }));
        let (mut done, mut later, mut taken) = (Vec::new(), Vec::new(), false);
        for (seq, outcome, trouble) in outcomes.await {
            if let Some(trouble) = trouble {
                troubles.failed(webhook, trouble);
            }
            match outcome {
                Sent::Later(at) => later.push((seq, at)),
                Sent::Taken => {
                    taken = true;
                    done.push(seq);
                }
                Sent::GivenUp | Sent::Gone => done.push(seq),
            }
        }
        if taken {
            troubles.taken();
        }
        self.store.done(&webhook.name, &done).await?;
        for (seq, at) in later {
            self.store.postpone(&webhook.name, seq, at).await?;
        }
        Ok(done.len())
    }

    /// What became of an event, and what went wrong.
    async fn send(&self, webhook: &EventWebhook, leased: &LeasedEvent) -> (Sent, Option<Trouble>) {
        let Some(event) = &leased.event else {
            return (Sent::Gone, None);
        };
        let answer = self.post(webhook, event).await;
        if answer.as_ref().is_ok_and(Answer::is_success) {
            return (Sent::Taken, None);
        }
        let reason = answer.as_ref().err().and_then(Outcome::reason);
        let answer = answer.ok();
        let trouble = Some(Trouble {
            status: answer.as_ref().map(|answer| answer.status),
            reason,
            attempts: leased.attempts,
        });
        let now = self.clock.now();
        if now - leased.created_at >= self.retry_for {
            tracing::error!(webhook.name = webhook.name, event.id = %event.id, "an event is given up: nobody took it for too long");
            return (Sent::GivenUp, trouble);
        }
        let asked = answer.and_then(|answer| answer.retry_after);
        let asked = asked
            .and_then(|asked| TimeDelta::from_std(asked).ok())
            .unwrap_or_default();
        (Sent::Later(now + self.pause(leased.attempts).max(asked)), trouble)
    }

    async fn post(&self, webhook: &EventWebhook, event: &OutgoingEvent) -> Result<Answer, Outcome> {
        let body = event.body();
        let id = event.id.to_string();
        let request = self.wire.post(webhook.url.clone());
        let request = sign(request, &webhook.keys, &id, self.clock.now(), body);
        wire::call(request).await
    }

    /// How long an event rests that was tried so often.
    fn pause(&self, attempts: u32) -> TimeDelta {
        let whole = longest_pause(attempts).num_milliseconds();
        let half = whole / 2;
        let chance = self.entropy.up_to(half.unsigned_abs());
        TimeDelta::milliseconds(half + i64::try_from(chance).unwrap_or_default())
    }
}

/// What became of an event.
enum Sent {
    Taken,
    Later(DateTime<Utc>),
    GivenUp,
    /// Retention has deleted it.
    Gone,
}

impl Sent {
    fn name(&self) -> &'static str {
        match self {
            Self::Taken => "sent",
            Self::Later(_) => "retried",
            Self::GivenUp => "expired",
            Self::Gone => "gone",
        }
    }
}

fn longest_pause(attempts: u32) -> TimeDelta {
    let doubled = PAUSE * 2_i32.pow(attempts.saturating_sub(1).min(10));
    doubled.min(PAUSE_CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_quarter_of_an_hour() {
        let seconds = [1, 2, 3, 8, 9, 100].map(|attempts| longest_pause(attempts).num_seconds());
        assert_eq!(seconds, [5, 10, 20, 640, 900, 900]);
    }
}
