//! What the actor and its shell do as their shards move and fail.

use std::{sync::Arc, thread};

use chrono::DateTime;
use futures_util::FutureExt;

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
async fn joined<T: Send + 'static>(worker: thread::JoinHandle<T>) -> T {
    let joined = tokio::task::spawn_blocking(|| worker.join());
    joined.await.unwrap().unwrap()
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
    let failing = counters.shard(0).mailbox().ask(Fail);
    assert!(failing.await.is_err());
    // What waits behind the failure is answered after the restart.
    let waiting = (0..3).map(|_| {
        let (at, request) = request(&counters, "k");
        counters.decide(at, request)
    });
    let failing = counters.shard(0).mailbox().ask(Fail);
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
    let slots: Vec<_> = std::iter::from_fn(|| counters.shard(0).mailbox().reserve().ok()).collect();
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

#[actix::test]
async fn questions_of_another_thread_travel_together_and_each_has_its_answer() {
    let (_, counters) = counters(1);
    let counters = Arc::new(counters);
    let ask_at_once = || {
        let there = Arc::clone(&counters);
        joined(thread::spawn(move || {
            let questions = (0..50).map(|_| {
                let (at, request) = request(&there, "k");
                there.decide(at, request)
            });
            actix::System::new().block_on(futures_util::future::join_all(questions))
        }))
    };
    let answers = ask_at_once().await;
    let passed = answers
        .iter()
        .filter(|answer| answer.as_ref().is_ok_and(|decided| !decided.is_refused()));
    assert_eq!((answers.len(), passed.count()), (50, 10));
    let slots: Vec<_> = std::iter::from_fn(|| counters.shard(0).mailbox().reserve().ok()).collect();
    let answers = ask_at_once().await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(|error| error.is_full))
    );
    drop(slots);
}

#[actix::test]
async fn a_thread_that_ends_with_its_questions_unsent_holds_nobody_up() {
    let (_, counters) = counters(1);
    let counters = Arc::new(counters);
    let there = Arc::clone(&counters);
    let lost = joined(thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (at, request) = request(&there, "k");
        let mut question = Box::pin(there.decide(at, request));
        let entered = runtime.enter();
        assert!(question.as_mut().now_or_never().is_none());
        drop(entered);
        drop(runtime);
        question.now_or_never().is_some_and(|answer| answer.is_err())
    }));
    assert!(lost.await);
    let there = Arc::clone(&counters);
    let next = thread::spawn(move || actix::System::new().block_on(admitted(&there, "k", 20)));
    assert_eq!(joined(next).await, 10);
}
