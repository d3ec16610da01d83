//! Writes each minute once it is over.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{RefusalStore, RefusalTally};
use crate::outage;

/// How often it looks whether a minute is over.
const EVERY: Duration = Duration::from_secs(1);
/// Rows that are written by one statement.
const BATCH: usize = 250;
/// The pause before the last rows are tried once more, where the database took none.
const AGAIN: Duration = Duration::from_millis(100);

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
    let writing = async {
        while !write(tally, store, true).await {
            sleep(AGAIN).await;
        }
    };
    if timeout(within, writing).await.is_err() {
        tracing::warn!("the last refusals could not be written in time");
    }
}

/// Whether all was written. What the database doesn't take waits on.
async fn write(tally: &RefusalTally, store: &dyn RefusalStore, all: bool) -> bool {
    loop {
        let rows = tally.due(all, BATCH);
        if rows.is_empty() {
            return true;
        }
        if let Err(error) = store.write(&rows).await {
            outage::note(&error);
            return false;
        }
        for row in &rows {
            counter!("ringback_events_total", "kind" => row.key.kind.name()).increment(1);
        }
        tally.written(&rows);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::{
        clock::SystemClock,
        entropy::SystemEntropy,
        events::{EventKind, RefusalKey, RefusalRow},
        unavailable::{Part, Unavailable},
    };

    /// Takes rows from the third try on.
    #[derive(Default)]
    struct Recovering {
        tries: AtomicUsize,
        rows: AtomicUsize,
    }

    #[async_trait]
    impl RefusalStore for Recovering {
        async fn write(&self, rows: &[RefusalRow]) -> Result<(), Unavailable> {
            if self.tries.fetch_add(1, Ordering::Relaxed) < 2 {
                return Err(Unavailable::new(Part::Database, "away for a moment"));
            }
            self.rows.fetch_add(rows.len(), Ordering::Relaxed);
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_last_rows_are_tried_again() {
        let tally = RefusalTally::new(10, Arc::new(SystemClock), Arc::new(SystemEntropy));
        let client = std::net::IpAddr::from([203, 0, 113, 1]).into();
        tally.note(RefusalKey::of_anyone(
            EventKind::RequestRefused,
            None,
            client,
            "login-per-ip",
        ));
        let store = Recovering::default();
        flush_refusals(&tally, &store, Duration::from_secs(5)).await;
        assert_eq!(store.rows.load(Ordering::Relaxed), 1);
    }
}
