//! `ringback events`: what happens, and what happened.

use std::process::ExitCode;

use clap::Subcommand;

use super::tail;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Show the last events, and with --follow what happens from then on, as lines of JSON.
    Tail(tail::TailArgs),
}

pub fn run(command: EventsCommand, settings: &Settings) -> ExitCode {
    match command {
        EventsCommand::Tail(args) => tail::run(&args, settings),
    }
}
