//! The shell around a shard: the actor `RateLimiter`, and what it is asked.
//!
//! An actor can move to another thread and take its counters along: while the service serves, each lives on the thread
//! of an HTTP worker, where most questions come from; at the start and at the end, on the main thread. Its successor
//! waits for the counters before it reads a message. What the old one still finds in its mailbox it returns as
//! [`Moved`], and whoever asked asks the successor.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Supervised, WrapFuture};
use tokio::sync::oneshot;

use super::shard::{Request, SLICES, Shard};
use crate::{
    limits::{
        gcra::QuotaStatus,
        rule::{Rule, RuleSet},
    },
    supervision::{Mailbox, Slot},
};

/// How often each key whose bucket is empty is dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Decides about requests by the counters that it owns.
pub struct RateLimiter {
    /// None until they have come, and when they have gone elsewhere.
    shard: Option<Shard>,
    /// Where they come from; what is begun with should they be lost on the way.
    from: Option<(oneshot::Receiver<Shard>, Shard)>,
    /// Who has them now.
    successor: Option<Mailbox<Self>>,
}

impl RateLimiter {
    pub fn new(shard: Shard) -> Self {
        Self {
            shard: Some(shard),
            from: None,
            successor: None,
        }
    }

    /// The successor of another one. If that one is gone with its thread, it begins with `if_lost`.
    pub fn taking_over(shard: oneshot::Receiver<Shard>, if_lost: Shard) -> Self {
        Self {
            shard: None,
            from: Some((shard, if_lost)),
            successor: None,
        }
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some((shard, if_lost)) = self.from.take() {
            context.wait(shard.into_actor(self).map(|shard, this, _| {
                this.shard = Some(shard.unwrap_or_else(|_| {
                    tracing::error!("the thread of a rate limiter has ended: its counters begin anew");
                    if_lost
                }));
            }));
        }
        // A slice at a time, so that no sweep holds requests up.
        let keys = metrics::gauge!("ringback_limiter_keys");
        context.run_interval(SWEEP_EVERY / SLICES as u32, move |this, _| {
            if let Some(shard) = &mut this.shard {
                shard.sweep_next();
                keys.set(shard.keys_held() as f64);
            }
        });
    }
}

impl Supervised for RateLimiter {}

/// The counters are elsewhere; the message comes back.
#[derive(Debug)]
pub struct Moved<M>(pub M);

/// Decides about a request.
#[derive(Message)]
#[rtype(result = "Result<Request, Moved<Request>>")]
pub struct Decide(pub Request);

impl Handler<Decide> for RateLimiter {
    type Result = Result<Request, Moved<Request>>;

    fn handle(&mut self, Decide(mut request): Decide, _: &mut Self::Context) -> Self::Result {
        let Some(shard) = &mut self.shard else {
            return Err(Moved(request));
        };
        shard.decide(&mut request);
        Ok(request)
    }
}

/// Decides about requests, one after the other.
#[derive(Message)]
#[rtype(result = "Result<Vec<Request>, Moved<Vec<Request>>>")]
pub struct DecideAll(pub Vec<Request>);

impl Handler<DecideAll> for RateLimiter {
    type Result = Result<Vec<Request>, Moved<Vec<Request>>>;

    fn handle(&mut self, DecideAll(mut requests): DecideAll, _: &mut Self::Context) -> Self::Result {
        let Some(shard) = &mut self.shard else {
            return Err(Moved(requests));
        };
        requests.iter_mut().for_each(|request| shard.decide(request));
        Ok(requests)
    }
}

/// Gives back what a request has spent.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GiveBack(pub Request, pub Slot);

impl Handler<GiveBack> for RateLimiter {
    type Result = ();

    fn handle(&mut self, GiveBack(request, slot): GiveBack, _: &mut Self::Context) {
        match (&mut self.shard, &self.successor) {
            (Some(shard), _) => shard.give_back(&request),
            (None, Some(successor)) => successor.tell(GiveBack(request, slot)),
            (None, None) => {}
        }
    }
}

/// What operators ask about one counter.
pub enum Question {
    Look,
    Reset,
}

/// A question about one counter. The answer is how it stands then.
#[derive(Message)]
#[rtype(result = "Result<QuotaStatus, Moved<()>>")]
pub struct Inspect {
    pub rule: Rule,
    pub key: String,
    pub hash: u64,
    pub question: Question,
}

impl Handler<Inspect> for RateLimiter {
    type Result = Result<QuotaStatus, Moved<()>>;

    fn handle(&mut self, message: Inspect, _: &mut Self::Context) -> Self::Result {
        let Inspect {
            rule,
            key,
            hash,
            question,
        } = message;
        let shard = self.shard.as_mut().ok_or(Moved(()))?;
        if let Question::Reset = question {
            shard.reset(&rule.id, &key, hash);
        }
        Ok(shard.look(&rule, &key, hash))
    }
}

/// Drops all keys whose buckets are empty: room is short.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Sweep;

impl Handler<Sweep> for RateLimiter {
    type Result = ();

    fn handle(&mut self, _: Sweep, _: &mut Self::Context) {
        self.shard.iter_mut().for_each(Shard::sweep);
    }
}

/// Says no more than that the counters have arrived.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Arrived;

impl Handler<Arrived> for RateLimiter {
    type Result = ();

    fn handle(&mut self, _: Arrived, _: &mut Self::Context) {}
}

/// Other rules are active: forgets the counters that belong to none of them.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retain(pub RuleSet);

impl Handler<Retain> for RateLimiter {
    type Result = ();

    fn handle(&mut self, message: Retain, _: &mut Self::Context) {
        match (&mut self.shard, &self.successor) {
            (Some(shard), _) => shard.retain(&message.0),
            (None, Some(successor)) => successor.tell(message),
            (None, None) => {}
        }
    }
}

/// Gives the counters to a successor, who gets all later messages.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HandOver {
    pub to: oneshot::Sender<Shard>,
    pub successor: Mailbox<RateLimiter>,
}

impl Handler<HandOver> for RateLimiter {
    type Result = ();

    fn handle(&mut self, HandOver { to, successor }: HandOver, _: &mut Self::Context) {
        if let Some(shard) = self.shard.take() {
            self.shard = to.send(shard).err(); // nobody waits for them any more: they stay
        }
        self.successor = self.shard.is_none().then_some(successor);
    }
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
