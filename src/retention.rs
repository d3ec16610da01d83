//! What is too old goes: rows that a table keeps for so long and no longer.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{clock::Clock, unavailable::Unavailable};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one statement deletes at most: none holds the table for long.
const BATCH: u32 = 1000;

/// Deletes rows of that age by `purge`, which deletes what was written before, at most so many rows, and answers how many:
/// now and every ten minutes, for ever. Several instances may do so at once.
pub async fn purge_forever<F>(
    retention: Duration,
    clock: Arc<dyn Clock>,
    purge: impl Fn(DateTime<Utc>, u32) -> F,
) where
    F: Future<Output = Result<u64, Unavailable>>,
{
    let kept = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let Some(before) = clock.now().checked_sub_signed(kept) else {
            return;
        };
        while let Ok(deleted) = purge(before, BATCH).await
            && deleted == u64::from(BATCH)
        {}
    }
}
