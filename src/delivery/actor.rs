//! The actor around the dispatcher.
//!
//! The actor does no more than to feed the state machine and to start the tasks that it asks for. A task reports by
//! message, and it reports even when it panics or is cancelled, so that the machine never waits for nothing.

use std::{
    mem,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Supervised};
use metrics::{Gauge, counter, gauge};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    Health,
    call::Callee,
    dispatcher::Dispatcher,
    handoff::{HANDOFF_DELAY, Handoff},
    io::DeliveryIo,
    router::ProviderId,
    shared::Shared,
    steps::{Effect, Event, Moment},
    tracked::{AttemptOutcome, Delivery, Disposition, LookupOutcome, Tracked},
};
use crate::supervision::{Mailbox, Slot};

/// How often leases are looked after and what nobody holds is taken over.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum Mail {
    Event(Event),
    /// Something was handed off, to be begun in a moment.
    HandedOff,
    /// Drain, and tell when that is done.
    Drain(oneshot::Sender<usize>),
}

/// Where a task's report goes: sent when this is dropped, with what is true if the task never got to its end.
struct Reply {
    to: Addr<DispatcherActor>,
    event: Option<Event>,
}

impl Reply {
    fn send(mut self, event: Event) {
        self.event = Some(event);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.to.do_send(Mail::Event(event));
        }
    }
}

/// What each step shows, found once.
pub(super) struct Gauges {
    queue_depth: Gauge,
    /// Of each provider.
    in_flight: Vec<Gauge>,
}

impl Gauges {
    pub(super) fn of(io: &DeliveryIo) -> Self {
        let in_flight = |callee: &Callee| gauge!("ringback_delivery_in_flight", &callee.labels());
        Self {
            queue_depth: gauge!("ringback_delivery_queue_depth"),
            in_flight: io.providers.iter().map(in_flight).collect(),
        }
    }
}

/// The actor. All that it holds outlives a restart.
pub(super) struct DispatcherActor {
    pub(super) dispatcher: Dispatcher,
    pub(super) io: Arc<DeliveryIo>,
    /// Its own, which lives as long as the handles do. Weak, or the actor would keep itself alive.
    pub(super) mailbox: Weak<Mailbox<Self>>,
    pub(super) shared: Arc<Shared>,
    pub(super) gauges: Gauges,
    pub(super) drained: Vec<oneshot::Sender<usize>>,
    pub(super) handoff: Arc<Handoff>,
    /// Whether it comes back by itself for what was handed off.
    pub(super) comes_back: bool,
}

impl Actor for DispatcherActor {
    type Context = Context<Self>;

    /// Called at each restart, too, which has cancelled what was to run later.
    fn started(&mut self, context: &mut Self::Context) {
        Self::tick_later(context);
        self.comes_back = false;
        self.begin_later(context);
        for (callee, status) in self.io.providers.iter().zip(self.shared.gate.health()) {
            show_health(callee, status.health);
        }
    }
}

impl Supervised for DispatcherActor {}

impl Handler<Mail> for DispatcherActor {
    type Result = ();

    fn handle(&mut self, mail: Mail, context: &mut Self::Context) {
        match mail {
            Mail::Event(event) => self.step(event, context),
            Mail::HandedOff => self.begin_later(context),
            Mail::Drain(drained) => {
                self.drained.push(drained);
                self.begin_until(Instant::now(), context);
                self.step(Event::Drain, context);
            }
        }
    }
}

impl DispatcherActor {
    /// Ticks for as long as somebody holds a handle; an interval would keep the actor alive for ever.
    fn tick_later(context: &mut Context<Self>) {
        context.run_later(SWEEP_EVERY, |this, context| {
            if this.mailbox.strong_count() > 0 {
                Self::tick_later(context);
                this.io.providers.iter().for_each(Callee::tell_recovered);
                this.step(Event::Tick, context);
            }
        });
    }

    /// Comes back for what was handed off, every moment for as long as something is.
    fn begin_later(&mut self, context: &mut Context<Self>) {
        if self.handoff.is_empty() || mem::replace(&mut self.comes_back, true) {
            return;
        }
        context.run_later(HANDOFF_DELAY, |this, context| {
            this.comes_back = false;
            this.begin_until(Instant::now() - HANDOFF_DELAY, context);
            this.begin_later(context);
        });
    }

    /// Begins what was handed off before this time.
    fn begin_until(&mut self, time: Instant, context: &mut Context<Self>) {
        while let Some(handed_off) = self.handoff.next_until(time) {
            // Of a decoy, the place alone: free again from here on.
            if let Some(delivery) = handed_off.delivery {
                let tracked = Tracked::new(Arc::new(delivery), Some(handed_off.place), Instant::now());
                self.step(Event::Submitted(tracked), context);
            }
        }
    }

    fn step(&mut self, event: Event, context: &mut Context<Self>) {
        let now = Moment {
            at: Instant::now(),
            wall_ms: self.io.clock.now_ms(),
        };
        for effect in self.dispatcher.on(event, now) {
            self.perform(effect, now.at, context);
        }
        let (queued, in_flight) = (self.dispatcher.queued(), self.dispatcher.in_flight());
        self.shared.queued.store(queued, Ordering::Relaxed);
        let all: usize = in_flight.iter().sum();
        self.shared.in_flight.store(all, Ordering::Relaxed);
        self.gauges.queue_depth.set(queued as f64);
        for (gauge, calls) in self.gauges.in_flight.iter().zip(in_flight) {
            gauge.set(calls as f64);
        }
    }

    fn perform(&mut self, effect: Effect, now: Instant, context: &Context<Self>) {
        let tasks = Tasks {
            io: Arc::clone(&self.io),
            to: context.address(),
        };
        match effect {
            Effect::Attempt {
                delivery,
                provider,
                renew,
                retry,
            } => {
                if retry {
                    let labels = self.io.providers[provider].labels();
                    counter!("ringback_delivery_retries_total", &labels).increment(1);
                }
                tasks.attempt(delivery, provider, renew);
            }
            Effect::LookUp {
                delivery,
                provider,
                renew,
            } => tasks.look_up(delivery, provider, renew),
            Effect::Settle {
                delivery,
                provider,
                disposition,
            } => tasks.settle(delivery, provider, disposition),
            Effect::Acknowledge(deliveries) => tasks.acknowledge(deliveries),
            Effect::Renew(deliveries) => tasks.renew(deliveries, now),
            Effect::TakeOver { limit } => tasks.take_over(self.places(limit), now),
            Effect::HandBack(deliveries) => tasks.hand_back(deliveries),
            Effect::WakeAt(until) => tasks.wake_at(until),
            Effect::Superseded(count) => self.io.count(None, Disposition::Superseded, count),
            Effect::LeftToLease { provider } => {
                self.io.count(None, Disposition::Left, 1);
                let name = provider.map(|provider| self.io.providers[provider].provider.name());
                tracing::warn!(
                    delivery.provider = name,
                    "a message is left to the outbox until its lease runs out"
                );
            }
            Effect::Turned {
                provider,
                health,
                opens,
            } => {
                let was_probe = self.shared.gate.health()[provider].health == Health::Probing;
                self.shared.gate.tell(provider, health, opens);
                tell_turn(&self.io.providers[provider], was_probe, health);
            }
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
        let mailbox = self.mailbox.upgrade();
        let places = (0..limit).map_while(|_| mailbox.as_ref()?.reserve().ok());
        places.collect()
    }
}

/// Starts the tasks that do the I/O, one for each effect. Each reports the event that it ends in.
struct Tasks {
    io: Arc<DeliveryIo>,
    to: Addr<DispatcherActor>,
}

impl Tasks {
    fn attempt(self, delivery: Arc<Delivery>, provider: ProviderId, renew: bool) {
        let id = delivery.id();
        let attempted = move |outcome| Event::Attempted { id, outcome };
        let (io, report) = self.report(attempted(AttemptOutcome::Lost));
        tokio::spawn(async move {
            let outcome = io.attempt(&delivery, provider, renew).await;
            report.send(attempted(outcome));
        });
    }

    fn look_up(self, delivery: Arc<Delivery>, provider: ProviderId, renew: bool) {
        let id = delivery.id();
        let looked_up = move |outcome| Event::LookedUp { id, outcome };
        let (io, report) = self.report(looked_up(LookupOutcome::Unknown));
        tokio::spawn(async move {
            let outcome = io.look_up(&delivery, provider, renew).await;
            report.send(looked_up(outcome));
        });
    }

    fn settle(self, delivery: Arc<Delivery>, provider: Option<ProviderId>, disposition: Disposition) {
        let id = delivery.id();
        let settled = move |done| Event::Settled { id, done };
        let (io, report) = self.report(settled(false));
        tokio::spawn(async move {
            let done = io.settle(&delivery.entry, provider, disposition).await;
            report.send(settled(done));
        });
    }

    fn acknowledge(self, deliveries: Vec<Arc<Delivery>>) {
        let acknowledged = |ids| Event::Acknowledged { ids };
        let (io, report) = self.report(acknowledged(Vec::new()));
        tokio::spawn(async move {
            let ids = io.acknowledge(deliveries).await;
            report.send(acknowledged(ids));
        });
    }

    fn renew(self, deliveries: Vec<Arc<Delivery>>, since: Instant) {
        let renewed = move |held, gone| Event::Renewed { since, held, gone };
        let (io, report) = self.report(renewed(Vec::new(), Vec::new()));
        tokio::spawn(async move {
            let (held, gone) = io.renew(deliveries).await;
            report.send(renewed(held, gone));
        });
    }

    /// Takes over as many as there are places.
    fn take_over(self, places: Vec<Slot>, since: Instant) {
        let taken = move |deliveries| Event::TakenOver { deliveries, since };
        let (io, report) = self.report(taken(Vec::new()));
        tokio::spawn(async move {
            let entries = io.take_over(places.len()).await.into_iter();
            let deliveries = entries.zip(places).map(|(entry, place)| {
                let recipient = None;
                Tracked::new(Arc::new(Delivery { entry, recipient }), Some(place), since)
            });
            report.send(taken(deliveries.collect()));
        });
    }

    fn hand_back(self, deliveries: Vec<Arc<Delivery>>) {
        let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id()).collect();
        let handed_back = move |done| Event::HandedBack { ids, done };
        let (io, report) = self.report(handed_back.clone()(0));
        tokio::spawn(async move { report.send(handed_back(io.hand_back(deliveries).await)) });
    }

    fn wake_at(self, until: Instant) {
        let (_, report) = self.report(Event::Wake);
        tokio::spawn(async move {
            sleep_until(until).await;
            drop(report);
        });
    }

    /// What a task needs: the I/O, and where it reports, with what is true if it never gets to its end.
    fn report(self, unless: Event) -> (Arc<DeliveryIo>, Reply) {
        let reply = Reply {
            to: self.to,
            event: Some(unless),
        };
        (self.io, reply)
    }
}

fn show_health(callee: &Callee, health: Health) {
    gauge!("ringback_delivery_breaker_state", &callee.labels()).set(f64::from(health.number()));
}

/// Says that a provider does better, or worse. That a probe came to nothing is no news: what goes on failing is said by
/// whoever calls it.
fn tell_turn(callee: &Callee, was_probe: bool, health: Health) {
    show_health(callee, health);
    let [name, channel] = callee.labels();
    counter!(
        "ringback_delivery_breaker_turns_total",
        &[name, channel, ("to", health.name())]
    )
    .increment(1);
    let provider = callee.provider.name();
    match health {
        Health::Working => tracing::info!(delivery.provider = provider, "the provider takes messages again"),
        Health::Probing => tracing::debug!(
            delivery.provider = provider,
            "one message is tried with the provider"
        ),
        Health::Failing | Health::Stopped if was_probe => {
            tracing::debug!(delivery.provider = provider, "the provider took it no better");
        }
        Health::Failing => tracing::warn!(
            delivery.provider = provider,
            "the provider fails: it is left alone for a while"
        ),
        Health::Stopped => tracing::error!(
            delivery.provider = provider,
            "STOPPED: the provider takes nothing until an operator acts; codes that no other could carry are refused"
        ),
    }
}
