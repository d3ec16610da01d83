//! Carries single messages that have no outbox entry: whoever sends them keeps them, and tries again.
//!
//! It chooses among the same routes as the dispatcher, with breakers and a pace of its own. So it asks one provider after
//! the other until one takes the message, and leaves those alone that fail.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    DispatcherOptions, Message, Route,
    breaker::{Observation, Pauses},
    call::{Called, Callee},
    router::{Choice, Router, Want},
};
use crate::{channel::Channel, phone::Country};

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
    /// Nobody was asked: a provider has its pace, or is let rest for so long.
    NotBefore(Duration),
}

/// The way of single messages.
pub struct Carrier {
    providers: Vec<Callee>,
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
            providers: router.clients(&routes).into_iter().map(Callee::new).collect(),
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
        let (mut was_asked, mut pause) = (false, None);
        loop {
            let want = Want::Send {
                providers: left.clone(),
                spare: None,
                deprioritized: BTreeSet::new(),
                failed_probes: BTreeSet::new(),
            };
            let now = Instant::now();
            let idle = vec![0; self.providers.len()];
            let choice = self.router().choose(&want, &idle, now);
            let provider = match choice {
                Choice::Provider(provider) => provider,
                Choice::NotBefore(at) => {
                    let wait = at.saturating_duration_since(now);
                    return match was_asked {
                        true => Carried::NotNow(Some(pause.map_or(wait, |pause| wait.min(pause)))),
                        false => Carried::NotBefore(wait),
                    };
                }
                Choice::Later => return Carried::NotNow(pause),
            };
            was_asked = true;
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

    async fn call(&self, callee: &Callee, message: &Message) -> (Carried, Observation) {
        match callee.send(message, self.call_limit, None).await {
            Called::Accepted { provider_id } => {
                let taken = Carried::Taken {
                    provider: callee.provider.name(),
                    message_id: provider_id,
                };
                (taken, Observation::Answered)
            }
            Called::Refused(_) => (Carried::Refused, Observation::Answered),
            Called::PutOff(after) => (Carried::NotNow(after), Observation::Answered),
            Called::NotTaken(after, _) | Called::Unanswered(after) => {
                (Carried::NotNow(after), Observation::Failed)
            }
            Called::CutOff(cut_off) => (Carried::NotNow(None), cut_off.observation()),
            Called::Misconfigured => (Carried::NotNow(None), Observation::Refused),
        }
    }

    /// Says which failures of providers are over. To be called every second or so.
    pub fn tell_recovered(&self) {
        self.providers.iter().for_each(Callee::tell_recovered);
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
