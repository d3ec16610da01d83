//! Whether the service can do its work: what `/readyz` says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;

use crate::{
    accounts::AccountStore, limits::LimitsWatch, otp::ChallengeStore, sms::SmsQueue,
    supervision::Supervision, unavailable::Unavailable,
};

/// How long a part may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a report is given again: however often the world asks, the parts are asked a few times a second.
const FRESH: Duration = Duration::from_millis(250);

/// Asks each part.
#[derive(Clone)]
pub struct Readiness {
    pub accounts: Arc<dyn AccountStore>,
    pub challenges: Arc<dyn ChallengeStore>,
    pub queue: SmsQueue,
    pub watcher: Option<LimitsWatch>,
    pub supervision: Supervision,
    /// Set when the service is ending.
    pub draining: Arc<AtomicBool>,
    /// The last report and when it was made. Whoever asks meanwhile waits for the one under way.
    pub last: Arc<Mutex<Option<(Instant, Report)>>>,
}

/// What was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub struct Report {
    /// `ready`, or `not_ready`.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// What keeps the service from its work.
    pub down: Vec<String>,
    /// What an operator should look at, though the service works.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// How everything is, as of a quarter of a second ago at most.
    pub async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            _ => {
                let report = self.look().await;
                *last = Some((Instant::now(), report.clone()));
                report
            }
        }
    }

    /// Looks at everything at once, for a second at most.
    async fn look(&self) -> Report {
        let (database, store) = tokio::join!(answers(self.accounts.ping()), answers(self.challenges.ping()));
        let mut down: Vec<String> = Vec::new();
        for (part, answers) in [("database", database), ("redis", store)] {
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
        if self.queue.status().misconfigured {
            warnings.push("sms provider: refuses everything until its configuration changes".to_owned());
        }
        // What is wrong with it stands in the log: the world need not know.
        if self
            .watcher
            .as_ref()
            .is_some_and(|watcher| !watcher.status().faults.is_empty())
        {
            warnings.push("limits file: faulty, the last good one is in force".to_owned());
        }
        Report::of(down, warnings)
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

async fn answers(ping: impl Future<Output = Result<(), Unavailable>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, ping).await, Ok(Ok(())))
}
