//! When sessions were last used, without a write for each request: uses are gathered in memory, once a minute for each
//! session, and written together every few seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::SessionStore;
use crate::outage;

/// How exactly the last use of a session is known: a later use is noted only so much after the one that is stored.
pub(super) const EXACTNESS: TimeDelta = TimeDelta::seconds(60);
/// How often uses are written.
const EVERY: Duration = Duration::from_secs(5);
/// Uses that wait to be written, at most.
const ROOM: usize = 100_000;
/// Uses that are written by one statement.
const BATCH: usize = 1000;
/// The pause before the last uses are tried once more, where the database took none.
const AGAIN: Duration = Duration::from_millis(100);

/// Uses that wait to be written. Clones share them.
#[derive(Clone, Default)]
pub struct SessionUses(Arc<Mutex<HashMap<Uuid, DateTime<Utc>>>>);

impl SessionUses {
    /// Notes a use, and waits for nothing. Where there is no room it is dropped and counted: the session's next use is
    /// noted in its place.
    pub fn note(&self, session: Uuid, now: DateTime<Utc>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= ROOM && !waiting.contains_key(&session) {
            counter!("ringback_session_uses_dropped_total").increment(1);
            return;
        }
        waiting.insert(session, now);
    }

    /// Writes what waits, and says whether all was written. What the database doesn't take waits on.
    async fn write(&self, store: &dyn SessionStore) -> bool {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let taken: Vec<_> = taken.into_iter().collect();
        for (at, batch) in taken.chunks(BATCH).enumerate() {
            if let Err(error) = store.note_used(batch).await {
                outage::note(&error);
                let left = &taken[at * BATCH..];
                let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                for &(session, now) in left {
                    waiting.entry(session).or_insert(now);
                }
                return false;
            }
        }
        true
    }

    /// Writes what waits, within this time: what isn't written by then is lost with the process.
    pub async fn flush(&self, store: &dyn SessionStore, within: Duration) {
        let writing = async {
            while !self.write(store).await {
                sleep(AGAIN).await;
            }
        };
        if timeout(within, writing).await.is_err() {
            tracing::warn!("the last uses of sessions could not be written in time");
        }
    }
}

/// Writes uses every few seconds, for ever. One that panics is followed by another.
pub async fn write_session_uses(uses: SessionUses, store: Arc<dyn SessionStore>) {
    loop {
        let (uses, store) = (uses.clone(), Arc::clone(&store));
        let writing = tokio::spawn(async move {
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                uses.write(store.as_ref()).await;
            }
        });
        let Err(error) = writing.await;
        tracing::error!(%error, "the writer of sessions' uses starts again");
        sleep(EVERY).await;
    }
}
