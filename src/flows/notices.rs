//! Sends notices: leases those that are due, words them, hands them to a provider, and deletes what was taken.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};

use super::supported::Supported;
use crate::{
    clock::Clock,
    delivery::{Carried, Carrier, Message},
    events::{LeasedNotice, NoticeAddress, NoticeStore},
    language::Language,
    ledger::{Event, Ledger, What},
    limits::{Admission, Denied, Limiter, Operation, Subject},
    mail::{self, EmailMessage},
    outage,
    provider::DeliveryStatus,
    secrets::Keyring,
    sms::{self, SmsMessage},
    unavailable::Unavailable,
};

/// How often it looks for them.
const EVERY: Duration = Duration::from_secs(1);
/// Notices that one look leases at most, and for how long they are this instance's: longer than it takes to hand all of
/// them over.
const BATCH: u32 = 16;
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// The pause after the first try that came to nothing, doubled each time up to the cap.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
const PAUSE_CAP: TimeDelta = TimeDelta::minutes(30);
/// A notice waits so long for its limits at most: what an owner gets still later tells of nothing new.
const WAITS: TimeDelta = TimeDelta::hours(1);

/// Whoever sends notices.
pub struct Notices {
    pub store: Arc<dyn NoticeStore>,
    pub carrier: Carrier,
    pub limiter: Limiter,
    pub keyring: Arc<Keyring>,
    pub supported: Supported,
    pub sms_texts: Arc<sms::NoticeTexts>,
    pub mail_texts: Arc<mail::NoticeTexts>,
    /// Where somebody may object to what a notice tells.
    pub contact: Option<String>,
    /// What notices are in whose language nobody knows.
    pub language: Language,
    pub ledger: Ledger,
    pub clock: Arc<dyn Clock>,
}

impl Notices {
    /// Sends what is due, now and every second, for ever. Any number of instances may do so at once. A round that panics
    /// is told and is the last of its kind alone: what it had leased comes back.
    pub async fn send_forever(self: Arc<Self>) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.carrier.tell_recovered();
            let this = Arc::clone(&self);
            match tokio::spawn(async move { this.round().await }).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => outage::note(&error),
                Err(panic) => tracing::error!(%panic, "a round of notices panicked"),
            }
        }
    }

    async fn round(&self) -> Result<(), Unavailable> {
        loop {
            let now = self.clock.now();
            let due = self.store.lease(now, now + LEASE, BATCH).await?;
            let was_full = due.len() == BATCH as usize;
            for notice in due {
                self.send(notice).await?;
            }
            if !was_full {
                break;
            }
        }
        let given_up = self.store.expire(self.clock.now(), BATCH).await?;
        counter!("ringback_notices_total", "kind" => "any", "outcome" => "expired").increment(given_up);
        Ok(())
    }

    async fn send(&self, notice: LeasedNotice) -> Result<(), Unavailable> {
        let count = |outcome: &'static str| {
            counter!("ringback_notices_total", "kind" => notice.kind.name(), "outcome" => outcome)
                .increment(1);
        };
        let Some(message) = self.compose(&notice) else {
            tracing::error!(
                notice.kind = notice.kind.name(),
                "no text of this channel: the notice is dropped"
            );
            count("failed");
            return self.store.delete(notice.id).await;
        };
        let admitted = match self.admit(&notice).await {
            Ok(admitted) => admitted,
            Err(Held::Until(wait)) => {
                count("held");
                return self.store.postpone(notice.id, self.clock.now() + wait).await;
            }
            Err(Held::ForGood) => {
                count("limited");
                return self.store.delete(notice.id).await;
            }
        };
        let carried = self.carrier.carry(&message).await;
        if matches!(carried, Carried::NotNow(_) | Carried::NotBefore(_)) {
            count("retried");
            self.limiter.give_back_cluster(admitted).await;
        }
        match carried {
            Carried::Taken { provider, message_id } => {
                tracing::info!(delivery.provider = provider, user.id = %notice.user, notice.kind = notice.kind.name(), "a notice was accepted");
                count("sent");
                self.note_sent(&notice, provider, message_id);
                self.store.delete(notice.id).await
            }
            Carried::Refused => {
                count("failed");
                self.store.delete(notice.id).await
            }
            Carried::NotNow(asked) => {
                let asked = asked.and_then(|asked| TimeDelta::from_std(asked).ok());
                let pause = pause(notice.attempts).max(asked.unwrap_or_default());
                self.store.postpone(notice.id, self.clock.now() + pause).await
            }
            // It failed at nothing: all that wait for the pace stay as they came.
            Carried::NotBefore(wait) => {
                let wait = delta(wait).clamp(TimeDelta::seconds(1), PAUSE_CAP);
                self.store.postpone(notice.id, self.clock.now() + wait).await
            }
        }
    }

    /// Asks the limits: a notice costs money like a code, and an account may change as often as it likes.
    async fn admit(&self, notice: &LeasedNotice) -> Result<Admission, Held> {
        let subject = Subject::new(IpAddr::from(Ipv4Addr::UNSPECIFIED))
            .with_user(Some(notice.user))
            .with_channel(notice.to.channel());
        let subject = match &notice.to {
            NoticeAddress::Phone(phone) if !self.supported.has(phone) => return Err(Held::ForGood),
            NoticeAddress::Phone(phone) => subject.with_phone(phone.clone(), &self.keyring.current().phone),
            NoticeAddress::Email(_) => subject,
        };
        // It holds a notice up for as long as it lasts, where a rule that lasts so long drops it.
        if let Some((_, refusal)) = self.limiter.pause_of(&subject) {
            return Err(Held::Until(delta(refusal.retry_after).min(PAUSE_CAP)));
        }
        let spent = async {
            let admitted = self.limiter.admit(Operation::Notice, &subject).await?;
            self.limiter.spend_message(admitted, true).await
        };
        match spent.await {
            Ok(admitted) => Ok(admitted),
            Err(Denied::Refused(refusal)) => Err(match delta(refusal.retry_after) {
                wait if wait > WAITS => Held::ForGood,
                wait => Held::Until(wait),
            }),
            Err(Denied::Unavailable(error)) => {
                outage::note(&error);
                Err(Held::Until(pause(notice.attempts)))
            }
        }
    }

    fn compose(&self, notice: &LeasedNotice) -> Option<Message> {
        let language = notice.language.as_ref().unwrap_or(&self.language);
        let text = notice.kind.text(notice.to.channel());
        let left = notice.expires_at - self.clock.now();
        let (reference, valid_for) = (notice.id, left.to_std().unwrap_or_default());
        Some(match &notice.to {
            NoticeAddress::Phone(phone) => Message::Sms(SmsMessage {
                reference,
                to: phone.clone(),
                body: self.sms_texts.compose(text, language)?,
                valid_for,
            }),
            NoticeAddress::Email(email) => {
                let worded = self.mail_texts.compose(text, language, self.contact.as_deref())?;
                Message::Email(EmailMessage {
                    reference,
                    to: email.clone(),
                    subject: worded.subject,
                    text: worded.text,
                    html: worded.html,
                    valid_for,
                })
            }
        })
    }

    /// A notice may cost money like a code: the ledger has it, for bills and complaints.
    fn note_sent(&self, notice: &LeasedNotice, provider: &'static str, message_id: String) {
        let (challenge_id, channel) = (notice.id, notice.to.channel());
        let country = match &notice.to {
            NoticeAddress::Phone(phone) => Some(phone.country()),
            NoticeAddress::Email(_) => None,
        };
        let issued = What::Issued {
            user_id: Some(notice.user),
            purpose: "notice",
            channel,
            country,
        };
        let carried = What::Carried {
            status: DeliveryStatus::Sent,
            provider,
            message_id,
            error_code: None,
            price: None,
        };
        for (at, what) in [(notice.created_at, issued), (self.clock.now(), carried)] {
            self.ledger.note(Event {
                challenge_id,
                at,
                what,
            });
        }
    }
}

/// What keeps a notice from being sent.
enum Held {
    Until(TimeDelta),
    /// Its owner has had as many, or its phone gets none.
    ForGood,
}

fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}

/// How long a notice rests that was tried so often.
fn pause(attempts: u32) -> TimeDelta {
    let doubled = PAUSE * 2_i32.pow(attempts.saturating_sub(1).min(10));
    doubled.min(PAUSE_CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_half_an_hour() {
        let seconds = [1, 2, 3, 9, 10, 100].map(|attempts| pause(attempts).num_seconds());
        assert_eq!(seconds, [5, 10, 20, 1_280, 1_800, 1_800]);
    }
}
