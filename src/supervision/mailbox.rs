//! The bounded way to an actor.

use std::sync::Arc;

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use super::Vitals;

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

/// A place in an actor's mailbox, given back when it is dropped.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

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
    pub(super) fn new(addr: Addr<A>, vitals: Arc<Vitals>) -> Self {
        Self { addr, vitals }
    }

    /// Sends a message and waits for its answer; the message holds a place until then.
    ///
    /// # Errors
    /// [`AskError::Busy`] at once when there is no place, [`AskError::Failed`] when the handler panicked.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let _slot = self.reserve()?;
        self.addr.send(message).await.map_err(|_| AskError::Failed)
    }

    /// Takes a place without sending yet: for work that must not begin unless it can be handed over.
    ///
    /// # Errors
    /// [`AskError::Busy`] when there is none.
    pub fn reserve(&self) -> Result<Slot, AskError> {
        Arc::clone(&self.vitals.places)
            .try_acquire_owned()
            .map(Slot)
            .map_err(|_| AskError::Busy)
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
