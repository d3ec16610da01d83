//! The commands that run: serve until a signal, migrate, check the limits file.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    Running,
    error::StartError,
    files::{Files, limit_rules_of},
    service_manager, start, stores, tables, warnings,
    world::World,
};
use crate::{
    clock::SystemClock,
    database::MigrateError,
    limits, output,
    settings::{Environment, Settings},
    telemetry::Logs,
};

/// Loads what it needs, and serves until SIGTERM or SIGINT; SIGHUP reloads.
pub fn serve(load: impl FnOnce() -> Result<(Settings, Logs), ExitCode>) -> ExitCode {
    actix::System::new().block_on(async move {
        // First of all: a signal that comes while files are read, or the database is waited for, is an end in order, too; and
        // one that reloads is none.
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
        );
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            output::complain("signals can't be listened to");
            return ExitCode::FAILURE;
        };
        let (settings, logs) = match load() {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        actix::spawn(logs.clone().keep_up());
        let started = tokio::select! {
            started = start(&settings, World::default()) => started,
            _ = terminate.recv() => return ExitCode::SUCCESS,
            _ = interrupt.recv() => return ExitCode::SUCCESS,
        };
        let running = match started {
            Ok(running) => running,
            Err(error) => {
                // Actors that were started begin: one that never did would do so when it is dropped, where nothing runs, and panic.
                tokio::task::yield_now().await;
                return refuse(&error);
            }
        };
        announce(&settings, &running);
        service_manager::ready();
        actix::spawn(service_manager::keep_alive());
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => running.reload().await,
            }
        }
        service_manager::stopping(running.drain_delay, running.shutdown_timeout);
        running.stop().await;
        ExitCode::SUCCESS
    })
}

/// Brings the tables to this version's form, makes partitions for the months to come, and ends.
pub fn migrate(settings: &Settings) -> ExitCode {
    stores::say_which(settings);
    let done = actix::System::new().block_on(async {
        let databases = stores::connect_database(settings)?;
        let database = &databases.database;
        tables::migrate(database.as_ref()).await?;
        let schema = database.schema().await.map_err(MigrateError::from)?;
        for (_, months) in stores::make_months(&databases, &SystemClock).await {
            let fault = months.map_err(MigrateError::from)?.fault;
            fault.map_or(Ok(()), |fault| Err(StartError::Months(fault)))?;
        }
        database.close().await;
        Ok::<_, StartError>(schema)
    });
    match done {
        Ok(schema) => {
            output::say("The database is up to date.");
            if let Some(warning) = warnings::of_newer_tables(&schema) {
                output::say(warning);
            }
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Whether a file looks like the limits file, rather than a layer of the configuration.
pub fn is_limits_file(path: &Path) -> bool {
    limits::file::read(path)
        .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("[[rule]]")))
}

/// `config check`: the settings were taken; the files that they name belong to them.
pub fn check(settings: &Settings) -> ExitCode {
    match Files::read(settings) {
        Ok(files) => {
            output::say("The configuration is sound.");
            for warning in warnings::of(settings, &files.rules) {
                output::say(warning);
            }
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// `config check --file` for a limits file.
pub fn check_limits_file(path: &Path) -> ExitCode {
    match limit_rules_of(path) {
        Ok(rules) => {
            output::say(format_args!(
                "The limits are sound: {} rules.",
                rules.rules().len()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error.into()),
    }
}

pub(super) fn refuse(error: &StartError) -> ExitCode {
    output::complain(error);
    error.exit_code()
}

/// Says where everything is: for people in development, as a log line in production.
fn announce(settings: &Settings, running: &Running) {
    let Running {
        address,
        ops_address,
        admin_address,
        ..
    } = running;
    if settings.env == Environment::Production {
        tracing::info!(server.bind = %address, version = env!("CARGO_PKG_VERSION"), "serving");
        return;
    }
    let mut lines = format!("Ringback {} (development)\n", env!("CARGO_PKG_VERSION"));
    if settings.server.start_page {
        lines += &format!("  Start    http://{address}/\n");
    }
    lines += &format!("  API      http://{address}/openapi.json\n");
    if settings.server.docs {
        lines += &format!("  Docs     http://{address}/docs/\n");
    }
    if settings.routes.is_empty() || settings.mail.is_none() {
        lines += &format!("  Inbox    http://{address}/dev/inbox/\n");
    }
    if let Some(ops) = ops_address {
        lines += &format!("  Metrics  http://{ops}/metrics\n");
    }
    if let Some(admin) = admin_address {
        lines += &format!("  Admin    http://{admin}/admin/ (`ringback admin grant EMAIL --role admin`)\n");
    }
    if settings.database.url.is_none() {
        lines += &format!(
            "  Users in SQLite ({}).\n",
            settings.data_dir.join("ringback.db").display()
        );
    }
    if settings.redis.is_none() {
        lines += "  Codes, outbox and cluster limits in this process alone: a restart forgets them. Set REDIS_URL to keep them.\n";
    }
    let _ = io::stdout().write_all(lines.as_bytes());
}
