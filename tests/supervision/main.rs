//! What actix does when an actor fails, and what the supervision room makes of it.

mod gives;
mod lacks;
mod readiness;

use std::time::Duration;

/// Waits for something that happens on another task, for ten seconds at most.
async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if happened() {
            return;
        }
        actix::clock::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen");
}
