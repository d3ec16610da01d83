//! Ringback: user accounts whose phones and e-mail addresses are proven by code.
//!
//! Each module is a room: what it does, its rules, its trait, and one file for each technology that stands behind it.
//! Read them in this order, from top to bottom.
#![warn(
    clippy::dbg_macro,
    clippy::expect_used,
    clippy::todo,
    clippy::unimplemented,
    clippy::unwrap_used
)]

// Each room may know those that stand below it, and none beside or above it; `tests/laws` holds the order. What is `pub`
// is used by the programs and the tests.

// The command line; the one place that puts the rooms together; the configuration, read into each room's own options.
pub mod cli;
pub mod settings;
pub mod startup;

// The outside: every route and answer.
pub mod http;

// What a proof is good for: who may have a code, and what a right one does. What administrators see and do. Whether the
// service can do its work.
pub mod admin;
mod flows;
pub mod readiness;

// Codes, issued and judged in one step each; who someone is, and what proves it; what became of each message.
pub mod accounts;
pub mod challenges;
pub mod ledger;

// Getting a message to its address: no accepted one is lost. What happened, written with the change itself.
pub mod delivery;
pub mod events;

// What messages say and who carries them; what a signed-in client shows; how often whom may ask for what.
pub mod inbox;
pub mod limits;
pub mod mail;
pub mod sms;
pub mod texts;
pub mod tokens;

// Addresses; the ways to the stores; actors that come back; logs and metrics.
pub mod database;
pub mod email;
pub mod phone;
pub mod redis;
pub mod supervision;
pub mod telemetry;

// The ground floor, which knows no room.
mod authorities;
pub mod cause;
pub mod channel;
pub mod clock;
mod dated;
mod encoding;
pub mod entropy;
mod identity;
mod lane;
pub mod language;
mod loopback;
mod month;
mod outage;
mod output;
pub mod partition;
mod problem;
pub mod provider;
pub mod retention;
mod run_to_completion;
pub mod sealed;
pub mod secrets;
pub mod security;
pub mod unavailable;
mod unicode;
pub mod webhook;
mod wire;

/// The allocator of every program of this package: it takes less CPU than glibc's, and gives freed memory back. How soon
/// is said in `.cargo/config.toml`, as it is built with it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
