//! actix 0.13 as it is: why the room exists. If one of these fails after an update, the room can be made simpler.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::prelude::*;

use super::eventually;

/// Counts what it is asked, and fails on demand.
#[derive(Default)]
struct Clerk {
    answered: usize,
    ticks: Arc<AtomicUsize>,
    started: Arc<AtomicUsize>,
    stops_in_started: usize,
    capacity: Option<usize>,
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(capacity) = self.capacity {
            context.set_mailbox_capacity(capacity);
        }
        if self.started.fetch_add(1, Ordering::SeqCst) < self.stops_in_started {
            context.stop();
        }
    }
}

impl Supervised for Clerk {}

#[derive(Message)]
#[rtype(result = "usize")]
enum Ask {
    Count,
    Panic,
    Stop,
    Tick,
}

impl Handler<Ask> for Clerk {
    type Result = usize;

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) -> usize {
        match ask {
            Ask::Count => {}
            Ask::Panic => panic!("as the test wants it"),
            Ask::Stop => context.stop(),
            Ask::Tick => {
                let ticks = Arc::clone(&self.ticks);
                context.run_interval(Duration::from_millis(5), move |_, _| {
                    ticks.fetch_add(1, Ordering::SeqCst);
                });
            }
        }
        self.answered += 1;
        self.answered
    }
}

/// Fails in the future that a handler gives back.
#[derive(Message)]
#[rtype(result = "()")]
enum FailLater {
    Apart,
    WithTheActor,
}

impl Handler<FailLater> for Clerk {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, how: FailLater, context: &mut Self::Context) -> Self::Result {
        if let FailLater::WithTheActor = how {
            let failing = async { panic!("as the test wants it") }.into_actor(self);
            context.spawn(failing);
            return Box::pin(async {});
        }
        Box::pin(async { panic!("as the test wants it") })
    }
}

#[actix::test]
async fn a_panic_in_a_handler_ends_a_supervised_actor_and_all_that_is_queued() {
    let clerk = Supervisor::start(|_| Clerk::default());
    assert_eq!(clerk.send(Ask::Count).await, Ok(1));
    let fatal = clerk.send(Ask::Panic);
    let queued: Vec<_> = (0..5).map(|_| clerk.send(Ask::Count)).collect();
    assert_eq!(fatal.await, Err(MailboxError::Closed));
    for answer in queued {
        assert_eq!(answer.await, Err(MailboxError::Closed));
    }
    assert_eq!(clerk.send(Ask::Count).await, Err(MailboxError::Closed));
    assert!(!clerk.connected());
}

#[actix::test]
async fn a_stop_restarts_a_supervised_actor_with_its_struct_and_its_queue() {
    let clerk = Supervisor::start(|_| Clerk::default());
    let stop = clerk.send(Ask::Stop);
    let queued: Vec<_> = (0..5).map(|_| clerk.send(Ask::Count)).collect();
    assert_eq!(stop.await, Ok(1));
    for (index, answer) in queued.into_iter().enumerate() {
        assert_eq!(answer.await, Ok(index + 2));
    }
}

#[actix::test]
async fn intervals_do_not_outlive_a_restart() {
    let ticks = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&ticks);
    let clerk = Supervisor::start(move |_| Clerk {
        ticks: counter,
        ..Clerk::default()
    });
    clerk.send(Ask::Tick).await.unwrap();
    eventually("a tick", || ticks.load(Ordering::SeqCst) > 0).await;
    clerk.send(Ask::Stop).await.unwrap();
    clerk.send(Ask::Count).await.unwrap();
    let seen = ticks.load(Ordering::SeqCst);
    // Another one that ticks as often: by its tenth tick the first would have shown.
    let other = Clerk::default();
    let others = Arc::clone(&other.ticks);
    other.start().send(Ask::Tick).await.unwrap();
    eventually("ten ticks", || others.load(Ordering::SeqCst) >= 10).await;
    assert_eq!(ticks.load(Ordering::SeqCst), seen);
}

#[actix::test]
async fn a_panic_in_a_response_future_fails_that_reply_alone() {
    let clerk = Supervisor::start(|_| Clerk::default());
    assert_eq!(clerk.send(FailLater::Apart).await, Err(MailboxError::Closed));
    assert_eq!(clerk.send(Ask::Count).await, Ok(1));
}

#[actix::test]
async fn a_panic_in_a_future_that_the_actor_runs_ends_it() {
    let clerk = Supervisor::start(|_| Clerk::default());
    assert_eq!(clerk.send(FailLater::WithTheActor).await, Ok(()));
    eventually("its end", || !clerk.connected()).await;
    assert_eq!(clerk.send(Ask::Count).await, Err(MailboxError::Closed));
}

#[actix::test]
async fn a_stop_in_started_is_repeated_without_a_pause() {
    let started = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&started);
    let clerk = Supervisor::start(move |_| Clerk {
        started: counter,
        // The last start succeeds: without it this test would not end.
        stops_in_started: 10_000,
        ..Clerk::default()
    });
    assert_eq!(clerk.send(Ask::Count).await, Ok(1));
    // All of them in the one poll that this answer took: nothing else had a turn on this thread.
    assert_eq!(started.load(Ordering::SeqCst), 10_001);
}

#[actix::test]
async fn a_mailbox_capacity_bounds_no_clone_and_no_send() {
    let clerk = Clerk {
        capacity: Some(1),
        ..Clerk::default()
    }
    .start();
    assert_eq!(clerk.send(Ask::Count).await, Ok(1));
    // Nothing is handled while this task does not wait.
    let taken = (0..100).filter(|_| clerk.clone().try_send(Ask::Count).is_ok());
    assert_eq!(taken.count(), 100, "each clone has a slot of its own");
    let mut sends: Vec<_> = (0..100).map(|_| Box::pin(clerk.send(Ask::Count))).collect();
    for send in &mut sends {
        assert!(futures_util::poll!(send).is_pending());
    }
    for _ in 0..100 {
        clerk.do_send(Ask::Count);
    }
    for send in sends {
        send.await.unwrap();
    }
    assert_eq!(clerk.send(Ask::Count).await, Ok(302), "all were queued");
}

/// Works on a thread of its own.
struct Worker;

impl Actor for Worker {
    type Context = SyncContext<Self>;
}

impl Handler<Ask> for Worker {
    type Result = usize;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> usize {
        assert!(!matches!(ask, Ask::Panic), "as the test wants it");
        0
    }
}

#[actix::test]
async fn a_panic_ends_a_sync_arbiters_thread_for_good() {
    let workers = SyncArbiter::start(2, || Worker);
    for _ in 0..2 {
        assert_eq!(workers.send(Ask::Panic).await, Err(MailboxError::Closed));
    }
    let unheard = workers.send(Ask::Count);
    let waited = actix::clock::timeout(Duration::from_millis(200), unheard).await;
    assert!(!matches!(waited, Ok(Ok(_))), "nobody is left to answer");
}
