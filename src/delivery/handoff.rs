//! Between the request that issued a code and the dispatcher: deliveries wait here for a moment.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::tracked::Delivery;
use crate::supervision::Slot;

/// A delivery is begun this long after it was handed off or a little later, when whoever asked for it has its answer: what a
/// message costs this machine must not show in the time of that answer, or it would tell which addresses have accounts.
pub(super) const HANDOFF_DELAY: Duration = Duration::from_millis(5);

/// What a request handed off: a place in the queue, with a delivery, or for a decoy with none.
pub(super) struct HandedOff {
    pub at: Instant,
    pub place: Slot,
    pub delivery: Option<Delivery>,
}

/// What was handed off and isn't begun yet. The dispatcher is woken for the first, and comes back by itself for the
/// rest: to be woken by each costs more than all else that a request does here.
#[derive(Default)]
pub(super) struct Handoff(Mutex<VecDeque<HandedOff>>);

impl Handoff {
    /// Adds a delivery or a decoy, at the same cost; answers whether the dispatcher has to be told, as it waits for nothing
    /// yet.
    pub fn push(&self, place: Slot, delivery: Option<Delivery>) -> bool {
        let mut waiting = self.waiting();
        waiting.push_back(HandedOff {
            at: Instant::now(),
            place,
            delivery,
        });
        waiting.len() == 1
    }

    /// Takes the next that was handed off before this time.
    pub fn next_until(&self, time: Instant) -> Option<HandedOff> {
        self.waiting().pop_front_if(|handed_off| handed_off.at <= time)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<HandedOff>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
