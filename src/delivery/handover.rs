//! Between the request that issued a code and the dispatcher: SMS wait here for a moment.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::job::Ticket;

/// An SMS is begun this long after it was handed over or a little later, when whoever asked for it has its answer: what an SMS
/// costs this machine must not show in the time of that answer, or it would tell which phones have accounts.
pub(super) const HANDOVER: Duration = Duration::from_millis(5);

/// What was handed over and isn't begun yet. The dispatcher is woken for the first, and comes back by itself for the
/// rest: to be woken by each costs more than all else that a request does here.
#[derive(Default)]
pub(super) struct Handover(Mutex<VecDeque<(Instant, Option<Ticket>)>>);

impl Handover {
    /// Adds an SMS; answers whether the dispatcher has to be told, as it waits for nothing yet.
    pub fn push(&self, ticket: Ticket) -> bool {
        let mut waiting = self.waiting();
        waiting.push_back((Instant::now(), Some(ticket)));
        waiting.len() == 1
    }

    /// Does as if one was added: takes the same way, and leaves a trace where there is none, so that it wakes the dispatcher
    /// exactly when an SMS would.
    pub fn pretend(&self) -> bool {
        let mut waiting = self.waiting();
        let now = Instant::now();
        let is_first = waiting.is_empty();
        if is_first {
            waiting.push_back((now, None));
        }
        is_first
    }

    /// Takes the next SMS that was handed over before this time.
    pub fn next_until(&self, time: Instant) -> Option<Ticket> {
        let mut waiting = self.waiting();
        loop {
            let (_, ticket) = waiting.pop_front_if(|(handed_over, _)| *handed_over <= time)?;
            if ticket.is_some() {
                return ticket;
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Instant, Option<Ticket>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
