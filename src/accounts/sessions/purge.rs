//! Deletes sessions that ended.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::SessionStore;
use crate::{clock::Clock, outage};

/// How often it looks for them.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one statement deletes at most: none holds the table for long.
const BATCH: u32 = 1000;
/// An ended session is kept for so long, for whoever looks into an incident.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Deletes sessions that ended a day ago, now and every ten minutes, for ever. Several instances may do so at once.
pub async fn purge_sessions(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        while let Ok(deleted) = store
            .purge(clock.now() - KEPT, BATCH)
            .await
            .inspect_err(outage::note)
            && deleted == u64::from(BATCH)
        {}
    }
}
