//! The supervision room: a failure costs its own caller alone, and what fails without end is seen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised,
    WrapFuture,
};
use chrono::TimeDelta;
use futures_util::{future::join_all, poll};
use ringback::{
    clock::{ShiftedClock, SystemClock},
    supervision::{AskError, Mailbox, Supervision, Vitals},
};
use tokio::sync::Semaphore;

use super::eventually;

/// What an answer may take that waits for nothing: ample for a busy machine that prints a backtrace meanwhile.
const SOON: Duration = Duration::from_secs(5);

/// What a test wants of its actor, and sees of it.
#[derive(Default)]
struct Signs {
    started: AtomicUsize,
    restarting: AtomicUsize,
    dropped: AtomicBool,
    /// How many more calls of `started` stop, and of `restarting` panic.
    stops: AtomicUsize,
    panics_in_restarting: AtomicUsize,
    /// Permits for futures that wait for one.
    gate: Gate,
}

/// A semaphore without permits.
struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

/// Takes one off, if there is one.
fn take(count: &AtomicUsize) -> bool {
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

struct Clerk {
    /// Survives a restart.
    durable: usize,
    /// Is begun anew by one.
    passing: usize,
    signs: Arc<Signs>,
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.signs.started.fetch_add(1, Ordering::SeqCst);
        if take(&self.signs.stops) {
            context.stop();
        }
    }
}

impl Supervised for Clerk {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.signs.restarting.fetch_add(1, Ordering::SeqCst);
        assert!(!take(&self.signs.panics_in_restarting), "as the test wants it");
        self.passing = 0;
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.signs.dropped.store(true, Ordering::SeqCst);
    }
}

#[derive(Message)]
#[rtype(result = "(usize, usize)")]
enum Ask {
    Count,
    Panic,
    Stop,
    PanicLater,
}

impl Handler<Ask> for Clerk {
    type Result = actix::MessageResult<Ask>;

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) -> Self::Result {
        self.durable += 1;
        self.passing += 1;
        match ask {
            Ask::Count => {}
            Ask::Panic => panic!("as the test wants it"),
            Ask::Stop => context.stop(),
            Ask::PanicLater => {
                let failing = async {}
                    .into_actor(self)
                    .map(|(), _, _| panic!("as the test wants it"));
                context.spawn(failing);
            }
        }
        actix::MessageResult((self.durable, self.passing))
    }
}

/// Answers when the gate lets it; panics if it is told to.
#[derive(Message)]
#[rtype(result = "()")]
struct Wait {
    panic: bool,
}

impl Handler<Wait> for Clerk {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, wait: Wait, _: &mut Self::Context) -> Self::Result {
        let signs = Arc::clone(&self.signs);
        Box::pin(async move {
            signs.gate.0.acquire().await.unwrap().forget();
            assert!(!wait.panic, "as the test wants it");
        })
    }
}

struct Stage {
    clock: ShiftedClock,
    supervision: Supervision,
    clerk: Mailbox<Clerk>,
    signs: Arc<Signs>,
}

impl Stage {
    fn start(capacity: usize) -> Self {
        Self::start_with(capacity, Signs::default())
    }

    fn start_with(capacity: usize, signs: Signs) -> Self {
        let clock = ShiftedClock::new(Arc::new(SystemClock));
        let (supervision, signs) = (Supervision::new(Arc::new(clock.clone())), Arc::new(signs));
        let actor = Clerk {
            durable: 0,
            passing: 0,
            signs: Arc::clone(&signs),
        };
        let clerk = supervision.start("clerk", capacity, |_| actor);
        Self {
            clock,
            supervision,
            clerk,
            signs,
        }
    }

    fn vitals(&self) -> Arc<Vitals> {
        self.supervision.all().remove(0)
    }
}

#[actix::test]
async fn a_panic_costs_its_own_caller_alone() {
    let stage = Stage::start(100);
    assert_eq!(stage.clerk.ask(Ask::Count).await, Ok((1, 1)));
    let asks = (0..20).map(|index| stage.clerk.ask(if index == 5 { Ask::Panic } else { Ask::Count }));
    let began = Instant::now();
    let answers = join_all(asks).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    for (index, answer) in answers.into_iter().enumerate() {
        let expected = match index {
            5 => Err(AskError::Failed),
            // What is durable goes on, what is passing begins anew.
            0..5 => Ok((index + 2, index + 2)),
            _ => Ok((index + 2, index - 5)),
        };
        assert_eq!(answer, expected, "{index}");
    }
    assert_eq!(stage.vitals().restarts(), 1);
    assert_eq!(stage.signs.restarting.load(Ordering::SeqCst), 1);
    assert!(stage.supervision.storming().is_empty());
}

#[actix::test]
async fn a_panic_in_a_future_that_the_actor_runs_restarts_it_too() {
    let stage = Stage::start(100);
    assert_eq!(stage.clerk.ask(Ask::PanicLater).await, Ok((1, 1)));
    eventually("a restart", || stage.vitals().restarts() == 1).await;
    assert_eq!(stage.clerk.ask(Ask::Count).await, Ok((2, 1)));
}

#[actix::test]
async fn a_stop_is_a_restart() {
    let stage = Stage::start(100);
    let (stop, queued) = futures_util::join!(stage.clerk.ask(Ask::Stop), stage.clerk.ask(Ask::Count));
    assert_eq!((stop, queued), (Ok((1, 1)), Ok((2, 1))));
    assert_eq!(stage.vitals().restarts(), 1);
}

#[actix::test]
async fn a_panic_in_a_response_future_restarts_nothing() {
    let stage = Stage::start(100);
    stage.signs.gate.0.add_permits(1);
    assert_eq!(stage.clerk.ask(Wait { panic: true }).await, Err(AskError::Failed));
    assert_eq!(stage.clerk.ask(Ask::Count).await, Ok((1, 1)));
    assert_eq!(stage.vitals().restarts(), 0);
}

#[actix::test]
async fn a_panic_while_it_restarts_is_one_more_failure() {
    let signs = Signs {
        panics_in_restarting: AtomicUsize::new(2),
        ..Signs::default()
    };
    let stage = Stage::start_with(100, signs);
    assert_eq!(stage.clerk.ask(Ask::Panic).await, Err(AskError::Failed));
    assert_eq!(
        stage.clerk.ask(Ask::Count).await,
        Ok((2, 1)),
        "its passing state is begun anew"
    );
    assert_eq!(stage.vitals().restarts(), 3);
}

#[actix::test]
async fn at_the_bound_it_is_busy_and_a_place_comes_back_however_an_ask_ends() {
    let stage = Stage::start(3);
    let vitals = stage.vitals();
    assert_eq!(
        (vitals.name(), vitals.capacity(), vitals.depth()),
        ("clerk", 3, 0)
    );
    let [mut answered, mut panics, mut cancelled] =
        [false, true, false].map(|panic| Box::pin(stage.clerk.ask(Wait { panic })));
    for ask in [&mut answered, &mut panics, &mut cancelled] {
        assert!(poll!(ask).is_pending());
    }
    assert_eq!(vitals.depth(), 3);
    assert_eq!(stage.clerk.ask(Ask::Count).await, Err(AskError::Busy));
    assert_eq!(stage.clerk.clone().reserve().unwrap_err(), AskError::Busy);
    drop(cancelled);
    assert_eq!(vitals.depth(), 2);
    assert_eq!(stage.clerk.ask(Ask::Count).await, Ok((1, 1)));
    stage.signs.gate.0.add_permits(3);
    assert_eq!(
        futures_util::join!(answered, panics),
        (Ok(()), Err(AskError::Failed))
    );
    assert_eq!(vitals.depth(), 0);
    assert_eq!(stage.clerk.ask(Ask::Panic).await, Err(AskError::Failed));
    assert_eq!(vitals.depth(), 0);
    let places: Vec<_> = (0..3).map(|_| stage.clerk.reserve().unwrap()).collect();
    assert_eq!(stage.clerk.ask(Ask::Count).await, Err(AskError::Busy));
    drop(places);
    assert_eq!(stage.clerk.ask(Ask::Count).await, Ok((3, 1)));
}

#[actix::test]
async fn an_actor_that_stops_as_it_starts_does_not_spin() {
    let signs = Signs {
        stops: AtomicUsize::new(usize::MAX),
        ..Signs::default()
    };
    let stage = Stage::start_with(100, signs);
    let waits = actix::clock::timeout(Duration::from_secs(2), stage.clerk.ask(Ask::Count)).await;
    assert!(waits.is_err(), "nobody is there to answer: {waits:?}");
    // Pauses of 5, 10, 20 … 640 ms: nine fit into two seconds.
    let restarts = stage.vitals().restarts();
    assert!((5..=10).contains(&restarts), "{restarts}");
    // Once its trouble is over it serves, and is calm ten seconds later.
    stage.signs.stops.store(0, Ordering::SeqCst);
    let began = Instant::now();
    assert!(stage.clerk.ask(Ask::Count).await.is_ok());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[actix::test]
async fn a_storm_of_restarts_is_reported_and_calms_down() {
    let stage = Stage::start(100);
    for restarts in 1..=8 {
        assert!(stage.supervision.storming().is_empty(), "{restarts}");
        assert_eq!(stage.clerk.ask(Ask::Panic).await, Err(AskError::Failed));
        eventually("a restart", || stage.vitals().restarts() == restarts).await;
    }
    assert_eq!(stage.supervision.storming(), ["clerk"]);
    // It serves all the same, after its pause.
    let began = Instant::now();
    assert!(stage.clerk.ask(Ask::Count).await.is_ok());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(stage.supervision.storming(), ["clerk"]);
    stage.clock.advance(TimeDelta::milliseconds(10_100));
    assert!(stage.supervision.storming().is_empty());
    assert_eq!(stage.vitals().restarts(), 8, "the count stays");
}

#[actix::test]
async fn it_ends_with_the_last_that_can_reach_it() {
    let stage = Stage::start(100);
    let Stage { clerk, signs, .. } = stage;
    let other = clerk.clone();
    drop(clerk);
    assert!(other.ask(Ask::Count).await.is_ok());
    assert!(!signs.dropped.load(Ordering::SeqCst));
    drop(other);
    eventually("its end", || signs.dropped.load(Ordering::SeqCst)).await;
    assert_eq!(signs.restarting.load(Ordering::SeqCst), 0);
}

#[actix::test]
async fn it_ends_while_it_pauses_when_nobody_can_reach_it_any_more() {
    let Stage { clerk, signs, .. } = Stage::start(100);
    assert_eq!(clerk.ask(Ask::Panic).await, Err(AskError::Failed));
    drop(clerk);
    eventually("its end", || signs.dropped.load(Ordering::SeqCst)).await;
}
