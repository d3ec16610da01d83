//! Where events are kept. Each is written by the store that makes its change; what is left is their end.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    retention::{MonthsKept, Retention},
    unavailable::Unavailable,
};

/// Keeps events.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// MUST delete events of before, at most `limit` of them; answers how many.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;

    /// Where each month's events are kept apart: MUST make a place for those of this month and of some to come, and drop
    /// those of months that ended before `before`. No event is refused or lost where a place is missing. Several instances
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

/// Drops and deletes events that are older than `events.retention`, for ever. Several instances may do so at once.
pub async fn purge_events(store: Arc<dyn EventStore>, retention: Retention) {
    let keep_months = |now, before| store.keep_months(now, before);
    let purge = |before, limit| store.purge(before, limit);
    retention.keep_forever(keep_months, purge).await;
}
