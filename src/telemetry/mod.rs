//! Logs and metrics. Neither ever holds a phone number, code, token, password or e-mail address.

mod json;

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use json::JsonLines;

use crate::{database::Database, supervision::Supervision};

/// Seconds; from a cached token to a hash that waits its turn.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

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

/// The metrics of this process, as Prometheus reads them.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting, for the whole process; a second call gives the same.
    pub fn init() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
                .map(PrometheusBuilder::build_recorder)
                .unwrap_or_else(|_| PrometheusBuilder::new().build_recorder());
            let handle = recorder.handle();
            // Another recorder is in place only where a test put it there.
            let _ = metrics::set_global_recorder(recorder);
            describe();
            handle
        });
        Self(handle.clone())
    }

    /// Folds what histograms have gathered, every few seconds and for ever: it would pile up where nobody asks for
    /// `/metrics`.
    pub async fn keep_up(self) {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }

    /// The text of `/metrics`, with the gauges that are read when they are asked for.
    pub fn render(&self, supervision: &Supervision, database: &dyn Database) -> String {
        for actor in supervision.all() {
            let labels = [("actor", actor.name().to_owned())];
            metrics::gauge!("ringback_actor_mailbox_depth", &labels).set(count(actor.depth()));
            metrics::gauge!("ringback_actor_mailbox_capacity", &labels).set(count(actor.capacity()));
            metrics::counter!("ringback_actor_restarts_total", &labels).absolute(actor.restarts());
        }
        let pool = database.pool_status();
        metrics::gauge!("ringback_database_connections", "state" => "open").set(count(pool.size));
        metrics::gauge!("ringback_database_connections", "state" => "idle").set(count(pool.idle));
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!(
        "ringback_http_requests_total",
        "Requests by method, route and status"
    );
    histogram!(
        "ringback_http_request_seconds",
        "Time from a request's head to its answer, by route"
    );
    counter!(
        "ringback_otp_issued_total",
        "Challenges issued: with an SMS, or as a decoy"
    );
    counter!("ringback_otp_verdicts_total", "Codes by what became of them");
    counter!(
        "ringback_limiter_decisions_total",
        "What each rule said: admitted, refused, or as a shadow would have refused"
    );
    counter!(
        "ringback_limiter_shadow_challenges_total",
        "Codes sent though a shadow rule would have refused; and those of them that were verified, its false positives"
    );
    counter!(
        "ringback_limiter_local_total",
        "Requests that a cluster rule counted in this process, since Redis was away"
    );
    counter!(
        "ringback_limiter_uncounted_total",
        "Requests that a rule could not count, and let pass"
    );
    gauge!(
        "ringback_actor_mailbox_depth",
        "Messages that wait or run, by actor"
    );
    gauge!(
        "ringback_actor_mailbox_capacity",
        "Messages that may wait or run, by actor"
    );
    counter!("ringback_actor_restarts_total", "Restarts, by actor");
    gauge!(
        "ringback_database_connections",
        "Connections to the database, by state"
    );
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}
