//! Writes each minute once it is over.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{RefusalStore, RefusalTally};
use crate::outage;

/// How often it looks whether a minute is over.
const EVERY: Duration = Duration::from_secs(1);
/// Rows that are written by one statement.
const BATCH: usize = 250;

/// Writes refusals of minutes that are over, for ever. A round that panics is followed by another.
pub async fn write_refusals(tally: RefusalTally, store: Arc<dyn RefusalStore>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let (tally, store) = (tally.clone(), Arc::clone(&store));
        if let Err(panic) = tokio::spawn(async move { write(&tally, store.as_ref(), false).await }).await {
            tracing::error!(%panic, "a round of refusals panicked");
        }
    }
}

/// Writes all that was counted, within this time: what isn't written by then is lost with the process.
pub async fn flush_refusals(tally: &RefusalTally, store: &dyn RefusalStore, within: Duration) {
    if timeout(within, write(tally, store, true)).await.is_err() {
        tracing::warn!("the last refusals could not be written in time");
    }
}

/// What the database doesn't take waits on.
async fn write(tally: &RefusalTally, store: &dyn RefusalStore, all: bool) {
    loop {
        let rows = tally.due(all, BATCH);
        if rows.is_empty() {
            return;
        }
        if let Err(error) = store.write(&rows).await {
            outage::note(&error);
            return;
        }
        for row in &rows {
            counter!("ringback_events_total", "kind" => row.key.kind.name()).increment(1);
        }
        tally.written(&rows);
    }
}
