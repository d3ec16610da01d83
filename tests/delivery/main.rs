//! Delivery from outside: the providers against servers that misbehave, and the dispatcher against a provider and an outbox
//! that follow a script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clients;
mod dispatcher;
mod drain;
mod fake_provider;
mod faults;
mod log;
mod mail;
mod reconciliation;
mod routes;
mod scripted;
mod self_signed;
mod stage;
mod twilio;
mod twilio_list;
mod vonage;
mod webhook;
mod wire;

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Waits until something is true; fails if that takes more than ten seconds.
async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it never came true: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Fails if something takes longer than it may.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("took longer than {limit:?}"),
    }
}
