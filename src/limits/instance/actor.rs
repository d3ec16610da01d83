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
mod tests {
    use std::{sync::Arc, thread};

    use chrono::DateTime;

    use super::*;
    use crate::limits::{Prices, shadow_counts::Shadows};
    use crate::{
        clock::ManualClock,
        limits::{
            active::ActiveRules,
            file,
            instance::{Ask, Full, InstanceCounters},
            operation::Operation,
        },
        supervision::Supervision,
        unavailable::Unavailable,
    };

    /// Fails in the middle of a decision.
    struct Fail;

    impl Message for Fail {
        type Result = ();
    }

    impl Handler<Fail> for RateLimiter {
        type Result = ();

        fn handle(&mut self, _: Fail, _: &mut Self::Context) {
            panic!("on purpose");
        }
    }

    fn counters(shards: usize) -> (Supervision, InstanceCounters) {
        let (supervision, now) = (
            Supervision::default(),
            DateTime::from_timestamp_nanos(1_800_000_000_000_000_000),
        );
        let clock = Arc::new(ManualClock::new(now));
        let counters = InstanceCounters::start(&supervision, shards, 100, clock);
        (supervision, counters)
    }

    fn rules() -> Arc<ActiveRules> {
        let rules = "[[rule]]\nid='r'\non='me'\nby='ip'\nquota=10\nper='30d'\nscope='instance'";
        Arc::new(ActiveRules::new(
            file::parse(rules, "test").unwrap(),
            1,
            true,
            &Arc::new(Prices::shipped()),
            &Shadows::default(),
        ))
    }

    fn request(counters: &InstanceCounters, key: &str) -> (usize, Request) {
        let rules = rules();
        let hash = counters.hash_of(rules.on(Operation::Me)[0].rule.by, key);
        let ask = Ask {
            at: 0,
            key: key.to_owned(),
            hash,
            answer: Err(Full),
        };
        let request = Request {
            rules,
            operation: Operation::Me,
            asks: vec![ask],
            spends: true,
        };
        (counters.shard_of(hash), request)
    }

    /// Waits for a thread while this one goes on, as it may be asked by the other.
    async fn joined(worker: thread::JoinHandle<()>) {
        let joined = tokio::task::spawn_blocking(|| worker.join());
        joined.await.unwrap().unwrap();
    }

    /// How many of so many requests pass.
    async fn admitted(counters: &InstanceCounters, key: &str, requests: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..requests {
            let (at, request) = request(counters, key);
            let decided = counters.decide(at, request).await.unwrap();
            admitted += usize::from(!decided.is_refused());
        }
        admitted
    }

    #[actix::test]
    async fn a_panic_costs_one_answer_and_no_counter() {
        let (supervision, counters) = counters(1);
        assert_eq!(admitted(&counters, "k", 4).await, 4);
        let failing = counters.shard(0).ask(Fail);
        assert!(failing.await.is_err());
        // What waits behind the failure is answered after the restart.
        let waiting = (0..3).map(|_| {
            let (at, request) = request(&counters, "k");
            counters.decide(at, request)
        });
        let failing = counters.shard(0).ask(Fail);
        let (failed, answers) =
            futures_util::future::join(failing, futures_util::future::join_all(waiting)).await;
        assert!(
            failed.is_err()
                && answers
                    .iter()
                    .all(|answer| answer.as_ref().is_ok_and(|d| !d.is_refused()))
        );
        assert_eq!(admitted(&counters, "k", 10).await, 3);
        assert_eq!(supervision.all()[0].restarts(), 2);
    }

    #[actix::test]
    async fn counters_move_to_another_thread_and_back_while_they_are_asked() {
        let (_, counters) = counters(3);
        let counters = Arc::new(counters);
        let keys: Vec<_> = (0..20).map(|n| format!("203.0.113.{n}")).collect();
        for key in &keys {
            assert_eq!(admitted(&counters, key, 4).await, 4);
        }
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let (settled, has_settled) = tokio::sync::oneshot::channel();
        let there = Arc::clone(&counters);
        let worker = thread::spawn(move || {
            actix::System::new().block_on(async {
                there.settle_here();
                there.settle_here();
                let _ = settled.send(());
                // Both threads ask.
                while left.try_recv().is_err() {
                    let _ = admitted(&there, "elsewhere", 1).await;
                    tokio::task::yield_now().await;
                }
            });
        });
        has_settled.await.unwrap();
        for key in &keys {
            assert_eq!(admitted(&counters, key, 3).await, 3, "{key}");
        }
        counters.gather_here().await;
        leave.send(()).unwrap();
        joined(worker).await;
        for key in &keys {
            assert_eq!(admitted(&counters, key, 10).await, 3, "{key}");
        }
        assert_eq!(admitted(&counters, "elsewhere", 10).await, 0);
    }

    #[actix::test]
    async fn counters_of_a_thread_that_ended_begin_anew_where_somebody_settles() {
        let (_, counters) = counters(1);
        let counters = Arc::new(counters);
        let there = Arc::clone(&counters);
        let worker = thread::spawn(move || {
            actix::System::new().block_on(async {
                there.settle_here();
                assert_eq!(admitted(&there, "k", 20).await, 10);
            });
        });
        joined(worker).await;
        let (at, lost) = request(&counters, "k");
        assert!(counters.decide(at, lost).await.is_err());
        counters.settle_here();
        assert_eq!(admitted(&counters, "k", 20).await, 10);
    }

    #[actix::test]
    async fn a_full_mailbox_is_said_at_once() {
        let (supervision, counters) = counters(1);
        let vitals = &supervision.all()[0];
        let slots: Vec<_> = std::iter::from_fn(|| counters.shard(0).reserve().ok()).collect();
        assert_eq!(
            (slots.len(), vitals.depth()),
            (vitals.capacity(), vitals.capacity())
        );
        let (at, more) = request(&counters, "k");
        let answer: Result<_, Unavailable> = counters.decide(at, more).await;
        assert!(answer.unwrap_err().is_full);
        drop(slots);
        assert_eq!((admitted(&counters, "k", 1).await, vitals.depth()), (1, 0));
    }
}
