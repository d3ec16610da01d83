//! What has to go, goes: rows that are older than `ledger.retention`.

use std::{sync::Arc, time::Duration};

use super::LedgerStore;
use crate::{clock::Clock, retention::purge_forever};

/// Deletes rows of that age, for ever. Several instances may do so at once.
pub async fn purge_ledger(store: Arc<dyn LedgerStore>, retention: Duration, clock: Arc<dyn Clock>) {
    purge_forever(retention, clock, |before, limit| store.purge(before, limit)).await;
}
