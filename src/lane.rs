//! Which of several connections a thread keeps to.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A number for the thread that asks, counted up from 0. Threads that serve requests each keep to one of the ways to a store
/// (the number modulo how many there are), so that what is asked together is sent, run and answered on one thread.
pub fn lane_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed); }
    LANE.with(|lane| *lane)
}
