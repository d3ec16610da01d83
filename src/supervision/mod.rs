//! Supervision that holds: what actix leaves out.
//!
//! actix's own `Supervisor` restarts an actor that *stopped*; one whose handler *panicked* is gone for good, and what
//! was queued for it is answered `Closed`. And a mailbox's capacity is no backpressure. Here a panic costs its own
//! caller alone ([`Supervision::start`]), and an actor is reached through a [`Mailbox`] that says `Busy` when it is
//! full. `tests/supervision/` pins down both what actix does and what this room adds.

mod mailbox;
mod restart;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{Actor, Context, Supervised};

pub use mailbox::{AskError, Mailbox, Slot};
pub use restart::Vitals;

use crate::clock::{Clock, SystemClock};

/// All supervised actors of a running service: asked by `/readyz` and `/metrics`.
#[derive(Clone)]
pub struct Supervision {
    clock: Arc<dyn Clock>,
    actors: Arc<Mutex<Vec<Arc<Vitals>>>>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl fmt::Debug for Supervision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervision").finish_non_exhaustive()
    }
}

impl Supervision {
    /// `clock` tells how long ago a restart was.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            actors: Arc::default(),
        }
    }

    /// Starts an actor on this thread; whenever it stops or panics, it is restarted with its mailbox kept.
    ///
    /// `name` labels it in metrics; `capacity` bounds the messages that wait or run.
    pub fn start<A>(
        &self,
        name: impl Into<String>,
        capacity: usize,
        make: impl FnOnce(&mut Context<A>) -> A,
    ) -> Mailbox<A>
    where
        A: Supervised + Actor<Context = Context<A>>,
    {
        Mailbox::start(self.enrol(name.into(), capacity), make)
    }

    /// The actors that restart without end.
    pub fn storming(&self) -> Vec<String> {
        self.all()
            .iter()
            .filter(|vitals| vitals.is_storming())
            .map(|vitals| vitals.name().to_owned())
            .collect()
    }

    /// The vital signs of every actor.
    pub fn all(&self) -> Vec<Arc<Vitals>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings the metrics of all actors up to date.
    #[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
    pub fn measure(&self) {
        for actor in self.all() {
            let labels = [("actor", actor.name().to_owned())];
            metrics::gauge!("ringback_actor_mailbox_depth", &labels).set(actor.depth() as f64);
            metrics::gauge!("ringback_actor_mailbox_capacity", &labels).set(actor.capacity() as f64);
            metrics::counter!("ringback_actor_restarts_total", &labels).absolute(actor.restarts());
        }
    }

    fn enrol(&self, name: String, capacity: usize) -> Arc<Vitals> {
        let vitals = Arc::new(Vitals::new(name, capacity, Arc::clone(&self.clock)));
        self.actors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&vitals));
        vitals
    }
}
