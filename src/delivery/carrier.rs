//! Carries single messages that have no outbox entry: whoever sends them keeps them, and tries again.
//!
//! It chooses among the same routes as the dispatcher, with breakers and a pace of its own. So it asks one provider after
//! the other until one takes the message, and leaves those alone that fail.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{counter, histogram};
use tokio::time::{Instant, timeout};

use super::{
    ChannelProvider, DispatcherOptions, Message, Route,
    breaker::{Observation, Pauses},
    router::{Choice, Router, Want},
};
use crate::{channel::Channel, phone::Country, provider::Outcome};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// A provider has it, which gave it this id.
    Taken {
        provider: &'static str,
        message_id: String,
    },
    /// It will never work for this address.
    Refused,
    /// Nobody took it for now; one asks for so long a pause.
    NotNow(Option<Duration>),
}

/// The way of single messages.
pub struct Carrier {
    providers: Vec<ChannelProvider>,
    router: Mutex<Router>,
    /// How long a provider may take, whatever its own bound is.
    call_limit: Duration,
}

impl Carrier {
    /// By these routes. `slower` divides their pace, which stands beside that of the dispatcher.
    pub fn new(routes: &[Route], options: &DispatcherOptions, slower: u32) -> Self {
        let routes: Vec<_> = routes
            .iter()
            .cloned()
            .map(|route| slowed(route, slower))
            .collect();
        let pauses = Pauses {
            first: options.probe_after,
            longest: options.probe_every,
        };
        let router = Router::new(&routes, 1, pauses);
        Self {
            providers: router.clients(&routes),
            router: Mutex::new(router),
            call_limit: options.lease / 2,
        }
    }

    /// Hands a message to the first provider that takes it. One caller at a time.
    pub async fn carry(&self, message: &Message) -> Carried {
        let (channel, country) = match message {
            Message::Sms(sms) => (Channel::Sms, sms.to.country()),
            Message::Email(_) => (Channel::Email, Country::UNKNOWN),
        };
        let mut left = self.router().towards(channel, country);
        let mut pause = None;
        loop {
            let want = Want::Send {
                providers: left.clone(),
                spare: None,
                deprioritized: BTreeSet::new(),
            };
            let now = Instant::now();
            let idle = vec![0; self.providers.len()];
            let choice = self.router().choose(&want, &idle, now);
            let provider = match choice {
                Choice::Provider(provider) => provider,
                Choice::NotBefore(at) => {
                    let wait = at.saturating_duration_since(now);
                    return Carried::NotNow(Some(pause.map_or(wait, |pause| wait.min(pause))));
                }
                Choice::Later => return Carried::NotNow(pause),
            };
            let was_probe = self.router().begin_send(provider, now);
            let (carried, observation) = self.call(&self.providers[provider], message).await;
            self.router()
                .observe(provider, was_probe, observation, Instant::now());
            match carried {
                Carried::NotNow(asked) => pause = asked.or(pause),
                done => return done,
            }
            left.retain(|&other| other != provider);
        }
    }

    async fn call(&self, provider: &ChannelProvider, message: &Message) -> (Carried, Observation) {
        let name = provider.name();
        let began = Instant::now();
        let outcome = timeout(self.call_limit, provider.send(message)).await;
        histogram!("ringback_delivery_provider_seconds", "provider" => name)
            .record(began.elapsed().as_secs_f64());
        let (carried, observation, result) = match outcome {
            Ok(Outcome::Accepted { provider_id }) => {
                let taken = Carried::Taken {
                    provider: name,
                    message_id: provider_id,
                };
                (taken, Observation::Answered, "accepted")
            }
            Ok(Outcome::Permanent { reason }) => {
                tracing::warn!(delivery.provider = name, %reason, "a message was refused for good");
                (Carried::Refused, Observation::Answered, "refused")
            }
            Ok(Outcome::Retryable { after, reason }) => {
                tracing::warn!(delivery.provider = name, %reason, "a message was not taken, may be later");
                (Carried::NotNow(after), Observation::Failed, "failed")
            }
            Ok(Outcome::Misconfigured { reason }) => {
                tracing::error!(
                    delivery.provider = name, %reason,
                    "NO MESSAGE GOES OUT by this provider: it refuses this account, its sender or its credentials"
                );
                (Carried::NotNow(None), Observation::Refused, "misconfigured")
            }
            Err(_) => {
                tracing::warn!(delivery.provider = name, "the provider gave no answer in time");
                (Carried::NotNow(None), Observation::Failed, "unanswered")
            }
        };
        counter!("ringback_delivery_calls_total", "provider" => name, "result" => result).increment(1);
        (carried, observation)
    }

    fn router(&self) -> MutexGuard<'_, Router> {
        self.router.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pace of none at all would mean that there is no bound.
fn slowed(route: Route, slower: u32) -> Route {
    let max_per_second = match route.max_per_second {
        0 => 0,
        bound => (bound / slower).max(1),
    };
    Route {
        max_per_second,
        ..route
    }
}
