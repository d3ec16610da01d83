//! Where the ledger is kept: the contract of both databases.

use async_trait::async_trait;

use super::Row;
use crate::{retention::Retained, unavailable::Unavailable};

/// Keeps rows, for as long as it is told.
#[async_trait]
pub trait LedgerStore: Retained {
    /// MUST add the rows, one for a challenge, to what is kept of their challenges: the most attempts and the earliest times
    /// stay, and of the rest what is told last. The status that is further stays; one that is final stays with its error code,
    /// unless one is told that came earlier. So rows that are written twice, or by several instances at once, add up to the same.
    ///
    /// Whose a challenge is MUST be written for an account that exists alone: an erasure that came first, or comes at the
    /// same time, is not undone.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; any of them may have been written.
    async fn write(&self, rows: &[Row]) -> Result<(), Unavailable>;
}
