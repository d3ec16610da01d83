//! `ringback events`: what happens, and what happened.

use std::process::ExitCode;

use clap::Subcommand;

use super::{replay, tail};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Show the last events, and with --follow what happens from then on, as lines of JSON.
    Tail(tail::TailArgs),
    /// Send events once more to the webhooks of events, as after a receiver lost some. Each comes with the id that it had.
    Replay(replay::ReplayArgs),
}

pub fn run(command: EventsCommand, settings: &Settings) -> ExitCode {
    match command {
        EventsCommand::Tail(args) => tail::run(&args, settings),
        EventsCommand::Replay(args) => replay::run(&args, settings),
    }
}
