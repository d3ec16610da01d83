//! Where each shard's actor lives.

use std::{
    mem,
    sync::{PoisonError, RwLock, RwLockReadGuard},
    thread::{self, ThreadId},
};

use super::actor::RateLimiter;
use crate::{
    supervision::{AskError, Mailbox},
    unavailable::{Part, Unavailable},
};

/// An actor, and the thread that it lives on.
pub struct Place {
    mailbox: Mailbox<RateLimiter>,
    thread: ThreadId,
}

impl Place {
    /// Of an actor that was started on this thread.
    pub fn here(mailbox: Mailbox<RateLimiter>) -> Self {
        let thread = thread::current().id();
        Self { mailbox, thread }
    }

    pub fn mailbox(&self) -> &Mailbox<RateLimiter> {
        &self.mailbox
    }

    /// Whether it lives on the thread that asks: no other has to be woken for its answer.
    pub fn is_here(&self) -> bool {
        self.thread == thread::current().id()
    }
}

/// The places of all shards.
pub struct Places(Vec<RwLock<Place>>);

impl Places {
    pub fn new(places: impl Iterator<Item = Place>) -> Self {
        Self(places.map(RwLock::new).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn of(&self, at: usize) -> RwLockReadGuard<'_, Place> {
        self.0[at].read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn all(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Place>> {
        (0..self.0.len()).map(|at| self.of(at))
    }

    /// Puts what `start` makes of the actor that is there, on this thread, in its place. Gives both: the old one, and the new one.
    pub fn replace(
        &self,
        at: usize,
        start: impl FnOnce(&Mailbox<RateLimiter>) -> Mailbox<RateLimiter>,
    ) -> (Mailbox<RateLimiter>, Mailbox<RateLimiter>) {
        let mut place = self.0[at].write().unwrap_or_else(PoisonError::into_inner);
        let new = start(&place.mailbox);
        let old = mem::replace(&mut *place, Place::here(new.clone()));
        (old.mailbox, new)
    }
}

pub fn unavailable(error: AskError) -> Unavailable {
    match error {
        AskError::Busy => Unavailable::full(Part::RateLimiter),
        AskError::Failed => Unavailable::new(Part::RateLimiter, error),
    }
}
