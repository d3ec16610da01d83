//! Whether the service can do its work: what `/readyz` says.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;

use crate::{
    challenges::{ChallengeStore, WhenFull},
    database::Database,
    delivery::{DeliveryQueue, Health},
    limits::{Limiter, LimitsWatch},
    outage,
    retention::MonthsAhead,
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};

/// How long a part may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// Asks each part.
#[derive(Clone)]
pub struct Readiness {
    pub database: Arc<dyn Database>,
    pub months_ahead: MonthsAhead,
    pub challenges: Arc<dyn ChallengeStore>,
    pub queue: DeliveryQueue,
    /// Empty while no limits file is watched.
    pub watcher: Arc<OnceLock<LimitsWatch>>,
    /// None where nothing is limited.
    pub limiter: Option<Limiter>,
    /// Whether it is worth a warning that nothing is limited: in production.
    pub wants_rules: bool,
    pub supervision: Supervision,
    /// Set when the service is ending.
    pub draining: Arc<AtomicBool>,
    /// The last report, and when it was begun.
    pub last: Arc<Mutex<Option<(Instant, Report)>>>,
}

/// The words for it, as the documents list them.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
enum ReadinessStatus {
    Ready,
    NotReady,
}

/// What was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub struct Report {
    /// `ready`, or `not_ready`.
    #[schema(value_type = ReadinessStatus, example = "ready")]
    pub status: &'static str,
    /// What keeps the service from its work.
    pub down: Vec<String>,
    /// What an operator should look at, though the service works.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// How everything is. However many ask at once, the parts are asked once at a time: whoever comes while that is
    /// under way gets the next report, with all who came meanwhile.
    pub async fn report(&self) -> Report {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        match &*last {
            Some((began, report)) if *began > came => report.clone(),
            _ => {
                let began = Instant::now();
                let report = self.look().await;
                *last = Some((began, report.clone()));
                report
            }
        }
    }

    /// Brings the metrics up to date that are read when somebody asks for them.
    #[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
    pub fn measure(&self) {
        self.supervision.measure();
        let pool = self.database.pool_status();
        metrics::gauge!("ringback_database_connections", "state" => "open").set(pool.size as f64);
        metrics::gauge!("ringback_database_connections", "state" => "idle").set(pool.idle as f64);
    }

    /// Looks at everything at once, for a second at most.
    async fn look(&self) -> Report {
        let (database, store) = tokio::join!(
            answer(Part::Database, self.database.ping()),
            answer(Part::Redis, self.challenges.ping())
        );
        let mut down: Vec<String> = Vec::new();
        for (part, answers) in [("database", database.is_some()), ("redis", store.is_some())] {
            if !answers {
                down.push(part.to_owned());
            }
        }
        down.extend(
            self.supervision
                .storming()
                .into_iter()
                .map(|actor| format!("actor:{actor}")),
        );
        if self.draining.load(Ordering::Relaxed) {
            down.push("draining".to_owned());
        }
        let mut warnings = Vec::new();
        if store == Some(WhenFull::Drops) {
            warnings.push("redis: it drops keys once its memory is full (maxmemory-policy)".to_owned());
        }
        for provider in self.queue.status().providers {
            let what = match provider.health {
                Health::Working => continue,
                Health::Failing => "failing, it is tried again soon",
                Health::Stopped => "stopped, it refuses everything until an operator acts",
                Health::Probing => "tried again just now",
            };
            let (channel, name) = (provider.channel.name(), provider.name);
            warnings.push(format!("{channel} provider {name}: {what}"));
        }
        warnings.extend(self.limits_warnings());
        for table in self.months_ahead.missing() {
            warnings.push(format!(
                "table {table}: no partition for the next month, run `ringback migrate`"
            ));
        }
        Report::of(down, warnings)
    }
}

impl Readiness {
    /// What is wrong with the files of the limits. The details stand in the log: the world need not know.
    fn limits_warnings(&self) -> impl Iterator<Item = String> {
        let watcher = self.watcher.get();
        let is_faulty = watcher.is_some_and(|watcher| !watcher.status().faults.is_empty());
        let limiter = self.limiter.as_ref();
        let is_empty = self.wants_rules && limiter.is_some_and(|limiter| !limiter.has_rules());
        let are_prices_faulty = limiter.is_some_and(|limiter| limiter.prices().is_file_faulty());
        let all = [
            (is_faulty, "limits file: faulty, the last good one is in force"),
            (is_empty, "limits file: it has no rule, nothing is limited"),
            (
                are_prices_faulty,
                "file of prices: faulty, the prices of before are in force",
            ),
        ];
        all.into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, warning)| warning.to_owned())
    }
}

impl Report {
    /// Ready, if nothing is down.
    pub fn of(down: Vec<String>, warnings: Vec<String>) -> Self {
        Self {
            status: if down.is_empty() { "ready" } else { "not_ready" },
            down,
            warnings,
        }
    }
}

/// What a part answers. The log has why it doesn't: of an instance that gets no other requests nobody else would say it.
async fn answer<T>(part: Part, ping: impl Future<Output = Result<T, Unavailable>>) -> Option<T> {
    let answer = tokio::time::timeout(PATIENCE, ping).await;
    let answer = answer.unwrap_or_else(|_| Err(Unavailable::timed_out(part)));
    answer.inspect_err(outage::note).ok()
}
