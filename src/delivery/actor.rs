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
    courier::Courier,
    dispatcher::Dispatcher,
    handover::{HANDOVER, Handover},
    job::{Errand, Fate, Finding, Ticket, Verdict},
    queue::{Inner, Signs},
    steps::{Effect, Event, Moment},
};
use crate::supervision::Slot;

/// How often leases are looked after and what nobody holds is taken over.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum Mail {
    Event(Event),
    /// Something was handed over, to be begun in a moment.
    HandedOver,
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

/// What each step shows, found once.
pub(super) struct Gauges {
    queue_depth: Gauge,
    /// Of each line.
    in_flight: Vec<Gauge>,
}

impl Gauges {
    pub(super) fn of(courier: &Courier) -> Self {
        let names = courier.providers.iter().map(|provider| provider.name());
        Self {
            queue_depth: gauge!("ringback_sms_queue_depth"),
            in_flight: names
                .map(|name| gauge!("ringback_sms_in_flight", "provider" => name))
                .collect(),
        }
    }
}

/// The actor. All that it holds outlives a restart.
pub(super) struct SmsDispatcher {
    pub(super) dispatcher: Dispatcher,
    pub(super) courier: Arc<Courier>,
    /// Weak, or the actor would keep itself alive.
    pub(super) queue: Weak<Inner>,
    pub(super) signs: Arc<Signs>,
    pub(super) gauges: Gauges,
    pub(super) drained: Vec<oneshot::Sender<usize>>,
    pub(super) handover: Arc<Handover>,
    /// Whether it comes back by itself for what was handed over.
    pub(super) comes_back: bool,
}

impl Actor for SmsDispatcher {
    type Context = Context<Self>;

    /// Called at each restart, too, which has cancelled what was to run later.
    fn started(&mut self, context: &mut Self::Context) {
        Self::tick_later(context);
        self.comes_back = false;
        self.begin_later(context);
        for (provider, health) in self.signs.gate.health() {
            show_health(provider, health);
        }
    }
}

impl Supervised for SmsDispatcher {}

impl Handler<Mail> for SmsDispatcher {
    type Result = ();

    fn handle(&mut self, mail: Mail, context: &mut Self::Context) {
        match mail {
            Mail::Event(event) => self.step(event, context),
            Mail::HandedOver => self.begin_later(context),
            Mail::Drain(drained) => {
                self.drained.push(drained);
                self.begin_until(Instant::now(), context);
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

    /// Comes back for what was handed over, every moment for as long as something is.
    fn begin_later(&mut self, context: &mut Context<Self>) {
        if self.handover.is_empty() || mem::replace(&mut self.comes_back, true) {
            return;
        }
        context.run_later(HANDOVER, |this, context| {
            this.comes_back = false;
            this.begin_until(Instant::now() - HANDOVER, context);
            this.begin_later(context);
        });
    }

    /// Begins what was handed over before this time.
    fn begin_until(&mut self, time: Instant, context: &mut Context<Self>) {
        while let Some(ticket) = self.handover.next_until(time) {
            self.step(Event::Submitted(ticket), context);
        }
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
        let all: usize = in_flight.iter().sum();
        self.signs.in_flight.store(all, Ordering::Relaxed);
        self.gauges.queue_depth.set(queued as f64);
        for (gauge, calls) in self.gauges.in_flight.iter().zip(in_flight) {
            gauge.set(calls as f64);
        }
    }

    fn perform(&mut self, effect: Effect, now: Instant, context: &Context<Self>) {
        let courier = Arc::clone(&self.courier);
        let report = |unless: Event| Report {
            to: context.address(),
            event: Some(unless),
        };
        match effect {
            Effect::Attempt {
                errand,
                line,
                renew,
                retry,
            } => {
                if retry {
                    let provider = courier.name(Some(line));
                    counter!("ringback_sms_retries_total", "provider" => provider).increment(1);
                }
                let id = errand.id();
                let attempted = move |verdict| Event::Attempted { id, verdict };
                let report = report(attempted(Verdict::Lost));
                tokio::spawn(async move {
                    let verdict = courier.attempt(&errand, line, renew).await;
                    report.send(attempted(verdict));
                });
            }
            Effect::LookUp { errand, line, renew } => {
                let id = errand.id();
                let looked_up = move |finding| Event::LookedUp { id, finding };
                let report = report(looked_up(Finding::Unknown));
                tokio::spawn(async move {
                    let finding = courier.look_up(&errand, line, renew).await;
                    report.send(looked_up(finding));
                });
            }
            Effect::Settle { errand, line, fate } => {
                let id = errand.id();
                let settled = move |done| Event::Settled { id, done };
                let report = report(settled(false));
                tokio::spawn(async move {
                    let done = courier.settle(&errand.entry, line, fate).await;
                    report.send(settled(done));
                });
            }
            Effect::Acknowledge(errands) => {
                let acknowledged = |ids| Event::Acknowledged { ids };
                let report = report(acknowledged(Vec::new()));
                tokio::spawn(async move {
                    let ids = courier.acknowledge(errands).await;
                    report.send(acknowledged(ids));
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
            Effect::Superseded(count) => courier.count(None, Fate::Superseded, count),
            Effect::LeftToLease => {
                courier.count(None, Fate::Left, 1);
                tracing::warn!("an SMS is left to the outbox until its lease runs out");
            }
            Effect::Turned { line, health, opens } => {
                self.signs.gate.tell(line, health, opens);
                tell_turn(courier.name(Some(line)), health);
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
        let queue = self.queue.upgrade();
        let places = (0..limit).map_while(|_| queue.as_ref()?.mailbox.reserve().ok());
        places.collect()
    }
}

fn show_health(provider: &'static str, health: Health) {
    gauge!("ringback_sms_breaker_state", "provider" => provider).set(f64::from(health.number()));
}

/// Says that a provider does better, or worse.
fn tell_turn(provider: &'static str, health: Health) {
    show_health(provider, health);
    counter!("ringback_sms_breaker_turns_total", "provider" => provider, "to" => health.name()).increment(1);
    match health {
        Health::Working => tracing::info!(sms.provider = provider, "the provider takes SMS again"),
        Health::Probing => tracing::debug!(sms.provider = provider, "one SMS is tried with the provider"),
        Health::Failing => tracing::warn!(
            sms.provider = provider,
            "the provider fails: it is left alone for a while"
        ),
        Health::Stopped => tracing::error!(
            sms.provider = provider,
            "STOPPED: the provider takes nothing until an operator acts; codes that no other could carry are refused"
        ),
    }
}
