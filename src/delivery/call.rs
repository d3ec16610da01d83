//! One call to a provider: bounded in time, counted, and told of.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{counter, histogram};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    ChannelProvider, Message,
    failures::{Failure, Failures, News, words},
    suspicion::Suspicion,
    tracked::CutOff,
};
use crate::provider::{FailureKind, FailureReason, Outcome};

/// What came of a call.
pub(super) enum Called {
    Accepted {
        provider_id: String,
    },
    Refused(FailureReason),
    NotTaken(Option<Duration>, FailureReason),
    /// For this message's sake; and how long it wants to be put off.
    PutOff(Option<Duration>),
    /// It gave no answer to this message, for its sake or not.
    CutOff(CutOff),
    /// It may have been taken; and how long the provider wants to be left alone.
    Unanswered(Option<Duration>),
    Misconfigured,
}

/// A provider, and what is remembered of it for the log.
pub(super) struct Callee {
    pub provider: ChannelProvider,
    failures: Mutex<Failures>,
    /// Since a message was last taken.
    suspicions: Mutex<BTreeMap<Failure, Suspicion>>,
}

impl Callee {
    pub fn new(provider: ChannelProvider) -> Self {
        Self {
            provider,
            failures: Mutex::default(),
            suspicions: Mutex::default(),
        }
    }

    /// Its labels in metrics.
    pub fn labels(&self) -> [(&'static str, &'static str); 2] {
        labels(&self.provider)
    }

    /// Hands it a message, and waits for its answer no longer than `limit`.
    pub async fn send(&self, message: &Message, limit: Duration, user: Option<Uuid>) -> Called {
        let name = self.provider.name();
        let began = Instant::now();
        let outcome = timeout(limit, self.provider.send(message)).await;
        histogram!("ringback_delivery_provider_seconds", &self.labels())
            .record(began.elapsed().as_secs_f64());
        let user_id = user.map(tracing::field::display);
        let (called, result) = match outcome {
            Ok(Outcome::Accepted { provider_id }) => {
                self.suspicions().clear();
                self.failures().accepted(Instant::now());
                self.tell_recovered();
                (Called::Accepted { provider_id }, "accepted")
            }
            Ok(Outcome::Permanent { reason }) => {
                tracing::info!(delivery.provider = name, user.id = user_id, %reason, "a message was refused for good");
                if reason.kind == FailureKind::Policy {
                    self.suspect(Failure::Policy, reason, message, user);
                }
                (Called::Refused(reason), "refused")
            }
            Ok(Outcome::Retryable { after, reason }) if reason.kind == FailureKind::PutOff => {
                tracing::info!(delivery.provider = name, user.id = user_id, %reason, "a message was put off");
                self.suspect(Failure::PutOff, reason, message, user);
                (Called::PutOff(after), "put_off")
            }
            Ok(Outcome::Retryable { reason, .. }) if is_cut_off(reason) => {
                let hardens = self.suspect(Failure::CutOff, reason, message, user);
                if !hardens {
                    tracing::info!(delivery.provider = name, user.id = user_id, %reason, "a message was put off");
                }
                let cut_off = CutOff {
                    is_own: !hardens,
                    may_be_taken: reason.kind == FailureKind::CutOffLate,
                };
                (Called::CutOff(cut_off), cut_off.result())
            }
            Ok(Outcome::Retryable { after, reason }) if may_be_taken(reason) => {
                self.tell(Failure::Unanswered, reason, user);
                (Called::Unanswered(after), "unanswered")
            }
            Ok(Outcome::Retryable { after, reason }) => {
                self.tell(Failure::NotTaken, reason, user);
                (Called::NotTaken(after, reason), "failed")
            }
            Ok(Outcome::Misconfigured { reason }) => {
                self.tell(Failure::Misconfigured, reason, user);
                (Called::Misconfigured, "misconfigured")
            }
            Err(_) => {
                self.tell(Failure::Unanswered, FailureReason::of(FailureKind::Timeout), user);
                (Called::Unanswered(None), "unanswered")
            }
        };
        let [provider, channel] = self.labels();
        counter!(
            "ringback_delivery_calls_total",
            &[provider, channel, ("result", result)]
        )
        .increment(1);
        called
    }

    /// Says that messages are refused or put off, if that can't be their recipients' affair any more; whether it can't.
    fn suspect(
        &self,
        failure: Failure,
        reason: FailureReason,
        message: &Message,
        user: Option<Uuid>,
    ) -> bool {
        let Message::Email(email) = message else {
            return false;
        };
        let domain = email.to.domain();
        let hardens = {
            let mut suspicions = self.suspicions();
            let suspicion = suspicions.entry(failure).or_default();
            suspicion.hardens(domain, Instant::now())
        };
        if hardens {
            self.tell(failure, reason, user);
        }
        hardens
    }

    /// Says that a call failed, if that is news.
    fn tell(&self, failure: Failure, reason: FailureReason, user: Option<Uuid>) {
        let (name, words) = (self.provider.name(), words(failure, reason));
        let failures = match self.failures().failed(failure, Instant::now()) {
            News::Begins => None,
            News::GoesOn { failures } => Some(failures),
            News::None => {
                let user = user.map(tracing::field::display);
                tracing::debug!(delivery.provider = name, user.id = user, %reason, "{words}");
                return;
            }
        };
        let server = self.provider.server();
        if matches!(failure, Failure::Misconfigured | Failure::Policy) {
            tracing::error!(delivery.provider = name, delivery.server = server, failures, %reason, "{words}");
        } else {
            tracing::warn!(delivery.provider = name, delivery.server = server, failures, %reason, "{words}");
        }
    }

    /// Says which failures are over. To be called every second or so, for a provider that is used little.
    pub fn tell_recovered(&self) {
        let over = self.failures().over(Instant::now());
        for (failure, past) in over {
            tracing::warn!(
                delivery.provider = self.provider.name(),
                delivery.failure = failure.name(),
                failures = past.failures,
                lasted_s = past.lasted.as_secs(),
                "messages go out again by this provider"
            );
        }
    }

    fn suspicions(&self) -> MutexGuard<'_, BTreeMap<Failure, Suspicion>> {
        self.suspicions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A provider's labels in metrics.
pub(super) fn labels(provider: &ChannelProvider) -> [(&'static str, &'static str); 2] {
    [
        ("provider", provider.name()),
        ("channel", provider.channel().name()),
    ]
}

/// Whether it was cut off when the provider had been told of this message.
fn is_cut_off(reason: FailureReason) -> bool {
    matches!(reason.kind, FailureKind::CutOff | FailureKind::CutOffLate)
}

/// Whether the answer was lost rather than given, all of it or the part that matters: the provider, or what stands before
/// it, may have gone on without us.
fn may_be_taken(reason: FailureReason) -> bool {
    use FailureKind::{Connection, Timeout, Unreadable};
    matches!(reason.kind, Timeout | Connection | Unreadable) || reason.status == Some(504)
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use async_trait::async_trait;
    use tracing::subscriber::DefaultGuard;

    use super::*;
    use crate::{
        channel::MessageText,
        email::EmailAddress,
        mail::EmailMessage,
        phone::{PhoneCheck, PhoneNumber},
        provider::Provider,
        sms::SmsMessage,
    };

    struct Willing;

    #[async_trait]
    impl Provider<SmsMessage> for Willing {
        fn name(&self) -> &'static str {
            "willing"
        }

        async fn send(&self, _: &SmsMessage) -> Outcome {
            Outcome::Accepted {
                provider_id: String::new(),
            }
        }
    }

    /// Takes nothing, for this reason.
    struct Closed(FailureKind);

    #[async_trait]
    impl Provider<EmailMessage> for Closed {
        fn name(&self) -> &'static str {
            "closed"
        }

        async fn send(&self, _: &EmailMessage) -> Outcome {
            let reason = FailureReason::of(self.0);
            match self.0 {
                FailureKind::Policy => Outcome::Permanent { reason },
                _ => Outcome::Retryable { after: None, reason },
            }
        }
    }

    fn mail(domain: &str) -> Message {
        Message::Email(EmailMessage {
            reference: Uuid::nil(),
            to: EmailAddress::parse(&format!("jane@{domain}")).unwrap(),
            subject: String::new(),
            text: MessageText::new(String::new()),
            html: MessageText::new(String::new()),
            valid_for: Duration::from_secs(600),
        })
    }

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Said {
        /// All that this thread logs until the guard is dropped.
        fn listen() -> (Self, DefaultGuard) {
            let said = Self::default();
            let writer = said.clone();
            let log = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            (said, tracing::subscriber::set_default(log))
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[tokio::test]
    async fn a_policy_against_all_is_told_without_names_and_one_against_a_few_is_not() {
        let (said, _logging) = Said::listen();
        let callee = Callee::new(ChannelProvider::Email(Arc::new(Closed(FailureKind::Policy))));
        let before = Instant::now() - Duration::from_secs(60);
        let begin = || {
            let mut suspicions = callee.suspicions();
            let policy = suspicions.entry(Failure::Policy).or_default();
            policy.hardens("a.example", before)
        };
        assert!(!begin());
        for domain in ["b.example", "c.example", "d.example", "x.d.example"] {
            callee.send(&mail(domain), Duration::from_secs(5), None).await;
        }
        assert!(!said.text().contains("NO MESSAGE GOES OUT"), "{}", said.text());
        callee
            .send(&mail("e.example"), Duration::from_secs(5), None)
            .await;
        let said = said.text();
        assert!(
            said.contains("ERROR") && said.contains("NO MESSAGE GOES OUT"),
            "{said}"
        );
        assert!(!said.contains("jane") && !said.contains(".example"), "{said}");
    }

    #[tokio::test]
    async fn what_is_cut_off_is_its_own_affair_until_many_domains_show_it() {
        let (said, _logging) = Said::listen();
        let callee = Callee::new(ChannelProvider::Email(Arc::new(Closed(FailureKind::CutOff))));
        let before = Instant::now() - Duration::from_secs(60);
        let mut suspicion = Suspicion::default();
        assert!(!suspicion.hardens("a.example", before));
        callee.suspicions().insert(Failure::CutOff, suspicion);
        let mut own = Vec::new();
        for domain in ["b.example", "b.example", "c.example", "d.example", "e.example"] {
            match callee.send(&mail(domain), Duration::from_secs(5), None).await {
                Called::CutOff(cut_off) => own.push(cut_off.is_own),
                _ => unreachable!(),
            }
        }
        assert_eq!(own, [true, true, true, true, false]);
        let said = said.text();
        let words = "the provider gives no answer about any message";
        assert_eq!(said.matches(words).count(), 1, "{said}");
        assert_eq!(said.matches("WARN").count(), 1, "{said}");
    }

    #[tokio::test]
    async fn a_recovery_is_no_failure_in_the_log_and_tells_how_long_it_lasted() {
        let (said, _logging) = Said::listen();
        let callee = Callee::new(ChannelProvider::Sms(Arc::new(Willing)));
        let before = Instant::now() - Duration::from_secs(40);
        callee.failures().failed(Failure::Misconfigured, before);
        let message = Message::Sms(SmsMessage {
            reference: Uuid::nil(),
            to: PhoneNumber::parse("+14152000001", PhoneCheck::E164).unwrap(),
            body: MessageText::new("123456".to_owned()),
            valid_for: Duration::from_secs(600),
        });
        callee.send(&message, Duration::from_secs(5), None).await;
        let said = said.text();
        for part in [
            "messages go out again by this provider",
            "failures=1",
            "lasted_s=40",
            "misconfigured",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("NO MESSAGE GOES OUT"), "{said}");
    }
}
