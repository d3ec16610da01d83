//! The I/O that the dispatcher asks for. Each task is bounded in time, and answers in the machine's words.

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use futures_util::{StreamExt, stream};
use metrics::counter;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{
    DeliveryReport, DeliveryReports, Lease, Message, Messages, Outbox, OutboxEntry,
    call::{Called, Callee},
    router::ProviderId,
    tracked::{AttemptOutcome, Delivery, Disposition, LookupOutcome},
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    outage,
    provider::{FailureKind, LookupResult, StatusUpdate},
    unavailable::{Part, Unavailable},
};

/// How long the outbox, and whoever knows the recipient, may take for an answer.
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

/// A look-up is cut off after this, so that it holds no message up for long: it saves a duplicate, no more.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);

/// By how much the clock of this machine must run ahead to be told of; a moment of an entry's way is none.
const SKEW: TimeDelta = TimeDelta::seconds(1);
const SKEW_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Everything that a delivery needs.
pub(super) struct DeliveryIo {
    /// By the numbers of their providers.
    pub providers: Vec<Callee>,
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

/// What comes of looking whether a message is still to be sent.
enum Prepared {
    Ready(Message),
    Cancelled(Disposition),
    /// Our clock says that the code has expired, and the outbox that it hasn't.
    Disputed,
}

impl DeliveryIo {
    fn name(&self, provider: ProviderId) -> &'static str {
        self.providers[provider].provider.name()
    }

    /// Tries once to send: if the code is alive, still in force, and has somebody to go to.
    pub async fn attempt(&self, delivery: &Delivery, provider: ProviderId, renew: bool) -> AttemptOutcome {
        match self.prepare(delivery, renew).await {
            Ok(Prepared::Ready(message)) => self.call(&delivery.entry, provider, &message).await,
            Ok(Prepared::Cancelled(disposition)) => AttemptOutcome::Cancelled(disposition),
            Ok(Prepared::Disputed) => AttemptOutcome::Postponed,
            Err(error) => {
                outage::note(&error);
                tracing::debug!(error = %error, "a message is held back");
                AttemptOutcome::Postponed
            }
        }
    }

    /// Asks a provider whether it has a message already: if it would still be sent otherwise.
    pub async fn look_up(&self, delivery: &Delivery, provider: ProviderId, renew: bool) -> LookupOutcome {
        match self.prepare(delivery, renew).await {
            Ok(Prepared::Ready(message)) => self.search(&delivery.entry, provider, &message).await,
            Ok(Prepared::Cancelled(disposition)) => LookupOutcome::Cancelled(disposition),
            Ok(Prepared::Disputed) => LookupOutcome::Postponed,
            Err(error) => {
                outage::note(&error);
                tracing::debug!(error = %error, "a message is held back");
                LookupOutcome::Postponed
            }
        }
    }

    async fn prepare(&self, delivery: &Delivery, renew: bool) -> Result<Prepared, Unavailable> {
        let entry = &delivery.entry;
        if self.life(entry).is_none() {
            return self.expired(entry).await;
        }
        if renew && bounded(Part::Redis, self.outbox.renew(entry)).await? == Lease::Gone {
            return Ok(Prepared::Cancelled(Disposition::Superseded));
        }
        let looked_up = match &delivery.recipient {
            Some(_) => None,
            None => bounded(Part::Database, self.messages.recipient(entry)).await?,
        };
        let Some(recipient) = delivery.recipient.as_ref().or(looked_up.as_ref()) else {
            return Ok(Prepared::Cancelled(Disposition::Superseded));
        };
        // Asked again: the answers above may have taken a while.
        let Some(life) = self.life(entry) else {
            return self.expired(entry).await;
        };
        Ok(Prepared::Ready(self.messages.compose(entry, recipient, life)))
    }

    /// Asks the outbox about a code that has expired by our clock: what is dropped is dropped by the store's. Where the two
    /// disagree, the message is left for an instance whose clock is right.
    async fn expired(&self, entry: &OutboxEntry) -> Result<Prepared, Unavailable> {
        if bounded(Part::Redis, self.outbox.renew(entry)).await? == Lease::Gone {
            return Ok(Prepared::Cancelled(Disposition::Expired));
        }
        let ahead = TimeDelta::milliseconds(self.clock.now_ms() - entry.expires_at_ms);
        let now = Instant::now();
        let mut told = self.skew_told.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead >= SKEW && told.is_none_or(|told| now - told >= SKEW_TOLD_EVERY) {
            *told = Some(now);
            let at_least_s = ahead.num_seconds();
            tracing::error!(
                clock.ahead_s = at_least_s,
                "this machine's clock runs ahead, by so much or more: messages wait"
            );
        }
        Ok(Prepared::Disputed)
    }

    async fn call(&self, entry: &OutboxEntry, provider: ProviderId, message: &Message) -> AttemptOutcome {
        let callee = &self.providers[provider];
        match callee.send(message, self.call_limit, entry.user_id).await {
            Called::Accepted { provider_id } => {
                let user = entry.user_id.map(tracing::field::display);
                let name = self.name(provider);
                tracing::info!(delivery.provider = name, delivery.message_id = %provider_id, user.id = user, "a message was accepted");
                self.report(entry, provider, StatusUpdate::sent(provider_id));
                AttemptOutcome::Settled(Disposition::Accepted)
            }
            Called::Refused(reason) => {
                self.report(entry, provider, StatusUpdate::failed(reason.code));
                AttemptOutcome::Settled(Disposition::Failed)
            }
            Called::Unanswered(_) => AttemptOutcome::Unanswered,
            Called::NotTaken(after, reason) if reason.kind == FailureKind::ServerError => {
                AttemptOutcome::Unsure(after)
            }
            Called::NotTaken(after, _) => AttemptOutcome::Retry(after),
            Called::PutOff(after) => AttemptOutcome::PutOff(after),
            Called::CutOff(cut_off) => AttemptOutcome::CutOff(cut_off),
            Called::Misconfigured => AttemptOutcome::Misconfigured,
        }
    }

    async fn search(&self, entry: &OutboxEntry, provider: ProviderId, message: &Message) -> LookupOutcome {
        let callee = &self.providers[provider];
        // Since its code was issued: nobody can have sent it before.
        let ttl = TimeDelta::from_std(self.ttl).unwrap_or_default();
        let issued = DateTime::from_timestamp_millis(entry.expires_at_ms).unwrap_or_default() - ttl;
        let limit = self.call_limit.min(LOOK_UP_LIMIT);
        let found = timeout(limit, callee.provider.look_up(message, issued)).await;
        let (outcome, result) = match found.unwrap_or(LookupResult::Unknown) {
            LookupResult::Taken { provider_id } => {
                tracing::info!(
                    delivery.provider = self.name(provider), delivery.message_id = %provider_id, user.id = entry.user_id.map(tracing::field::display),
                    "a message had been accepted already"
                );
                self.report(entry, provider, StatusUpdate::sent(provider_id));
                (LookupOutcome::Taken, "taken")
            }
            LookupResult::NotTaken => (LookupOutcome::NotTaken, "not_taken"),
            LookupResult::Unknown => (LookupOutcome::Unknown, "unknown"),
        };
        let [provider, channel] = callee.labels();
        counter!(
            "ringback_delivery_lookups_total",
            &[provider, channel, ("result", result)]
        )
        .increment(1);
        outcome
    }

    /// Counts what messages ended as; of no provider and channel, where none was asked.
    pub fn count(&self, provider: Option<ProviderId>, disposition: Disposition, count: usize) {
        let nobody = [("provider", "none"), ("channel", "none")];
        let [provider, channel] = provider.map_or(nobody, |provider| self.providers[provider].labels());
        counter!(
            "ringback_deliveries_total",
            &[provider, channel, ("outcome", disposition.name())]
        )
        .increment(count as u64);
    }

    fn report(&self, entry: &OutboxEntry, provider: ProviderId, update: StatusUpdate) {
        self.reports.report(DeliveryReport {
            challenge_id: entry.challenge_id,
            user_id: entry.user_id,
            address: entry.address,
            country: entry.country,
            provider: self.name(provider),
            update,
        });
    }

    /// Tells the outbox that the entry is done with; answers whether it knows.
    pub async fn settle(
        &self,
        entry: &OutboxEntry,
        provider: Option<ProviderId>,
        disposition: Disposition,
    ) -> bool {
        self.count(provider, disposition, 1);
        let mut bound = ACKNOWLEDGE_PAUSE;
        for tries_left in (0..ACKNOWLEDGE_TRIES).rev() {
            match bounded(Part::Redis, self.outbox.acknowledge(entry)).await {
                Ok(()) => return true,
                Err(error) if tries_left == 0 => {
                    outage::note(&error);
                    tracing::error!(error = %error, "a message stays in the outbox for now, and may be sent twice");
                }
                Err(error) => {
                    outage::note(&error);
                    sleep(self.jitter(bound)).await;
                }
            }
            bound *= 2;
        }
        false
    }

    /// Tells the outbox once more of entries that are done with; answers of which it knows.
    pub async fn acknowledge(&self, deliveries: Vec<Arc<Delivery>>) -> Vec<Uuid> {
        let mut known = Vec::new();
        let all = stream::iter(deliveries)
            .map(async |delivery| {
                (
                    delivery.id(),
                    bounded(Part::Redis, self.outbox.acknowledge(&delivery.entry)).await,
                )
            })
            .buffer_unordered(ABREAST)
            .for_each(|(id, answer)| {
                known.extend(answer.inspect_err(outage::note).is_ok().then_some(id));
                ready(())
            });
        timeout(ROUND_LIMIT, all).await.unwrap_or_default();
        known
    }

    /// Renews leases: which are held, and which are gone. What could not be asked in time is in neither.
    pub async fn renew(&self, deliveries: Vec<Arc<Delivery>>) -> (Vec<Uuid>, Vec<Uuid>) {
        let (mut held, mut gone) = (Vec::new(), Vec::new());
        let all = stream::iter(deliveries)
            .map(async |delivery| {
                (
                    delivery.id(),
                    bounded(Part::Redis, self.outbox.renew(&delivery.entry)).await,
                )
            })
            .buffer_unordered(ABREAST)
            .for_each(|(id, answer)| {
                match answer {
                    Ok(Lease::Held) => held.push(id),
                    Ok(Lease::Gone) => gone.push(id),
                    Err(error) => outage::note(&error),
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
                    tracing::info!(delivery.entries = entries.len(), "messages are taken over");
                }
                entries
            }
            Err(error) => {
                outage::note(&error);
                tracing::debug!(error = %error, "the outbox can't be asked for what is pending");
                Vec::new()
            }
        }
    }

    /// Ends leases, and says how many. The rest run out by themselves.
    pub async fn hand_back(&self, deliveries: Vec<Arc<Delivery>>) -> usize {
        let mut done = 0;
        let all = stream::iter(deliveries)
            .map(async |delivery| bounded(Part::Redis, self.outbox.hand_back(&delivery.entry)).await)
            .buffer_unordered(ABREAST)
            .for_each(|answer| {
                done += usize::from(answer.inspect_err(outage::note).is_ok());
                ready(())
            });
        // Those that took too long are left to their leases, like those that failed.
        timeout(ROUND_LIMIT, all).await.unwrap_or_default();
        self.count(None, Disposition::HandedBack, done);
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

async fn bounded<T>(
    part: Part,
    asked: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    timeout(STORE_LIMIT, asked)
        .await
        .unwrap_or_else(|_| Err(Unavailable::timed_out(part)))
}
