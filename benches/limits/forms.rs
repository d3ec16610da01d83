//! Forms in which the counters of a process could be asked, beside each other: a lock, and actors in several places.
//!
//! Two threads stand for HTTP workers. *Busy*: 32 requests are under way on each, one after another without a pause.
//! *Quiet*: one request a millisecond on each, so that threads sleep in between and have to be woken.
//! What a round without any question costs is taken off.

use std::{
    collections::HashMap,
    fs,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Arbiter, Context, Handler, Message};
use futures_util::future::join_all;
use ringback::{
    clock::{Clock, SystemClock},
    limits::gcra::{Bucket, Decision, decide},
};

const WORKERS: usize = 2;
const AT_ONCE: usize = 32;
const CLIENTS: usize = 10_000;
const ROUNDS: usize = 5;
const BUSY_REQUESTS: usize = 2000;
const QUIET_REQUESTS: usize = 1000;

/// Counters by name, as simple as can be.
#[derive(Default)]
struct Counters(HashMap<String, Bucket>);

impl Counters {
    fn ask(&mut self, key: String, now_us: i64) -> bool {
        const EMISSION_US: i64 = 10;
        match decide(self.0.get(&key).copied(), now_us, EMISSION_US, 1_000_000) {
            Decision::Allow { new_tat, .. } => {
                self.0.insert(key, Bucket::new(new_tat, EMISSION_US));
                true
            }
            Decision::Refuse { .. } => false,
        }
    }
}

impl Actor for Counters {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(10_000);
    }
}

#[derive(Message)]
#[rtype(result = "bool")]
struct Ask(Vec<String>);

impl Handler<Ask> for Counters {
    type Result = bool;

    fn handle(&mut self, Ask(keys): Ask, _: &mut Self::Context) -> bool {
        let now_us = SystemClock.now().timestamp_micros();
        keys.into_iter().all(|key| self.ask(key, now_us))
    }
}

#[derive(Clone)]
enum Form {
    Nothing,
    Locks(Arc<Vec<Mutex<Counters>>>),
    /// Actors, and whether each rule is a message of its own.
    Actors(Arc<Vec<Addr<Counters>>>, bool),
}

impl Form {
    async fn ask(&self, hasher: &RandomState, keys: Vec<String>) {
        let hash = hasher.hash_one(&keys[0]) as usize;
        match self {
            Self::Nothing => {}
            Self::Locks(shards) => {
                let now_us = SystemClock.now().timestamp_micros();
                for (n, key) in keys.into_iter().enumerate() {
                    let shard = &shards[(hash + n) % shards.len()];
                    assert!(shard.lock().unwrap().ask(key, now_us));
                }
            }
            Self::Actors(shards, true) => {
                let asked = keys.into_iter().enumerate().map(|(n, key)| {
                    let shard = &shards[(hash + n) % shards.len()];
                    shard.send(Ask(vec![key]))
                });
                assert!(join_all(asked).await.into_iter().all(|answer| answer.unwrap()));
            }
            Self::Actors(shards, false) => {
                assert!(shards[hash % shards.len()].send(Ask(keys)).await.unwrap());
            }
        }
    }
}

/// Prints what a request's questions cost in each form.
pub async fn compare() {
    let workers: Vec<_> = (0..WORKERS).map(|_| Arbiter::new()).collect();
    let others: Vec<_> = (0..WORKERS).map(|_| Arbiter::new()).collect();
    let on = |arbiters: &[Arbiter]| {
        let start =
            |arbiter: &Arbiter| Counters::start_in_arbiter(&arbiter.handle(), |_| Counters::default());
        Arc::new(arbiters.iter().map(start).collect::<Vec<_>>())
    };
    let locks = Arc::new((0..64).map(|_| Mutex::default()).collect::<Vec<_>>());
    let forms = [
        ("nothing", Form::Nothing),
        ("64 locks", Form::Locks(locks)),
        (
            "one actor on the main thread",
            Form::Actors(Arc::new(vec![Counters::default().start()]), false),
        ),
        (
            "actors on threads of their own, a message for each rule",
            Form::Actors(on(&others), true),
        ),
        (
            "actors on threads of their own, one message",
            Form::Actors(on(&others), false),
        ),
        (
            "actors on the workers, a message for each rule",
            Form::Actors(on(&workers), true),
        ),
        (
            "actors on the workers, one message",
            Form::Actors(on(&workers), false),
        ),
    ];
    for (state, at_once, requests, pause) in [
        ("busy", AT_ONCE, BUSY_REQUESTS, None),
        ("quiet", 1, QUIET_REQUESTS, Some(Duration::from_millis(1))),
    ] {
        for rules in [1, 3] {
            let mut micros = forms.each_ref().map(|_| Vec::new());
            for round in 0..=ROUNDS {
                for ((_, form), micros) in forms.iter().zip(&mut micros) {
                    let took = measure(form, &workers, at_once, requests, pause, rules).await;
                    if round > 0 {
                        micros.push(took); // the first round warms everything up
                    }
                }
            }
            let medians = micros.map(super::median);
            for ((name, _), median) in forms.iter().zip(medians).skip(1) {
                let more = median - medians[0];
                println!("forms: {state}, {rules} rules, {name}: {more:.2} us of CPU a request");
            }
        }
    }
}

/// CPU of the process for a request, in microseconds.
async fn measure(
    form: &Form,
    workers: &[Arbiter],
    at_once: usize,
    requests: usize,
    pause: Option<Duration>,
    rules: usize,
) -> f64 {
    let (before, began) = (cpu_micros(), Instant::now());
    let (hasher, mut ended) = (RandomState::new(), Vec::new());
    for (worker, arbiter) in workers.iter().enumerate() {
        for task in 0..at_once {
            let (form, hasher, (end, has_ended)) =
                (form.clone(), hasher.clone(), tokio::sync::oneshot::channel());
            ended.push(has_ended);
            arbiter.spawn(async move {
                for n in 0..requests {
                    let client = (n * 7919 + task * 31 + worker) % CLIENTS;
                    let keys =
                        (0..rules).map(|rule| format!("{rule}:203.0.{}.{}", client / 256, client % 256));
                    form.ask(&hasher, keys.collect()).await;
                    match pause {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => tokio::task::yield_now().await,
                    }
                }
                let _ = end.send(());
            });
        }
    }
    for ended in ended {
        ended.await.unwrap();
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "the machine is too slow for a figure"
    );
    (cpu_micros() - before) / (WORKERS * at_once * requests) as f64
}

fn cpu_micros() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let nanos = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok())
    };
    threads.filter_map(nanos).sum::<f64>() / 1000.0
}
