//! The future that runs an actor and begins it anew when it fails.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Poll, ready},
    time::Duration,
};

use actix::{Actor, Context, Supervised, dev::ContextFut};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Sleep;

use crate::clock::Clock;

/// Restarts within [`STORM_WINDOW`] from which on an actor counts as failing for good.
const STORM_RESTARTS: usize = 8;
const STORM_WINDOW: TimeDelta = TimeDelta::seconds(10);
/// The pause before a restart doubles from the first to the last of these, so that a failing actor can't spin.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// An actor's vital signs.
pub struct Vitals {
    name: String,
    clock: Arc<dyn Clock>,
    capacity: usize,
    /// Messages that wait or run. Nobody ever waits for a place, so a number does what a semaphore would.
    taken: AtomicUsize,
    restarts: AtomicU64,
    recent: Mutex<VecDeque<DateTime<Utc>>>,
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Vitals {
    pub(super) fn new(name: String, capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            name,
            clock,
            capacity,
            taken: AtomicUsize::new(0),
            restarts: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    /// What metrics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many messages may wait or run.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many messages wait or run.
    pub fn depth(&self) -> usize {
        self.taken.load(Ordering::Relaxed).min(self.capacity)
    }

    /// Takes places for one more message; false if there are fewer.
    pub(super) fn take_places(&self, places: usize) -> bool {
        let before = self.taken.fetch_add(places, Ordering::Relaxed);
        let taken = before.saturating_add(places) <= self.capacity;
        if !taken {
            self.give_places(places);
        }
        taken
    }

    pub(super) fn give_places(&self, places: usize) {
        self.taken.fetch_sub(places, Ordering::Relaxed);
    }

    /// How often it was restarted since the service started.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Whether it was restarted so often of late that it does no work: eight times in ten seconds.
    pub fn is_storming(&self) -> bool {
        self.recent_restarts(self.clock.now()) >= STORM_RESTARTS
    }

    /// Counts a restart, and says how long to wait before it.
    fn record_restart(&self) -> Duration {
        let now = self.clock.now();
        let earlier = self.recent_restarts(now);
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(now);
        FIRST_PAUSE
            .saturating_mul(1 << earlier.min(16))
            .min(LONGEST_PAUSE)
    }

    fn recent_restarts(&self, now: DateTime<Utc>) -> usize {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // Also without those that a clock which was set back has put into the future.
        recent.retain(|&at| at <= now && now - at <= STORM_WINDOW);
        recent.len()
    }
}

/// Runs one actor until nobody holds its address any more.
pub(super) struct Restarting<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    running: ContextFut<A, Context<A>>,
    pause: Option<Pin<Box<Sleep>>>,
    vitals: Arc<Vitals>,
}

impl<A> Restarting<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    pub(super) fn new(running: ContextFut<A, Context<A>>, vitals: Arc<Vitals>) -> Self {
        Self {
            running,
            pause: None,
            vitals,
        }
    }

    /// Counts a failure, and has the restart wait.
    fn pause_after(&mut self, how: &str) {
        let pause = self.vitals.record_restart();
        tracing::error!(
            actor = self.vitals.name(),
            how,
            pause_ms = pause.as_millis(),
            "actor is restarted"
        );
        self.pause = Some(Box::pin(tokio::time::sleep(pause)));
    }
}

impl<A> Future for Restarting<A>
where
    A: Supervised + Actor<Context = Context<A>> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(task));
                this.pause = None;
                match catch_unwind(AssertUnwindSafe(|| this.running.restart())) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Ready(()), // nobody can reach it any more
                    // Not to be polled: its state was not begun anew.
                    Err(_) => {
                        this.pause_after("panicked while it restarted");
                        continue;
                    }
                }
            }
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.running).poll(task)));
            let how = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(())) if !this.running.ctx().connected() => return Poll::Ready(()),
                Ok(Poll::Ready(())) => "stopped",
                Err(_) => "panicked",
            };
            this.pause_after(how);
        }
    }
}
