//! The actor around the dispatcher, and the handle by which everybody else reaches it.
//!
//! The actor does no more than to feed the state machine and to start the tasks that it asks for. A task reports by
//! message, and it reports even when it panics or is cancelled, so that the machine never waits for nothing.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Supervised};
use metrics::{counter, gauge};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Brand, CodeBook, Outbox, OutboxEntry, Recipient, SmsProvider,
    courier::{Courier, OTHER_LIMIT, ROUND_LIMIT},
    dispatcher::{Dispatcher, Effect, Event, Moment, Rules},
    job::{Errand, Fate, Ticket, Verdict},
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    supervision::{Mailbox, Slot, Supervision},
    unavailable::{Part, Unavailable},
};

/// How often leases are looked after and what nobody holds is taken over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// An SMS is begun this long after it was handed over, when whoever asked for it has its answer: what an SMS costs this
/// machine must not show in the time of that answer, or it would tell which phones have accounts.
const HANDOVER: Duration = Duration::from_millis(5);

/// The dispatcher's bounds (`[sms]` in the configuration).
#[derive(Debug, Clone)]
pub struct DispatcherOptions {
    /// SMS that wait or are under way, at most; beyond that, `reserve` says so.
    pub queue: usize,
    /// Calls to the provider at a time.
    pub in_flight: usize,
    /// How long an entry is ours before another instance may take it over. A call to the provider is cut off after
    /// half of it, so let it be more than twice the provider's own time-out.
    pub lease: Duration,
    /// Calls for one SMS, the first included.
    pub max_tries: u32,
    /// From the first call for an SMS to the last.
    pub retry_for: Duration,
    /// Whom the SMS is from, in its text.
    pub brand: Brand,
    /// How long a code lives.
    pub ttl: Duration,
}

/// An SMS fresh from the issuing of its code.
#[derive(Debug)]
pub struct SmsJob {
    pub entry: OutboxEntry,
    pub recipient: Recipient,
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
pub struct QueueSlot(Slot);

/// How the dispatcher does: for `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsStatus {
    /// SMS that may be here at a time.
    pub capacity: usize,
    /// SMS that wait for a call, or for the next one.
    pub queued: usize,
    /// Calls under way.
    pub in_flight: usize,
    /// Whether the service is ending, and takes no more.
    pub draining: bool,
    /// Whether the provider's last final answer was that nothing will go out until an operator acts.
    pub misconfigured: bool,
}

/// The way to the dispatcher. Clones are handles to the same one, which ends with the last of them.
#[derive(Clone)]
pub struct SmsQueue(Arc<Inner>);

struct Inner {
    mailbox: Mailbox<SmsDispatcher>,
    capacity: usize,
    signs: Arc<Signs>,
}

/// What the actor tells about itself without being asked.
#[derive(Default)]
struct Signs {
    queued: AtomicUsize,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    misconfigured: AtomicBool,
}

impl SmsQueue {
    /// Starts the dispatcher on this thread, which must run an actix system.
    pub fn start(
        supervision: &Supervision,
        options: DispatcherOptions,
        provider: Arc<dyn SmsProvider>,
        outbox: Arc<dyn Outbox>,
        code_book: Arc<dyn CodeBook>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let call_limit = options.lease / 2;
        let rules = Rules {
            queue: options.queue,
            in_flight: options.in_flight,
            lease: options.lease,
            max_tries: options.max_tries,
            retry_for: options.retry_for,
            stuck_after: call_limit + OTHER_LIMIT,
        };
        let courier = Courier {
            provider,
            outbox,
            code_book,
            clock,
            entropy: Arc::clone(&entropy),
            brand: options.brand,
            ttl: options.ttl,
            call_limit,
        };
        let signs = Arc::<Signs>::default();
        let inner = Arc::new_cyclic(|queue| {
            let dispatcher = SmsDispatcher {
                dispatcher: Dispatcher::new(rules, entropy),
                courier: Arc::new(courier),
                queue: Weak::clone(queue),
                signs: Arc::clone(&signs),
                drained: Vec::new(),
            };
            Inner {
                mailbox: supervision.start("sms_dispatcher", options.queue, |_| dispatcher),
                capacity: options.queue,
                signs,
            }
        });
        Self(inner)
    }

    /// Takes a place: before a code is issued, so that nothing is issued that could not be sent.
    ///
    /// # Errors
    /// [`Unavailable`] at once when there is no place, or when the service is ending.
    pub fn reserve(&self) -> Result<QueueSlot, Unavailable> {
        if self.0.signs.draining.load(Ordering::Relaxed) {
            return Err(Unavailable::new(Part::SmsQueue, "ending"));
        }
        let place = self.0.mailbox.reserve();
        place
            .map(QueueSlot)
            .map_err(|_| Unavailable::full(Part::SmsQueue))
    }

    /// Hands an SMS over, and waits for nothing: the outbox owes it already.
    pub fn submit(&self, slot: QueueSlot, job: SmsJob) {
        self.0.mailbox.tell(Mail::Submit(Some(Ticket {
            errand: Arc::new(Errand {
                entry: job.entry,
                recipient: Some(job.recipient),
            }),
            place: Some(slot.0),
        })));
    }

    /// Gives a place back where no SMS is due, by the way that one would take: the two cost the caller the same.
    pub fn pass(&self, slot: QueueSlot) {
        self.0.mailbox.tell(Mail::Submit(None));
        drop(slot);
    }

    /// Ends in order: takes nothing more over, lets calls under way finish for as long as `within`, and hands the rest
    /// back to the outbox, for other instances or the next start. Answers how many were handed back.
    pub async fn drain(&self, within: Duration) -> usize {
        self.0.signs.draining.store(true, Ordering::Relaxed);
        sleep(HANDOVER).await; // what was handed over before comes in
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
    pub fn status(&self) -> SmsStatus {
        let signs = &self.0.signs;
        SmsStatus {
            capacity: self.0.capacity,
            queued: signs.queued.load(Ordering::Relaxed),
            in_flight: signs.in_flight.load(Ordering::Relaxed),
            draining: signs.draining.load(Ordering::Relaxed),
            misconfigured: signs.misconfigured.load(Ordering::Relaxed),
        }
    }

    fn tell(&self, event: Event) {
        self.0.mailbox.tell(Mail::Event(event));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
enum Mail {
    Event(Event),
    /// Begin an SMS after the handover, or nothing.
    Submit(Option<Ticket>),
    /// Drain, and tell when that is done.
    Drain(oneshot::Sender<usize>),
}

/// Where a task's report goes: sent when this is dropped, with what is true if the task never got to its end.
struct Report {
    to: Addr<SmsDispatcher>,
    event: Option<Event>,
}

impl Report {
    fn send(mut self, event: Event) {
        self.event = Some(event);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.to.do_send(Mail::Event(event));
        }
    }
}

/// The actor. All that it holds outlives a restart.
struct SmsDispatcher {
    dispatcher: Dispatcher,
    courier: Arc<Courier>,
    /// Weak, or the actor would keep itself alive.
    queue: Weak<Inner>,
    signs: Arc<Signs>,
    drained: Vec<oneshot::Sender<usize>>,
}

impl Actor for SmsDispatcher {
    type Context = Context<Self>;

    /// Called at each restart, too, which has cancelled what was to run later.
    fn started(&mut self, context: &mut Self::Context) {
        Self::tick_later(context);
    }
}

impl Supervised for SmsDispatcher {}

impl Handler<Mail> for SmsDispatcher {
    type Result = ();

    fn handle(&mut self, mail: Mail, context: &mut Self::Context) {
        match mail {
            Mail::Event(event) => self.step(event, context),
            Mail::Submit(ticket) => {
                context.run_later(HANDOVER, |this, context| {
                    this.step(ticket.map_or(Event::Wake, Event::Submitted), context);
                });
            }
            Mail::Drain(drained) => {
                self.drained.push(drained);
                self.step(Event::Drain, context);
            }
        }
    }
}

impl SmsDispatcher {
    /// Ticks for as long as somebody holds a handle; an interval would keep the actor alive for ever.
    fn tick_later(context: &mut Context<Self>) {
        context.run_later(SWEEP_EVERY, |this, context| {
            if this.queue.strong_count() > 0 {
                Self::tick_later(context);
                this.step(Event::Tick, context);
            }
        });
    }

    fn step(&mut self, event: Event, context: &mut Context<Self>) {
        let now = Moment {
            at: Instant::now(),
            wall_ms: self.courier.clock.now_ms(),
        };
        for effect in self.dispatcher.on(event, now) {
            self.perform(effect, now.at, context);
        }
        let (queued, in_flight) = (self.dispatcher.queued(), self.dispatcher.in_flight());
        self.signs.queued.store(queued, Ordering::Relaxed);
        self.signs.in_flight.store(in_flight, Ordering::Relaxed);
        gauge!("ringback_sms_queue_depth").set(queued as f64);
        gauge!("ringback_sms_in_flight").set(in_flight as f64);
    }

    fn perform(&mut self, effect: Effect, now: Instant, context: &Context<Self>) {
        let courier = Arc::clone(&self.courier);
        let provider = courier.provider.name();
        let report = |unless: Event| Report {
            to: context.address(),
            event: Some(unless),
        };
        match effect {
            Effect::Attempt { errand, renew, retry } => {
                if retry {
                    counter!("ringback_sms_retries_total", "provider" => provider).increment(1);
                }
                let id = errand.id();
                let attempted = move |verdict| Event::Attempted { id, verdict };
                let report = report(attempted(Verdict::Lost));
                tokio::spawn(async move { report.send(attempted(courier.attempt(&errand, renew).await)) });
            }
            Effect::Settle { errand, fate } => {
                if matches!(fate, Fate::Accepted | Fate::Misconfigured) {
                    let misconfigured = fate == Fate::Misconfigured;
                    self.signs.misconfigured.store(misconfigured, Ordering::Relaxed);
                }
                let report = report(Event::Settled { id: errand.id() });
                tokio::spawn(async move {
                    courier.settle(&errand.entry, fate).await;
                    drop(report);
                });
            }
            Effect::Renew(errands) => {
                let renewed = move |held, gone| Event::Renewed {
                    since: now,
                    held,
                    gone,
                };
                let report = report(renewed(Vec::new(), Vec::new()));
                tokio::spawn(async move {
                    let (held, gone) = courier.renew(errands).await;
                    report.send(renewed(held, gone));
                });
            }
            Effect::TakeOver { limit } => {
                let taken = move |tickets| Event::TakenOver { tickets, since: now };
                let report = report(taken(Vec::new()));
                let places = self.places(limit);
                tokio::spawn(async move {
                    let entries = courier.take_over(places.len()).await.into_iter();
                    let tickets = entries.zip(places).map(|(entry, place)| Ticket {
                        errand: Arc::new(Errand {
                            entry,
                            recipient: None,
                        }),
                        place: Some(place),
                    });
                    report.send(taken(tickets.collect()));
                });
            }
            Effect::HandBack(errands) => {
                let ids: Vec<_> = errands.iter().map(|errand| errand.id()).collect();
                let handed_back = move |done| Event::HandedBack { ids, done };
                let report = report(handed_back.clone()(0));
                tokio::spawn(async move { report.send(handed_back(courier.hand_back(errands).await)) });
            }
            Effect::WakeAt(until) => {
                let report = report(Event::Wake);
                tokio::spawn(async move {
                    sleep_until(until).await;
                    drop(report);
                });
            }
            Effect::Superseded(count) => {
                let outcome = Fate::Superseded.name();
                counter!("ringback_sms_total", "provider" => provider, "outcome" => outcome)
                    .increment(count as u64);
            }
            Effect::LeftToLease => tracing::warn!("an SMS is left to the outbox until its lease runs out"),
            Effect::Drained { handed_back } => {
                for drained in self.drained.drain(..) {
                    // Whoever asked may have gone.
                    let _ = drained.send(handed_back);
                }
            }
        }
    }

    /// Free places, as many as there are up to `limit`.
    fn places(&self, limit: usize) -> Vec<Slot> {
        let queue = self.queue.upgrade();
        let places = (0..limit).map_while(|_| queue.as_ref()?.mailbox.reserve().ok());
        places.collect()
    }
}
