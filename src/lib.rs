//! Ringback: user accounts whose phone numbers are proven by SMS code.
//!
//! Each module is a room: what it does, its rules, its trait, and one file for each technology that stands behind it.
//! Read them in this order.
#![warn(
    clippy::dbg_macro,
    clippy::expect_used,
    clippy::todo,
    clippy::unimplemented,
    clippy::unwrap_used
)]

// The command line, and the one place that puts the rooms together.
pub mod cli;
pub mod startup;

// What the service is for: who someone is; what became of his codes; codes, issued and judged in one step each; getting them to a phone; what a
// signed-in client shows; how often whom may ask for what.
pub mod accounts;
pub mod challenges;
pub mod delivery;
pub mod flows;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod sms;
pub mod tokens;

// The outside: every route and answer; whether it can do its work; layers of configuration; logs and metrics.
pub mod http;
pub mod readiness;
pub mod settings;
pub mod telemetry;

// What all rooms stand on.
pub mod channel;
pub mod clock;
pub mod database;
pub mod email;
pub mod entropy;
pub mod inbox;
mod lane;
pub mod language;
pub mod loopback;
pub mod outage;
pub mod partition;
pub mod phone;
pub mod problem;
pub mod provider;
pub mod redis;
pub mod run_to_completion;
pub mod secrets;
pub mod security;
pub mod supervision;
pub mod texts;
pub mod unavailable;
pub mod unicode;

/// The allocator of every program of this package: it takes less CPU than glibc's, and gives freed memory back. How soon
/// is said in `.cargo/config.toml`, as it is built with it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
