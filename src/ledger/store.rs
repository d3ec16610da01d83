//! Where the ledger is kept: the contract of both databases.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Row;
use crate::{retention::MonthsKept, unavailable::Unavailable};

/// Keeps rows.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// MUST add the rows, one for a challenge, to what is kept of their challenges, all of them or none: the most
    /// attempts and the earliest times stay, and of the rest what is told last. The status that is further stays; one that
    /// is final stays with its error code, unless one is told that came earlier. So rows that are written twice, or by
    /// several instances at once, add up to the same.
    ///
    /// Whose a challenge is MUST be written for an account that exists alone: an erasure that came first, or comes at the
    /// same time, is not undone.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; it may have been written.
    async fn write(&self, rows: &[Row]) -> Result<(), Unavailable>;

    /// MUST delete what was created before, at most `limit` rows; answers how many.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;

    /// Where each month's rows are kept apart: MUST make a place for those of this month and of some to come, and drop
    /// those of challenges of months that ended before `before`. No row is refused or lost where a place is missing. Several
    /// instances may do so at once.
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
