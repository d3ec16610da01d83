//! The I/O that the dispatcher asks for. Each errand is bounded in time, and reports in the machine's words.

use std::{
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use metrics::{counter, histogram};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{
    Brand, CodeBook, FailureKind, Lease, Outbox, OutboxEntry, Outcome, Recipient, Route, SmsMessage,
    SmsProvider, SmsReport, SmsReports, SmsState,
    job::{Errand, Fate, Verdict},
    text,
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    unavailable::{Part, Unavailable},
};

/// How long the outbox and the code book may take for an answer.
const STORE_LIMIT: Duration = Duration::from_secs(2);
/// How often an acknowledgement is tried, and the bound of the pause after the first failure, doubled each time.
const ACKNOWLEDGE_TRIES: u32 = 4;
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(250);
/// How long a round of renewals or hand-backs may take: an instance that ends has no more.
pub(super) const ROUND_LIMIT: Duration = Duration::from_secs(5);
/// Requests to the outbox at a time, in a round of renewals or hand-backs.
const ABREAST: usize = 16;
/// What is left of an attempt, or an acknowledgement, beside the provider's call, rounded up.
pub(super) const OTHER_LIMIT: Duration = Duration::from_secs(12);

/// Everything that an errand needs.
pub(super) struct Courier {
    pub routes: Vec<Route>,
    pub outbox: Arc<dyn Outbox>,
    pub code_book: Arc<dyn CodeBook>,
    pub reports: Arc<dyn SmsReports>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub brand: Brand,
    /// How long a code lives; an entry that claims more is not believed.
    pub ttl: Duration,
    /// How long the provider may take, whatever its own bound is.
    pub call_limit: Duration,
}

impl Courier {
    /// Tries once to send: if the code is alive, still in force, and has somebody to go to.
    pub async fn attempt(&self, errand: &Errand, renew: bool) -> Verdict {
        match self.try_to_send(errand, renew).await {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::warn!(error = %error, "an SMS is held back");
                Verdict::Postponed
            }
        }
    }

    async fn try_to_send(&self, errand: &Errand, renew: bool) -> Result<Verdict, Unavailable> {
        let entry = &errand.entry;
        if self.life(entry).is_none() {
            return Ok(Verdict::Done(Fate::Expired));
        }
        if renew && bounded(Part::Redis, self.outbox.renew(entry)).await? == Lease::Gone {
            return Ok(Verdict::Done(Fate::Superseded));
        }
        let looked_up = match &errand.recipient {
            Some(_) => None,
            None => bounded(Part::Database, self.code_book.recipient(entry)).await?,
        };
        let Some(recipient) = errand.recipient.as_ref().or(looked_up.as_ref()) else {
            return Ok(Verdict::Done(Fate::Superseded));
        };
        // Asked again: the answers above may have taken a while.
        let Some(life) = self.life(entry) else {
            return Ok(Verdict::Done(Fate::Expired));
        };
        let fits = |route: &&Route| route.countries.fits(entry.country);
        let Some(route) = self.routes.iter().find(fits) else {
            tracing::error!(phone.country = %entry.country, "no provider is configured for this country");
            return Ok(Verdict::Misconfigured);
        };
        Ok(self.call(route.provider.as_ref(), entry, recipient, life).await)
    }

    async fn call(
        &self,
        provider: &dyn SmsProvider,
        entry: &OutboxEntry,
        recipient: &Recipient,
        life: Duration,
    ) -> Verdict {
        let message = SmsMessage {
            reference: entry.challenge_id,
            to: recipient.phone.clone(),
            body: text::compose(&self.brand, &recipient.code, life),
            valid_for: life,
        };
        let name = provider.name();
        let began = Instant::now();
        let outcome = timeout(self.call_limit, provider.send(&message)).await;
        histogram!("ringback_sms_provider_seconds", "provider" => name).record(began.elapsed().as_secs_f64());
        let user = entry.user_id;
        match outcome {
            Ok(Outcome::Accepted { provider_id }) => {
                tracing::info!(sms.provider = name, sms.id = %provider_id, user.id = %user, "an SMS was accepted");
                self.report(name, entry, SmsState::Sent { provider_id });
                Verdict::Done(Fate::Accepted)
            }
            Ok(Outcome::Retryable { after, reason }) => {
                tracing::warn!(sms.provider = name, user.id = %user, %reason, "an SMS was not taken, may be later");
                match reason.kind {
                    FailureKind::Timeout => Verdict::Unanswered,
                    _ => Verdict::Retry(after),
                }
            }
            Ok(Outcome::Permanent { reason }) => {
                tracing::warn!(sms.provider = name, user.id = %user, %reason, "an SMS was refused for good");
                self.report(name, entry, SmsState::Failed { code: reason.code });
                Verdict::Done(Fate::Failed)
            }
            Ok(Outcome::Misconfigured { reason }) => {
                tracing::error!(
                    sms.provider = name, user.id = %user, %reason,
                    "NO SMS GOES OUT: the provider refuses this account, its sender or its credentials"
                );
                Verdict::Misconfigured
            }
            Err(_) => {
                tracing::warn!(sms.provider = name, user.id = %user, "the provider gave no answer in time");
                Verdict::Unanswered
            }
        }
    }

    fn report(&self, provider: &'static str, entry: &OutboxEntry, state: SmsState) {
        self.reports.report(SmsReport {
            challenge_id: entry.challenge_id,
            user_id: entry.user_id,
            phone_digest: entry.phone_digest,
            slot: entry.slot.clone(),
            country: entry.country,
            provider,
            state,
        });
    }

    /// What metrics call who carries SMS.
    pub fn name(&self) -> &'static str {
        self.routes.first().map_or("none", |route| route.provider.name())
    }

    /// Tells the outbox that the entry is done with. If the outbox stays away, the lease runs out and another instance
    /// sends again: a duplicate is the price of never losing one.
    pub async fn settle(&self, entry: &OutboxEntry, fate: Fate) {
        let provider = self.name();
        counter!("ringback_sms_total", "provider" => provider, "outcome" => fate.name()).increment(1);
        let mut bound = ACKNOWLEDGE_PAUSE;
        for tries_left in (0..ACKNOWLEDGE_TRIES).rev() {
            let Err(error) = bounded(Part::Redis, self.outbox.acknowledge(entry)).await else {
                return;
            };
            if tries_left == 0 {
                tracing::error!(error = %error, "an SMS stays in the outbox and may be sent twice");
                return;
            }
            sleep(self.jitter(bound)).await;
            bound *= 2;
        }
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
        let provider = self.name();
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
        let outcome = Fate::HandedBack.name();
        counter!("ringback_sms_total", "provider" => provider, "outcome" => outcome).increment(done as u64);
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
