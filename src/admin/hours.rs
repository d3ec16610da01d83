//! What happened in each hour. An hour that is over changes no more: it is read once, and kept.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{AdminError, Administration};
use crate::{
    events::{EventCount, EventKind},
    unavailable::{Part, Unavailable},
};

/// What is counted as a refusal.
pub(super) const REFUSALS: [EventKind; 3] = [
    EventKind::RequestRefused,
    EventKind::CodeRefused,
    EventKind::LoginFailed,
];

/// How long after its end an hour may change still: a refusal is written a minute later, or once the database is back.
const SETTLES: Duration = Duration::from_secs(3600);
/// How long one call reads. What it has read is kept, so that the next goes on from there.
const PATIENCE: Duration = Duration::from_secs(5);
/// The hours that are kept: all that can be asked for.
const MOST: usize = 32 * 24;

/// Counts of an hour.
pub(super) type Counts = Arc<[EventCount]>;

/// Hours that are over, by their numbers since 1970. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct KeptHours(Arc<Mutex<BTreeMap<i64, Counts>>>);

impl KeptHours {
    fn get(&self, hour: i64) -> Option<Counts> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&hour).cloned()
    }

    fn keep(&self, hour: i64, counts: Counts) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(hour, counts);
        if kept.len() > MOST {
            kept.pop_first();
        }
    }
}

impl Administration {
    /// Sign-ups and refusals since then, by the hour.
    ///
    /// # Errors
    /// `Unavailable`; also where there is so much that it takes too long: then another call gets further.
    pub(super) async fn counted(&self, since: DateTime<Utc>) -> Result<Vec<(i64, Counts)>, AdminError> {
        let now = self.clock.now();
        let read = async {
            let mut counted = Vec::new();
            for hour in hours(since, now) {
                counted.push((hour, self.counted_in(hour, since, now).await?));
            }
            Ok(counted)
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(counted) => counted,
            Err(_) => Err(Unavailable::timed_out(Part::Database).into()),
        }
    }

    async fn counted_in(
        &self,
        hour: i64,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Counts, AdminError> {
        let (begin, end) = (begin(hour), begin(hour.saturating_add(1)));
        let is_settled = begin >= since && end + SETTLES <= now;
        if let Some(kept) = self.kept_hours.get(hour).filter(|_| is_settled) {
            return Ok(kept);
        }
        let kinds = [&REFUSALS[..], &[EventKind::AccountRegistered]].concat();
        let counts: Counts = self.events.counts(&kinds, begin.max(since), end).await?.into();
        if is_settled {
            self.kept_hours.keep(hour, Arc::clone(&counts));
        }
        Ok(counts)
    }
}

fn hours(since: DateTime<Utc>, now: DateTime<Utc>) -> RangeInclusive<i64> {
    since.timestamp().div_euclid(3600)..=now.timestamp().div_euclid(3600)
}

/// When an hour began.
pub(super) fn begin(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(hour.saturating_mul(3600), 0).unwrap_or_default()
}
