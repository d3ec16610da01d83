//! What is too old goes: rows that a table keeps for so long and no longer; and each month has its place in time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{clock::Clock, month::Month, outage, unavailable::Unavailable};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one statement deletes at most: none holds the table for long.
const BATCH: u32 = 1000;

/// What is known of a table that has a place for each month.
#[derive(Debug, Default)]
pub struct MonthsKept {
    /// How many of the months to come have their place, up to the first that has none. None: all rows are in one place.
    pub ahead: Option<usize>,
    /// What could not be done, the last of it.
    pub fault: Option<Unavailable>,
}

/// Which tables have a place for the months to come: for readiness. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MonthsAhead(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl MonthsAhead {
    /// Notes what was found of a table, and says what an operator should know.
    pub fn note(&self, table: &'static str, found: Result<MonthsKept, Unavailable>) {
        let kept = match found {
            Ok(kept) => kept,
            Err(error) => {
                outage::note(&error);
                tracing::debug!(table, %error, "the months of a table could not be looked at");
                return;
            }
        };
        let Some(ahead) = kept.ahead else {
            return;
        };
        metrics::gauge!("ringback_partitions_ahead", "table" => table).set(ahead as f64);
        let before = self.lock().insert(table, ahead);
        match kept.fault {
            Some(error) if ahead == 0 => {
                tracing::warn!(table, %error, "no partition for the next month: its rows go to the rest, and are deleted one by one");
            }
            Some(error) if before != Some(ahead) => {
                tracing::info!(table, %error, partitions.ahead = ahead, "a partition could not be made or dropped, and is tried again");
            }
            Some(error) => tracing::debug!(table, %error, "a partition could not be made or dropped"),
            None => {}
        }
    }

    /// The tables whose next month has no place.
    pub fn missing(&self) -> Vec<&'static str> {
        let tables = self.lock();
        let missing = tables.iter().filter(|(_, ahead)| **ahead == 0);
        missing.map(|(table, _)| *table).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table that keeps its rows for so long and no longer.
#[async_trait]
pub trait Retained: Send + Sync {
    /// MUST delete rows of before, at most `limit` of them; answers how many.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;

    /// Where each month's rows are kept apart: MUST make a place for those of this month and of some to come, and drop
    /// those of months that ended before `before`. No row is refused or lost where a place is missing. Several instances
    /// may do so at once.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn keep_months(
        &self,
        _now: DateTime<Utc>,
        _before: DateTime<Utc>,
    ) -> Result<MonthsKept, Unavailable> {
        Ok(MonthsKept::default())
    }
}

/// How long a table keeps its rows.
pub struct Retention {
    pub table: &'static str,
    pub kept: Duration,
    /// Whether rows stay until their month is over as a whole.
    pub whole_months: bool,
    pub clock: Arc<dyn Clock>,
    pub ahead: MonthsAhead,
}

impl Retention {
    /// Before when nothing is kept; none where all is.
    fn before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let kept = TimeDelta::from_std(self.kept).ok()?;
        let before = now.checked_sub_signed(kept)?;
        Some(match self.whole_months {
            true => Month::of(before).start(),
            false => before,
        })
    }

    /// Now and every ten minutes, for ever: sees to the months, and deletes what is left of rows that are too old. Several
    /// instances may do so at once.
    pub async fn keep_forever(self, store: Arc<dyn Retained>) {
        let mut every = tokio::time::interval(EVERY);
        loop {
            every.tick().await;
            let now = self.clock.now();
            let before = self.before(now);
            let months = store
                .keep_months(now, before.unwrap_or(DateTime::UNIX_EPOCH))
                .await;
            self.ahead.note(self.table, months);
            let Some(before) = before else {
                continue;
            };
            while let Ok(deleted) = store.purge(before, BATCH).await.inspect_err(outage::note)
                && deleted == u64::from(BATCH)
            {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::ManualClock, unavailable::Part};

    fn kept(days: u64, whole_months: bool) -> Option<String> {
        let now = DateTime::from_timestamp(1_796_083_200 + 3600, 0).unwrap(); // 2026-12-01
        let retention = Retention {
            table: "events",
            kept: Duration::from_secs(days * 86_400),
            whole_months,
            clock: Arc::new(ManualClock::new(now)),
            ahead: MonthsAhead::default(),
        };
        retention.before(now).map(|before| before.to_rfc3339())
    }

    #[test]
    fn rows_are_kept_for_so_long_or_until_their_month_is_over() {
        assert_eq!(kept(10, false).unwrap(), "2026-11-21T01:00:00+00:00");
        assert_eq!(kept(10, true).unwrap(), "2026-11-01T00:00:00+00:00");
        assert_eq!(kept(0, false).unwrap(), "2026-12-01T01:00:00+00:00");
        assert_eq!(kept(u64::MAX / 86_400, false), None);
    }

    #[test]
    fn a_table_whose_next_month_has_no_place_is_named() {
        let ahead = MonthsAhead::default();
        let found = |ahead, fault: bool| MonthsKept {
            ahead,
            fault: fault.then(|| Unavailable::timed_out(Part::Database)),
        };
        ahead.note("events", Ok(found(Some(0), true)));
        ahead.note("verifications", Ok(found(Some(2), true)));
        ahead.note("users", Ok(found(None, false)));
        assert_eq!(ahead.missing(), ["events"]);
        ahead.note("events", Err(Unavailable::timed_out(Part::Database)));
        assert_eq!(ahead.missing(), ["events"]);
        ahead.note("events", Ok(found(Some(3), false)));
        assert!(ahead.missing().is_empty());
    }
}
