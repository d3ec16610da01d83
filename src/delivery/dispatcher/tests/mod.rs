//! The machine without a world: a bench on which each step is taken by hand.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;

use super::*;
use crate::{
    channel::{Channel, MessageCode},
    delivery::{
        ChannelProvider, CodeSeed, Countries, Destination, OutboxEntry, Recipient, Route,
        breaker::Pauses,
        tracked::{AttemptOutcome, CutOff, Delivery, Disposition, LookupOutcome, Tracked},
    },
    language::Language,
    partition::SlotAddress,
    phone::{Country, PhoneNumber},
    provider::{Outcome, Provider},
    sms::SmsMessage,
};

mod chance;
mod life;
mod quiet;
mod routes;

const SECOND: Duration = Duration::from_secs(1);

/// Randomness that always gives the same share of what is asked for: none of it, or all of it.
struct Always(AtomicU64);

impl Entropy for Always {
    fn fill(&self, buffer: &mut [u8]) {
        let bytes = self.0.load(Ordering::Relaxed).to_le_bytes();
        buffer
            .iter_mut()
            .zip(bytes)
            .for_each(|(place, byte)| *place = byte);
    }
}

/// A provider of which nothing but its name matters.
struct Named(&'static str);

#[async_trait]
impl Provider<SmsMessage> for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn send(&self, _: &SmsMessage) -> Outcome {
        unreachable!("no I/O here")
    }
}

/// A route to all countries.
fn route(provider: &'static str) -> Route {
    Route {
        provider: ChannelProvider::Sms(Arc::new(Named(provider))),
        countries: Countries::All,
        max_per_second: 0,
    }
}

struct Bench {
    machine: Dispatcher,
    now: Moment,
}

impl Bench {
    /// One provider, `a`.
    fn new(in_flight: usize) -> Self {
        Self::with(&[route("a")], in_flight)
    }

    fn with(routes: &[Route], in_flight: usize) -> Self {
        let rules = Rules {
            queue: 100,
            lease: 30 * SECOND,
            max_tries: 5,
            retry_for: 60 * SECOND,
            stuck_after: 25 * SECOND,
            ttl: 600 * SECOND,
        };
        let pauses = Pauses {
            first: 5 * SECOND,
            longest: 60 * SECOND,
        };
        let router = Router::new(routes, in_flight, pauses);
        Self {
            machine: Dispatcher::new(rules, router, Arc::new(Always(AtomicU64::new(0)))),
            now: Moment {
                at: Instant::now(),
                wall_ms: 1_000_000,
            },
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.wall_ms += time.as_millis() as i64;
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(event, self.now)
    }

    /// Calls under way on all providers.
    fn in_flight(&self) -> usize {
        self.machine.in_flight().iter().sum()
    }

    /// A delivery whose code lives for ten minutes more.
    fn tracked(&self, number: u128) -> Tracked {
        self.avoiding(number, None)
    }

    fn avoiding(&self, number: u128, avoid: Option<&str>) -> Tracked {
        let delivery = Delivery {
            entry: OutboxEntry {
                challenge_id: Uuid::from_u128(number),
                user_id: Some(Uuid::from_u128(7)),
                address: SlotAddress::from_bits(0),
                channel: Channel::Sms,
                topic: 0,
                seed: CodeSeed::default(),
                country: Country::UNKNOWN,
                language: Language::default(),
                sealed: None,
                avoid: avoid.map(str::to_owned),
                expires_at_ms: self.now.wall_ms + 600_000,
            },
            recipient: Some(Recipient {
                to: Destination::Phone(PhoneNumber::from_stored("+14152000001".to_owned())),
                code: MessageCode::new("123456"),
            }),
        };
        Tracked::new(Arc::new(delivery), None, self.now.at)
    }

    fn submit(&mut self, number: u128) -> Vec<Effect> {
        let tracked = self.tracked(number);
        self.on(Event::Submitted(tracked))
    }

    fn take_over(&mut self, number: u128) -> Vec<Effect> {
        let (deliveries, since) = (vec![self.tracked(number)], self.now.at);
        self.on(Event::TakenOver { deliveries, since })
    }

    fn attempted(&mut self, number: u128, outcome: AttemptOutcome) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::Attempted { id, outcome })
    }

    fn looked_up(&mut self, number: u128, outcome: LookupOutcome) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::LookedUp { id, outcome })
    }

    fn settled(&mut self, number: u128) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::Settled { id, done: true })
    }

    /// The outbox is unavailable, and could not be told.
    fn untold(&mut self, number: u128) -> Vec<Effect> {
        let id = Uuid::from_u128(number);
        self.on(Event::Settled { id, done: false })
    }
}

/// Effects as short words, with the numbers of their delivery; of the providers, `a` is left out.
fn words(effects: &[Effect]) -> Vec<String> {
    let numbers = |deliveries: &[Arc<Delivery>]| {
        let numbers = deliveries
            .iter()
            .map(|delivery| delivery.id().as_u128().to_string());
        numbers.collect::<Vec<_>>().join(",")
    };
    let one = |delivery: &Delivery| delivery.id().as_u128();
    let by = |provider: ProviderId| ["", " by b", " by c"][provider];
    let word = |effect: &Effect| match effect {
        Effect::Attempt {
            delivery,
            provider,
            renew,
            retry,
        } => {
            let renew = if *renew { " renewed" } else { "" };
            let retry = if *retry { " again" } else { "" };
            format!("attempt {}{}{renew}{retry}", one(delivery), by(*provider))
        }
        Effect::LookUp {
            delivery,
            provider,
            renew,
        } => {
            let renew = if *renew { " renewed" } else { "" };
            format!("look up {}{}{renew}", one(delivery), by(*provider))
        }
        Effect::Settle {
            delivery,
            disposition,
            ..
        } => format!("settle {} {}", one(delivery), disposition.name()),
        Effect::Acknowledge(deliveries) => format!("acknowledge {}", numbers(deliveries)),
        Effect::Renew(deliveries) => format!("renew {}", numbers(deliveries)),
        Effect::TakeOver { limit } => format!("take over {limit}"),
        Effect::HandBack(deliveries) => format!("hand back {}", numbers(deliveries)),
        Effect::WakeAt(_) => "wake".to_owned(),
        Effect::Superseded(count) => format!("superseded {count}"),
        Effect::LeftToLease { .. } => "left".to_owned(),
        Effect::Turned { provider, health, .. } => {
            format!("{} {}", ["a", "b", "c"][*provider], health.name())
        }
        Effect::Drained { handed_back } => format!("drained {handed_back}"),
    };
    effects.iter().map(word).collect()
}
