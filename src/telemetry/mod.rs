//! Logs and metrics. Neither ever holds a phone number, code, token, password or e-mail address.

mod at_zero;
mod families;
mod json;
mod measured;
mod process;

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use json::JsonLines;

use crate::outage;

pub use measured::Metrics;

/// How much of the log is written at once, and how long a line may wait for others.
const BLOCK: usize = 32 * 1024;
const FLUSH: Duration = Duration::from_millis(100);

/// Where actix calls an error what any outsider can bring about, a connection that doesn't speak HTTP: each would be a line
/// that is written at once. Not logged, unless the configuration names actix_http.
const OUTSIDERS_ERRORS: &str = "actix_http::h1::dispatcher=off,actix_http::h1::decoder=off";

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct TelemetryOptions {
    /// Directives that `EnvFilter` of tracing-subscriber takes.
    pub log: String,
    pub format: LogFormat,
}

/// Starts logging to standard output, for the whole process. A second call does nothing.
///
/// In JSON, lines are written in blocks: a system call for each would cost more than to make it. A warning or an error is
/// written at once with all that came before it; the rest within 100 ms while [`Logs::keep_up`] runs, and when this is
/// dropped.
pub fn init_logs(options: &TelemetryOptions) -> Logs {
    let logs = Logs(Arc::default());
    let registry = tracing_subscriber::registry().with(filter(&options.log));
    let _ = match options.format {
        LogFormat::Json => registry
            .with(fmt::layer().event_format(JsonLines).with_writer(logs.clone()))
            .try_init(),
        LogFormat::Pretty => {
            let lines = fmt::layer().compact().with_target(false);
            // Colours are for eyes: a file or a pipe gets none.
            let lines = match std::io::stdout().is_terminal() {
                true => lines,
                false => lines.with_ansi(false),
            };
            registry.with(lines).try_init()
        }
    };
    logs
}

fn filter(log: &str) -> EnvFilter {
    let directives = match log.contains("actix_http") {
        true => log.to_owned(),
        false => format!("{log},{OUTSIDERS_ERRORS}"),
    };
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Lines of the log that are still to be written.
#[derive(Clone)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Writes what waits, every so often and for ever.
    pub async fn keep_up(self) {
        let mut every = tokio::time::interval(FLUSH);
        loop {
            every.tick().await;
            outage::tick();
            self.lines().flush();
        }
    }

    fn lines(&self) -> Lines<'_> {
        Lines {
            waiting: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            urgent: false,
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.lines().flush();
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        self.lines()
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Lines<'a> {
        Lines {
            urgent: *metadata.level() <= Level::WARN,
            ..self.lines()
        }
    }
}

/// Takes a line.
pub struct Lines<'a> {
    waiting: MutexGuard<'a, Vec<u8>>,
    urgent: bool,
}

impl Lines<'_> {
    /// A standard output that is closed or full loses lines: there is nowhere left to say so.
    fn flush(&mut self) {
        let _ = io::stdout().lock().write_all(&self.waiting);
        let _ = io::stdout().flush();
        self.waiting.clear();
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(line);
        if self.urgent || self.waiting.len() >= BLOCK {
            Lines::flush(self);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
