//! The command line.

mod accounts;
mod admin;
mod events;
mod exit;
mod healthcheck;
mod limits;
mod limits_status;
mod ops;
mod ops_client;
mod reach;
mod replay;
mod tail;
mod users;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use exit::refuse;

use crate::{
    output,
    settings::{self, Settings},
    startup, telemetry,
};

/// User accounts whose phones and e-mail addresses are proven by code.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Without a command it serves. Configuration: config/default.toml explains every key."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, the documentation and, in development, the inbox. This is the default.
    Serve,
    /// Bring the database's tables to this version's form, and end.
    Migrate,
    /// Ask the running service about its rate limits, or give a customer's quota back.
    Limits {
        #[command(subcommand)]
        command: limits::LimitsCommand,
    },
    /// Ask the service on this machine whether it is ready: exit 0, or 1 with what is down. For containers.
    Healthcheck,
    /// Find an account, see it, lock it, end its sessions; take users over from another system, or write all of them as lines.
    Users {
        #[command(subcommand)]
        command: users::UsersCommand,
    },
    /// Show what happens to accounts and sessions, and who did it.
    Events {
        #[command(subcommand)]
        command: events::EventsCommand,
    },
    /// Say who may administer.
    Admin {
        #[command(subcommand)]
        command: admin::AdminCommand,
    },
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is sound: exit 0, or 78 with one line for each fault.
    Check {
        /// Check this file in place of `config/{RINGBACK_ENV}.toml`; a file of `rule` tables, as the limits file.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Show every key, its value in force, and which layer set it. Secrets are masked.
    Show,
}

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    output::finish(act())
}

fn act() -> ExitCode {
    match Cli::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => startup::serve(|| {
            let settings = Settings::load_from_process().map_err(|faults| refuse(&faults))?;
            let logs = telemetry::init_logs(&settings.telemetry);
            Ok((settings, logs))
        }),
        Command::Migrate => with_settings(|settings| {
            let _logs = telemetry::init_logs(&settings.telemetry);
            startup::migrate(&settings)
        }),
        Command::Healthcheck => with_settings(|settings| healthcheck::run(&settings)),
        Command::Limits { command } => limits::run(command),
        // Without logs: the standard output is the users'.
        Command::Users { command } => with_settings(|settings| users::run(command, &settings)),
        Command::Events { command } => with_settings(|settings| events::run(command, &settings)),
        Command::Admin { command } => with_settings(|settings| admin::run(command, &settings)),
        Command::Config {
            command: ConfigCommand::Show,
        } => with_settings(|settings| {
            output::print(settings.show());
            ExitCode::SUCCESS
        }),
        Command::Config {
            command: ConfigCommand::Check { file },
        } => match &file {
            Some(file) if startup::is_limits_file(file) => startup::check_limits_file(file),
            Some(file) => match Settings::check_file(file, settings::process_environment()) {
                Ok(()) => {
                    output::say("The configuration is sound.");
                    ExitCode::SUCCESS
                }
                Err(faults) => refuse(&faults),
            },
            None => with_settings(|settings| startup::check(&settings)),
        },
    }
}

fn with_settings(act: impl FnOnce(Settings) -> ExitCode) -> ExitCode {
    match Settings::load_from_process() {
        Ok(settings) => act(settings),
        Err(faults) => refuse(&faults),
    }
}
