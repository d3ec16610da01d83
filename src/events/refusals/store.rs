//! The contract of the store of refusals. `postgres.rs` and `sqlite.rs` keep it.

use async_trait::async_trait;

use super::RefusalRow;
use crate::unavailable::Unavailable;

/// Where rows of refusals go: the table of events.
#[async_trait]
pub trait RefusalStore: Send + Sync {
    /// Writes rows, all or none. One that is there already stays as it is: who was not answered writes it again. A row whose
    /// account is gone, or goes meanwhile, MUST say neither whose it was nor from which network.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; they may have been written.
    async fn write(&self, rows: &[RefusalRow]) -> Result<(), Unavailable>;
}
