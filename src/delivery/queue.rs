//! The handle by which everybody else reaches the dispatcher, and its bounds.

use std::{
    sync::{Arc, Mutex, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::{
    DeliveryReports, Messages, Outbox, OutboxEntry, ProviderStatus, Recipient, Route,
    actor::{DispatcherActor, Gauges, Mail, SWEEP_EVERY},
    breaker::Pauses,
    call::Callee,
    dispatcher::Dispatcher,
    gate::Gate,
    handoff::{HANDOFF_DELAY, Handoff},
    io::{DeliveryIo, OTHER_LIMIT, ROUND_LIMIT},
    router::Router,
    shared::Shared,
    steps::{Event, Rules},
    tracked::Delivery,
};
use crate::{
    channel::Channel,
    clock::Clock,
    entropy::Entropy,
    phone::Country,
    supervision::{Mailbox, Slot, Supervision},
    unavailable::{Part, Unavailable},
};

/// The dispatcher's bounds (`[delivery]` in the configuration).
#[derive(Debug, Clone)]
pub struct DispatcherOptions {
    /// Messages that wait or are under way, at most; beyond that, `reserve` says so.
    pub queue: usize,
    /// Calls to one provider at a time.
    pub in_flight: usize,
    /// How long an entry is ours before another instance may take it over. A call to the provider is cut off after
    /// half of it, so let it be more than twice the provider's own time-out.
    pub lease: Duration,
    /// Calls for one message, the first included.
    pub max_tries: u32,
    /// From the first call for a message to the last.
    pub retry_for: Duration,
    /// How long a provider that fails, or refuses everything, is left alone before one message is tried with it; twice as long
    /// after each that failed too, up to `probe_every`.
    pub probe_after: Duration,
    pub probe_every: Duration,
    /// How long a code lives.
    pub ttl: Duration,
}

/// What the dispatcher works with.
pub struct DispatcherParts {
    /// The preferred first; at least one.
    pub routes: Vec<Route>,
    pub outbox: Arc<dyn Outbox>,
    pub messages: Arc<dyn Messages>,
    pub reports: Arc<dyn DeliveryReports>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
pub struct QueueSlot {
    place: Slot,
}

/// How the dispatcher does: for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// Messages that may be here at a time.
    pub capacity: usize,
    /// Messages that wait for a call, or for the next one.
    pub queued: usize,
    /// Calls under way.
    pub in_flight: usize,
    /// Whether the service is ending, and takes no more.
    pub draining: bool,
    /// How each provider does.
    pub providers: Vec<ProviderStatus>,
}

/// The way to the dispatcher. Clones are handles to the same one, which ends with the last of them.
#[derive(Clone)]
pub struct DeliveryQueue(Arc<Inner>);

struct Inner {
    mailbox: Arc<Mailbox<DispatcherActor>>,
    capacity: usize,
    shared: Arc<Shared>,
    handoff: Arc<Handoff>,
}

impl DeliveryQueue {
    /// Starts the dispatcher on this thread, which must run an actix system.
    pub fn start(supervision: &Supervision, options: DispatcherOptions, parts: DispatcherParts) -> Self {
        let DispatcherParts {
            routes,
            outbox,
            messages,
            reports,
            clock,
            entropy,
        } = parts;
        let call_limit = options.lease / 2;
        let rules = Rules {
            queue: options.queue,
            lease: options.lease,
            max_tries: options.max_tries,
            retry_for: options.retry_for,
            stuck_after: call_limit + OTHER_LIMIT,
            ttl: options.ttl,
        };
        let pauses = Pauses {
            first: options.probe_after,
            longest: options.probe_every,
        };
        let router = Router::new(&routes, options.in_flight, pauses);
        let io = DeliveryIo {
            providers: router.clients(&routes).into_iter().map(Callee::new).collect(),
            outbox,
            messages,
            reports,
            clock,
            entropy: Arc::clone(&entropy),
            ttl: options.ttl,
            call_limit,
            skew_told: Mutex::default(),
        };
        let shared = Arc::new(Shared::new(Gate::of(&router, Instant::now())));
        let handoff = Arc::default();
        let mailbox = Arc::new_cyclic(|mailbox| {
            let dispatcher = DispatcherActor {
                dispatcher: Dispatcher::new(rules, router, entropy),
                gauges: Gauges::of(&io),
                io: Arc::new(io),
                mailbox: Weak::clone(mailbox),
                shared: Arc::clone(&shared),
                drained: Vec::new(),
                handoff: Arc::clone(&handoff),
                comes_back: false,
            };
            supervision.start("dispatcher", options.queue, |_| dispatcher)
        });
        Self(Arc::new(Inner {
            mailbox,
            capacity: options.queue,
            shared,
            handoff,
        }))
    }

    /// Whether any provider carries messages of this channel.
    pub fn carries(&self, channel: Channel) -> bool {
        self.0.shared.gate.carries(channel)
    }

    /// Takes a place for a message by this channel, to a phone of this country where it is an SMS: before a code is issued, so that nothing is issued that could
    /// not be sent.
    ///
    /// # Errors
    /// [`Unavailable`] at once when there is no place, when nobody will take it until an operator acts, or when the
    /// service is ending.
    pub fn reserve(&self, channel: Channel, country: Country) -> Result<QueueSlot, Unavailable> {
        if self.0.shared.draining.load(Ordering::Relaxed) {
            return Err(Unavailable::new(Part::DeliveryQueue, "ending"));
        }
        let admitted = self.0.shared.gate.admits(channel, country, Instant::now());
        admitted.map_err(|why| Unavailable::new(Part::Provider, why))?;
        let place = self.0.mailbox.reserve();
        place
            .map(|place| QueueSlot { place })
            .map_err(|_| Unavailable::full(Part::DeliveryQueue))
    }

    /// Hands a delivery off, and waits for nothing: the outbox has it already.
    pub fn submit(&self, slot: QueueSlot, entry: OutboxEntry, recipient: Recipient) {
        let recipient = Some(recipient);
        let delivery = Delivery { entry, recipient };
        self.wake_if(self.0.handoff.push(slot.place, Some(delivery)));
    }

    /// Gives a place back where no message goes out, by the way that one would take: the two cost the caller the same.
    pub fn skip(&self, slot: QueueSlot) {
        self.wake_if(self.0.handoff.push(slot.place, None));
    }

    fn wake_if(&self, is_first: bool) {
        if is_first {
            self.0.mailbox.tell(Mail::HandedOff);
        }
    }

    /// Ends in order: takes nothing more over, lets calls under way finish for as long as `within`, and hands the rest
    /// back to the outbox, for other instances or the next start. Answers how many were handed back.
    pub async fn drain(&self, within: Duration) -> usize {
        self.0.shared.draining.store(true, Ordering::Relaxed);
        sleep(HANDOFF_DELAY).await; // what was handed off before comes in
        let (drained, mut report) = oneshot::channel();
        self.0.mailbox.tell(Mail::Drain(drained));
        if let Ok(count) = timeout(within, &mut report).await {
            return count.unwrap_or_default();
        }
        self.tell(Event::Abandon);
        let count = timeout(ROUND_LIMIT + SWEEP_EVERY, report).await;
        count.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// How it does.
    pub fn status(&self) -> QueueStatus {
        let shared = &self.0.shared;
        QueueStatus {
            capacity: self.0.capacity,
            queued: shared.queued.load(Ordering::Relaxed),
            in_flight: shared.in_flight.load(Ordering::Relaxed),
            draining: shared.draining.load(Ordering::Relaxed),
            providers: shared.gate.health(),
        }
    }

    fn tell(&self, event: Event) {
        self.0.mailbox.tell(Mail::Event(event));
    }
}
