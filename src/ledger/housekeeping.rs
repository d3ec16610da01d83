//! What has to go, goes: rows that are older than `ledger.retention`.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::LedgerStore;
use crate::clock::Clock;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one statement deletes at most: none holds the table for long.
const BATCH: u32 = 1000;

/// Deletes rows of that age, now and every ten minutes, for ever. Several instances may do so at once.
pub async fn purge_ledger(store: Arc<dyn LedgerStore>, retention: Duration, clock: Arc<dyn Clock>) {
    let kept = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let Some(before) = clock.now().checked_sub_signed(kept) else {
            return;
        };
        while let Ok(deleted) = store.purge(before, BATCH).await
            && deleted == u64::from(BATCH)
        {}
    }
}
