//! Where events are kept. Each is written by the store that makes its change; what is left is their end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{clock::Clock, retention::purge_forever, unavailable::Unavailable};

/// Keeps events.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// MUST delete events of before, at most `limit` of them; answers how many.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;
}

/// Deletes events that are older than `events.retention`, for ever. Several instances may do so at once.
pub async fn purge_events(store: Arc<dyn EventStore>, retention: Duration, clock: Arc<dyn Clock>) {
    purge_forever(retention, clock, |before, limit| store.purge(before, limit)).await;
}
