//! The bounded way to an actor.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, Supervised, dev::ToEnvelope};
use thiserror::Error;

use super::{Vitals, restart::Restarting};

/// Why an actor gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AskError {
    /// As many messages as allowed wait already.
    #[error("busy")]
    Busy,
    /// The actor failed over this very message.
    #[error("failed")]
    Failed,
}

/// Places in an actor's mailbox, one for most messages, given back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    vitals: Arc<Vitals>,
    places: usize,
}

impl Slot {
    /// Gives back all but so many.
    pub fn keep(&mut self, places: usize) {
        let kept = self.places.min(places);
        self.vitals.give_places(self.places - kept);
        self.places = kept;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.vitals.give_places(self.places);
    }
}

/// An actor's address with a bound. Each actor's folder wraps it in a handle with methods of its own, so that nobody
/// outside knows that there is an actor at all.
#[derive(Debug)]
pub struct Mailbox<A: Actor> {
    addr: Addr<A>,
    vitals: Arc<Vitals>,
}

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self {
            addr: self.addr.clone(),
            vitals: Arc::clone(&self.vitals),
        }
    }
}

impl<A: Actor> Mailbox<A> {
    /// Sends a message at once; the future waits for its answer, and the message holds a place until then.
    ///
    /// # Errors
    /// [`AskError::Busy`] when there is no place, [`AskError::Failed`] when the handler panicked.
    pub fn ask<M>(&self, message: M) -> impl Future<Output = Result<M::Result, AskError>> + use<A, M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.ask_as_many(message, 1)
    }

    /// The same for a message that is as much work as several, and holds so many places.
    pub fn ask_as_many<M>(
        &self,
        message: M,
        places: usize,
    ) -> impl Future<Output = Result<M::Result, AskError>> + use<A, M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let sent = self
            .reserve_many(places)
            .map(|slot| (self.addr.send(message), slot));
        async move {
            let (answer, _slot) = sent?;
            answer.await.map_err(|_| AskError::Failed)
        }
    }

    /// Takes a place without sending yet: for work that must not begin unless it can be handed over.
    ///
    /// # Errors
    /// [`AskError::Busy`] when there is none.
    pub fn reserve(&self) -> Result<Slot, AskError> {
        self.reserve_many(1)
    }

    /// The same for a message that is as much work as several: so many places, all of them at most.
    ///
    /// # Errors
    /// [`AskError::Busy`] when there are fewer.
    pub fn reserve_many(&self, places: usize) -> Result<Slot, AskError> {
        let places = places.min(self.vitals.capacity());
        match self.vitals.take_places(places) {
            true => Ok(Slot {
                vitals: Arc::clone(&self.vitals),
                places,
            }),
            false => Err(AskError::Busy),
        }
    }

    /// Hands over a message that carries its own [`Slot`], if it needs one, and waits for nothing.
    pub fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.addr.do_send(message);
    }
}

impl<A> Mailbox<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    /// Starts an actor on this thread under these vital signs.
    pub(super) fn start(vitals: Arc<Vitals>, make: impl FnOnce(&mut Context<A>) -> A) -> Self {
        let mut context = Context::new();
        // actix's own bound is out of the way: a place is needed for every message anyhow.
        context.set_mailbox_capacity(vitals.capacity());
        let actor = make(&mut context);
        let running = context.into_future(actor);
        let mailbox = Self {
            addr: running.address(),
            vitals: Arc::clone(&vitals),
        };
        actix::spawn(Restarting::new(running, vitals));
        mailbox
    }

    /// Starts another actor on this thread, which shares the name, the bound and the vital signs of this one: it is to
    /// take this one's place.
    pub fn start_successor(&self, make: impl FnOnce(&mut Context<A>) -> A) -> Self {
        Self::start(Arc::clone(&self.vitals), make)
    }

    /// Whether the actor can be reached at all. It can't any more when the thread that it ran on has ended.
    pub fn is_connected(&self) -> bool {
        self.addr.connected()
    }
}
