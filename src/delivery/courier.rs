//! The I/O that the dispatcher asks for. Each errand is bounded in time, and reports in the machine's words.

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use futures_util::{StreamExt, stream};
use metrics::{counter, histogram};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{
    ChannelProvider, DeliveryReport, DeliveryReports, Lease, Message, Messages, Outbox, OutboxEntry,
    job::{Errand, Fate, Finding, Verdict},
    switchboard::LineId,
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    provider::{FailureKind, FailureReason, LookupResult, Outcome, StatusUpdate},
    unavailable::{Part, Unavailable},
};

/// How long the outbox and the code book may take for an answer.
const STORE_LIMIT: Duration = Duration::from_secs(2);
/// How often an acknowledgement is tried in a row, and the bound of the pause after the first failure, doubled each time.
const ACKNOWLEDGE_TRIES: u32 = 4;
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(250);
/// How long a round of renewals, acknowledgements or hand-backs may take: an instance that ends has no more.
pub(super) const ROUND_LIMIT: Duration = Duration::from_secs(5);
/// Requests to the outbox at a time, in a round of renewals, acknowledgements or hand-backs.
const ABREAST: usize = 16;
/// What is left of an attempt, or an acknowledgement, beside the provider's call, rounded up.
pub(super) const OTHER_LIMIT: Duration = Duration::from_secs(12);

/// A look-up is cut off after this, so that it holds no SMS up for long: it saves a duplicate, no more.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);

/// By how much the clock of this machine must run ahead to be told of; a moment of an entry's way is none.
const SKEW: TimeDelta = TimeDelta::seconds(1);
const SKEW_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Everything that an errand needs.
pub(super) struct Courier {
    /// By the numbers of their lines.
    pub providers: Vec<ChannelProvider>,
    pub outbox: Arc<dyn Outbox>,
    pub messages: Arc<dyn Messages>,
    pub reports: Arc<dyn DeliveryReports>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// How long a code lives; an entry that claims more is not believed.
    pub ttl: Duration,
    /// How long a provider may take, whatever its own bound is.
    pub call_limit: Duration,
    /// When it was last said that this machine's clock runs ahead.
    pub skew_told: Mutex<Option<Instant>>,
}

/// What comes of looking whether an SMS is still to be sent.
enum Prepared {
    Ready(Message),
    Moot(Fate),
    /// Our clock says that the code has expired, and the outbox that it hasn't.
    Disputed,
}

impl Courier {
    /// What metrics call the provider of a line, or that none was asked.
    pub fn name(&self, line: Option<LineId>) -> &'static str {
        line.map_or("none", |line| self.providers[line].name())
    }

    /// Tries once to send: if the code is alive, still in force, and has somebody to go to.
    pub async fn attempt(&self, errand: &Errand, line: LineId, renew: bool) -> Verdict {
        match self.prepare(errand, renew).await {
            Ok(Prepared::Ready(message)) => self.call(&errand.entry, line, &message).await,
            Ok(Prepared::Moot(fate)) => Verdict::Moot(fate),
            Ok(Prepared::Disputed) => Verdict::Postponed,
            Err(error) => {
                tracing::warn!(error = %error, "an SMS is held back");
                Verdict::Postponed
            }
        }
    }

    /// Asks a provider whether it has an SMS already: if it would still be sent otherwise.
    pub async fn look_up(&self, errand: &Errand, line: LineId, renew: bool) -> Finding {
        match self.prepare(errand, renew).await {
            Ok(Prepared::Ready(message)) => self.search(&errand.entry, line, &message).await,
            Ok(Prepared::Moot(fate)) => Finding::Moot(fate),
            Ok(Prepared::Disputed) => Finding::Postponed,
            Err(error) => {
                tracing::warn!(error = %error, "an SMS is held back");
                Finding::Postponed
            }
        }
    }

    async fn prepare(&self, errand: &Errand, renew: bool) -> Result<Prepared, Unavailable> {
        let entry = &errand.entry;
        if self.life(entry).is_none() {
            return self.expired(entry).await;
        }
        if renew && bounded(Part::Redis, self.outbox.renew(entry)).await? == Lease::Gone {
            return Ok(Prepared::Moot(Fate::Superseded));
        }
        let looked_up = match &errand.recipient {
            Some(_) => None,
            None => bounded(Part::Database, self.messages.recipient(entry)).await?,
        };
        let Some(recipient) = errand.recipient.as_ref().or(looked_up.as_ref()) else {
            return Ok(Prepared::Moot(Fate::Superseded));
        };
        // Asked again: the answers above may have taken a while.
        let Some(life) = self.life(entry) else {
            return self.expired(entry).await;
        };
        Ok(Prepared::Ready(self.messages.compose(entry, recipient, life)))
    }

    /// Asks the outbox about a code that has expired by our clock: what is dropped is dropped by the store's. Where the two
    /// disagree, the SMS is left for an instance whose clock is right.
    async fn expired(&self, entry: &OutboxEntry) -> Result<Prepared, Unavailable> {
        if bounded(Part::Redis, self.outbox.renew(entry)).await? == Lease::Gone {
            return Ok(Prepared::Moot(Fate::Expired));
        }
        let ahead = TimeDelta::milliseconds(self.clock.now_ms() - entry.expires_at_ms);
        let now = Instant::now();
        let mut told = self.skew_told.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead >= SKEW && told.is_none_or(|told| now - told >= SKEW_TOLD_EVERY) {
            *told = Some(now);
            let at_least_s = ahead.num_seconds();
            tracing::error!(
                clock.ahead_s = at_least_s,
                "this machine's clock runs ahead, by so much or more: SMS wait"
            );
        }
        Ok(Prepared::Disputed)
    }

    async fn call(&self, entry: &OutboxEntry, line: LineId, message: &Message) -> Verdict {
        let (provider, name) = (&self.providers[line], self.name(Some(line)));
        let began = Instant::now();
        let outcome = timeout(self.call_limit, provider.send(message)).await;
        histogram!("ringback_sms_provider_seconds", "provider" => name).record(began.elapsed().as_secs_f64());
        let user = entry.user_id;
        let (verdict, result) = match outcome {
            Ok(Outcome::Accepted { provider_id }) => {
                tracing::info!(sms.provider = name, sms.id = %provider_id, user.id = %user, "an SMS was accepted");
                self.report(entry, line, StatusUpdate::sent(provider_id));
                (Verdict::Answered(Fate::Accepted), "accepted")
            }
            Ok(Outcome::Retryable { reason, .. }) if may_be_taken(reason) => {
                tracing::warn!(sms.provider = name, user.id = %user, %reason, "an SMS may have been taken, or not");
                (Verdict::Unanswered, "unanswered")
            }
            Ok(Outcome::Retryable { after, reason }) => {
                tracing::warn!(sms.provider = name, user.id = %user, %reason, "an SMS was not taken, may be later");
                match reason.kind {
                    FailureKind::ServerError => (Verdict::Unsure(after), "failed"),
                    _ => (Verdict::Retry(after), "failed"),
                }
            }
            Ok(Outcome::Permanent { reason }) => {
                tracing::warn!(sms.provider = name, user.id = %user, %reason, "an SMS was refused for good");
                self.report(entry, line, StatusUpdate::failed(reason.code));
                (Verdict::Answered(Fate::Failed), "refused")
            }
            Ok(Outcome::Misconfigured { reason }) => {
                tracing::error!(
                    sms.provider = name, user.id = %user, %reason,
                    "NO SMS GOES OUT by this provider: it refuses this account, its sender or its credentials"
                );
                (Verdict::Misconfigured, "misconfigured")
            }
            Err(_) => {
                tracing::warn!(sms.provider = name, user.id = %user, "the provider gave no answer in time");
                (Verdict::Unanswered, "unanswered")
            }
        };
        counter!("ringback_sms_calls_total", "provider" => name, "result" => result).increment(1);
        verdict
    }

    async fn search(&self, entry: &OutboxEntry, line: LineId, message: &Message) -> Finding {
        let (provider, name) = (&self.providers[line], self.name(Some(line)));
        // Since its code was issued: nobody can have sent it before.
        let ttl = TimeDelta::from_std(self.ttl).unwrap_or_default();
        let issued = DateTime::from_timestamp_millis(entry.expires_at_ms).unwrap_or_default() - ttl;
        let limit = self.call_limit.min(LOOK_UP_LIMIT);
        let sighting = timeout(limit, provider.look_up(message, issued)).await;
        let (finding, result) = match sighting.unwrap_or(LookupResult::Unknown) {
            LookupResult::Taken { provider_id } => {
                tracing::info!(
                    sms.provider = name, sms.id = %provider_id, user.id = %entry.user_id,
                    "an SMS had been accepted already"
                );
                self.report(entry, line, StatusUpdate::sent(provider_id));
                (Finding::Taken, "taken")
            }
            LookupResult::NotTaken => (Finding::NotTaken, "not_taken"),
            LookupResult::Unknown => (Finding::Unknown, "unknown"),
        };
        counter!("ringback_sms_lookups_total", "provider" => name, "finding" => result).increment(1);
        finding
    }

    /// Counts what SMS ended as.
    pub fn count(&self, line: Option<LineId>, fate: Fate, count: usize) {
        counter!("ringback_sms_total", "provider" => self.name(line), "outcome" => fate.name())
            .increment(count as u64);
    }

    fn report(&self, entry: &OutboxEntry, line: LineId, update: StatusUpdate) {
        self.reports.report(DeliveryReport {
            challenge_id: entry.challenge_id,
            user_id: entry.user_id,
            address: entry.address,
            country: entry.country,
            provider: self.name(Some(line)),
            update,
        });
    }

    /// Tells the outbox that the entry is done with; answers whether it knows.
    pub async fn settle(&self, entry: &OutboxEntry, line: Option<LineId>, fate: Fate) -> bool {
        self.count(line, fate, 1);
        let mut bound = ACKNOWLEDGE_PAUSE;
        for tries_left in (0..ACKNOWLEDGE_TRIES).rev() {
            match bounded(Part::Redis, self.outbox.acknowledge(entry)).await {
                Ok(()) => return true,
                Err(error) if tries_left == 0 => {
                    tracing::error!(error = %error, "an SMS stays in the outbox for now, and may be sent twice");
                }
                Err(_) => sleep(self.jitter(bound)).await,
            }
            bound *= 2;
        }
        false
    }

    /// Tells the outbox once more of entries that are done with; answers of which it knows.
    pub async fn acknowledge(&self, errands: Vec<Arc<Errand>>) -> Vec<Uuid> {
        let mut known = Vec::new();
        let all = stream::iter(errands)
            .map(async |errand| {
                (
                    errand.id(),
                    bounded(Part::Redis, self.outbox.acknowledge(&errand.entry)).await,
                )
            })
            .buffer_unordered(ABREAST)
            .for_each(|(id, answer)| {
                known.extend(answer.is_ok().then_some(id));
                ready(())
            });
        timeout(ROUND_LIMIT, all).await.unwrap_or_default();
        known
    }

    /// Renews leases: which are held, and which are gone. What could not be asked in time is in neither.
    pub async fn renew(&self, errands: Vec<Arc<Errand>>) -> (Vec<Uuid>, Vec<Uuid>) {
        let (mut held, mut gone) = (Vec::new(), Vec::new());
        let all = stream::iter(errands)
            .map(async |errand| {
                (
                    errand.id(),
                    bounded(Part::Redis, self.outbox.renew(&errand.entry)).await,
                )
            })
            .buffer_unordered(ABREAST)
            .for_each(|(id, answer)| {
                match answer {
                    Ok(Lease::Held) => held.push(id),
                    Ok(Lease::Gone) => gone.push(id),
                    Err(_) => {}
                }
                ready(())
            });
        timeout(ROUND_LIMIT, all).await.unwrap_or_default();
        (held, gone)
    }

    /// Leases what nobody holds any more.
    pub async fn take_over(&self, limit: usize) -> Vec<OutboxEntry> {
        if limit == 0 {
            return Vec::new();
        }
        match bounded(Part::Redis, self.outbox.take_over(limit)).await {
            Ok(mut entries) => {
                // One too many would have no place; its lease runs out again.
                entries.truncate(limit);
                if !entries.is_empty() {
                    tracing::info!(sms.entries = entries.len(), "SMS are taken over");
                }
                entries
            }
            Err(error) => {
                tracing::warn!(error = %error, "the outbox cannot be asked for what is owed");
                Vec::new()
            }
        }
    }

    /// Ends leases, and says how many. The rest run out by themselves.
    pub async fn hand_back(&self, errands: Vec<Arc<Errand>>) -> usize {
        let mut done = 0;
        let all = stream::iter(errands)
            .map(async |errand| bounded(Part::Redis, self.outbox.hand_back(&errand.entry)).await)
            .buffer_unordered(ABREAST)
            .for_each(|answer| {
                done += usize::from(answer.is_ok());
                ready(())
            });
        // Those that took too long are left to their leases, like those that failed.
        timeout(ROUND_LIMIT, all).await.unwrap_or_default();
        self.count(None, Fate::HandedBack, done);
        done
    }

    /// How long the code is still good; `None` when it isn't.
    fn life(&self, entry: &OutboxEntry) -> Option<Duration> {
        let left = u64::try_from(entry.expires_at_ms.saturating_sub(self.clock.now_ms())).ok()?;
        (left > 0).then(|| Duration::from_millis(left).min(self.ttl))
    }

    fn jitter(&self, bound: Duration) -> Duration {
        let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.entropy.up_to(bound))
    }
}

/// Whether the answer was lost rather than given, all of it or the part that matters: the provider, or what stands before
/// it, may have gone on without us.
fn may_be_taken(reason: FailureReason) -> bool {
    use FailureKind::{Connection, Timeout, Unreadable};
    matches!(reason.kind, Timeout | Connection | Unreadable) || reason.status == Some(504)
}

async fn bounded<T>(
    part: Part,
    asked: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    timeout(STORE_LIMIT, asked)
        .await
        .unwrap_or_else(|_| Err(Unavailable::timed_out(part)))
}
