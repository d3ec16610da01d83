//! `twilio-sim`: Twilio as far as Ringback knows it, on loopback, for tests, load tests and staging.
//!
//! It takes SMS by the Messages resource, looks them up, reports on them, fails in the ways that it is told to, and
//! shows what it was given. In reading order:
//!
//! | file | holds |
//! |---|---|
//! | `cli.rs` | the command line, and what the start prints |
//! | `profile.rs`, `span.rs`, `chaos.toml` | which faults there shall be, as files say it |
//! | `dice.rs` | chance that can be repeated |
//! | `message.rs` | an SMS, and what becomes of it |
//! | `book.rs` | the newest SMS, and counts of all |
//! | `receipts.rs` | the posts to `StatusCallback` |
//! | `http/` | the Messages resource, and what testers ask for |
#![warn(clippy::dbg_macro, clippy::expect_used, clippy::todo, clippy::unwrap_used)]

mod book;
mod cli;
mod dice;
mod http;
mod message;
mod profile;
mod receipts;
mod span;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
