//! The metrics of this process, as Prometheus reads them.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{at_zero, families, process};
use crate::channel::Channel;

/// Seconds; from a cached token to a hash that waits its turn.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Counts for the whole process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting; a second call gives the same.
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
            families::describe();
            at_zero::begin_at_zero();
            handle
        });
        Self(handle.clone())
    }

    /// Shows what counts by provider from the start.
    pub fn begin_provider(&self, provider: &'static str, channel: Channel) {
        at_zero::begin_provider(provider, channel);
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

    /// The text of `/metrics`.
    pub fn render(&self) -> String {
        process::measure();
        self.0.run_upkeep();
        self.0.render()
    }
}
