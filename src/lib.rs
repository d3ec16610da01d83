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

// What the service is for.
pub mod accounts; // who someone is: sign up, sign in, whose phone is proven
pub mod limits;
pub mod otp; // one-time codes: issued and judged in one atomic step each
pub mod sms; // getting a code to a phone: outbox, dispatcher, providers
pub mod tokens; // what a signed-in client shows // how often whom may ask for what

// The outside.
pub mod http; // every route, every answer
pub mod readiness; // can it do its work
pub mod settings; // layers of configuration, every fault at once
pub mod telemetry; // logs and metrics

// What all rooms stand on.
pub mod clock;
pub mod entropy;
pub mod phone;
pub mod redis;
pub mod secrets;
pub mod supervision;
pub mod unavailable;
