//! What has to go, goes: rows that are older than `ledger.retention`.

use std::sync::Arc;

use super::LedgerStore;
use crate::retention::Retention;

/// Drops and deletes rows of that age, for ever. Several instances may do so at once.
pub async fn purge_ledger(store: Arc<dyn LedgerStore>, retention: Retention) {
    let keep_months = |now, before| store.keep_months(now, before);
    let purge = |before, limit| store.purge(before, limit);
    retention.keep_forever(keep_months, purge).await;
}
