//! Moves the positions of webhooks on, and sends what is due. Each webhook has a task of its own, so none holds another up.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
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
/// Events that are under way at once, and for how long they are this instance's: longer than a call may take.
const AT_ONCE: usize = 16;
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
    /// How often in a row all that was under way came to nothing; looks that are left to skip.
    failed: u32,
    skip: u32,
    /// Events in a row that came to nothing: after many, what is under way ends first.
    doubts: usize,
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
        let webhook = &self.webhooks[at];
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut course, mut under_way) = (Course::default(), FuturesUnordered::new());
        loop {
            let ended = tokio::select! {
                _ = every.tick() => None,
                Some(ended) = under_way.next() => Some(ended),
            };
            let done = match ended {
                Some(first) => {
                    // With it what has ended by now.
                    let mut ended = vec![first];
                    while let Some(Some(next)) = under_way.next().now_or_never() {
                        ended.push(next);
                    }
                    self.note(webhook, &mut course, ended, under_way.is_empty()).await
                }
                None => self.look(webhook, &mut course).await,
            };
            let may_send = done.inspect_err(outage::note).unwrap_or(false);
            if may_send {
                let room = AT_ONCE - under_way.len();
                let leased = self.lease(webhook, room).await.inspect_err(outage::note);
                let leased = leased.unwrap_or_default().into_iter();
                under_way.extend(leased.map(|leased| self.send(webhook, leased)));
            }
            course.troubles.tell_over(webhook);
        }
    }

    /// Makes new events due; answers whether some may be sent.
    async fn look(&self, webhook: &EventWebhook, course: &mut Course) -> Result<bool, Unavailable> {
        self.advance(webhook, course).await?;
        if course.skip > 0 {
            course.skip -= 1;
            return Ok(false);
        }
        Ok(course.doubts < AT_ONCE)
    }

    async fn lease(&self, webhook: &EventWebhook, room: usize) -> Result<Vec<LeasedEvent>, Unavailable> {
        let limit = u32::try_from(room).unwrap_or_default();
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        self.store.lease(&webhook.name, now, now + LEASE, limit).await
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

    /// Notes what became of these; answers whether more may be sent.
    async fn note(
        &self,
        webhook: &EventWebhook,
        course: &mut Course,
        ended: Vec<Ended>,
        is_all: bool,
    ) -> Result<bool, Unavailable> {
        let (mut done, mut later, mut taken) = (Vec::new(), Vec::new(), false);
        for Ended { seq, sent, trouble } in ended {
            if let Some(trouble) = trouble {
                course.troubles.failed(webhook, trouble);
            }
            match sent {
                Sent::Later(at) => later.push((seq, at)),
                Sent::Taken => {
                    taken = true;
                    done.push(seq);
                }
                Sent::GivenUp | Sent::Gone => done.push(seq),
            }
        }
        if taken {
            course.troubles.taken();
        }
        if !done.is_empty() {
            (course.failed, course.doubts) = (0, 0);
        } else if is_all {
            course.failed = (course.failed + 1).min(MOST_SKIPPED);
            (course.skip, course.doubts) = (course.failed, 0);
        } else {
            course.doubts += later.len();
        }
        self.store.done(&webhook.name, &done).await?;
        for (seq, at) in later {
            self.store.postpone(&webhook.name, seq, at).await?;
        }
        Ok(!done.is_empty())
    }

    /// Sends one.
    async fn send(&self, webhook: &EventWebhook, leased: LeasedEvent) -> Ended {
        let (sent, trouble) = self.try_once(webhook, &leased).await;
        let (name, outcome) = (webhook.name.clone(), sent.name());
        counter!("ringback_event_webhooks_total", "webhook" => name, "outcome" => outcome).increment(1);
        let seq = leased.seq;
        Ended { seq, sent, trouble }
    }

    /// What became of an event, and what went wrong.
    async fn try_once(&self, webhook: &EventWebhook, leased: &LeasedEvent) -> (Sent, Option<Trouble>) {
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

/// The end of a try.
struct Ended {
    seq: i64,
    sent: Sent,
    trouble: Option<Trouble>,
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
#[path = "sender_tests.rs"]
mod tests;
