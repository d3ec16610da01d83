//! One call to a provider: bounded in time, counted, and told of.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{counter, histogram};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    ChannelProvider, Message,
    failures::{Failure, Failures, News},
};
use crate::provider::{FailureKind, FailureReason, Outcome};

/// What came of a call.
pub(super) enum Called {
    Accepted {
        provider_id: String,
    },
    Refused(FailureReason),
    NotTaken(Option<Duration>, FailureReason),
    /// It may have been taken; and how long the provider wants to be left alone.
    Unanswered(Option<Duration>),
    Misconfigured,
}

/// A provider, and what is remembered of it for the log.
pub(super) struct Callee {
    pub provider: ChannelProvider,
    failures: Mutex<Failures>,
}

impl Callee {
    pub fn new(provider: ChannelProvider) -> Self {
        Self {
            provider,
            failures: Mutex::default(),
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
                self.tell_accepted();
                (Called::Accepted { provider_id }, "accepted")
            }
            Ok(Outcome::Permanent { reason }) => {
                tracing::info!(delivery.provider = name, user.id = user_id, %reason, "a message was refused for good");
                (Called::Refused(reason), "refused")
            }
            Ok(Outcome::Retryable { after, reason }) if may_be_taken(reason) => {
                self.tell(Failure::Unanswered, &reason, user);
                (Called::Unanswered(after), "unanswered")
            }
            Ok(Outcome::Retryable { after, reason }) => {
                self.tell(Failure::NotTaken, &reason, user);
                (Called::NotTaken(after, reason), "failed")
            }
            Ok(Outcome::Misconfigured { reason }) => {
                self.tell(Failure::Misconfigured, &reason, user);
                (Called::Misconfigured, "misconfigured")
            }
            Err(_) => {
                self.tell(Failure::Unanswered, &"no answer in time", user);
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

    /// Says that a call failed, if that is news.
    fn tell(&self, failure: Failure, reason: &dyn Display, user: Option<Uuid>) {
        let name = self.provider.name();
        let failures = match self.failures().failed(failure, Instant::now()) {
            News::Begins => None,
            News::GoesOn { failures } => Some(failures),
            News::None => {
                let user = user.map(tracing::field::display);
                tracing::debug!(delivery.provider = name, user.id = user, %reason, "{}", words(failure));
                return;
            }
        };
        if failure == Failure::Misconfigured {
            tracing::error!(delivery.provider = name, failures, %reason, "{}", words(failure));
        } else {
            tracing::warn!(delivery.provider = name, failures, %reason, "{}", words(failure));
        }
    }

    fn tell_accepted(&self) {
        let over = self.failures().accepted(Instant::now());
        for (failure, past) in over {
            tracing::warn!(
                delivery.provider = self.provider.name(),
                failures = past.failures,
                lasted_s = past.lasted.as_secs(),
                "it is over: {}",
                words(failure)
            );
        }
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

const fn words(failure: Failure) -> &'static str {
    match failure {
        Failure::NotTaken => "the provider takes no message, and is tried again",
        Failure::Unanswered => "the provider gives no answer: messages may have been taken, or not",
        Failure::Misconfigured => {
            "NO MESSAGE GOES OUT by this provider: it refuses this account, its sender or its credentials"
        }
    }
}

/// Whether the answer was lost rather than given, all of it or the part that matters: the provider, or what stands before
/// it, may have gone on without us.
fn may_be_taken(reason: FailureReason) -> bool {
    use FailureKind::{Connection, Timeout, Unreadable};
    matches!(reason.kind, Timeout | Connection | Unreadable) || reason.status == Some(504)
}
