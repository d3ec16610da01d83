//! The contract of the store of events that go out. `postgres.rs` and `sqlite.rs` keep it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{EventKinds, OutgoingEvent};
use crate::unavailable::Unavailable;

/// An event that is to be sent by whoever leased it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedEvent {
    /// Its place among all events.
    pub seq: i64,
    /// How many times it was leased, this time included.
    pub attempts: u32,
    /// When it became due first.
    pub created_at: DateTime<Utc>,
    /// None where retention has deleted it meanwhile.
    pub event: Option<OutgoingEvent>,
}

/// What became of a step of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Events that will go out once more.
    pub queued: u64,
    /// Where the next step goes on; none where that was all.
    pub next: Option<i64>,
}

/// Where it stands which events went out. For each webhook, by its name.
#[async_trait]
pub trait OutgoingStore: Send + Sync {
    /// Up to which place the events are settled: MUST be such that no event with this place or a lower one comes to be seen
    /// later, whatever is under way, on whichever instance. It never goes back. None while that isn't known yet.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down, for this method and all others.
    async fn settled(&self) -> Result<Option<i64>, Unavailable>;

    /// Begins with a webhook, if it is new: it gets events that come after this place. Answers where it stands.
    async fn begin(&self, webhook: &str, settled: i64) -> Result<i64, Unavailable>;

    /// Moves a webhook's position on over `limit` events at most, no further than `settled`, and makes those of its kinds due
    /// at `now`; both or neither. However many instances do so at once, each event is made due once. Answers where it stands.
    async fn advance(
        &self,
        webhook: &str,
        kinds: &EventKinds,
        settled: i64,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<i64, Unavailable>;

    /// Leases events that are due, `limit` of them at most: nobody else gets them before `until`. Of those about one account
    /// only the first is ever leased, until it is done.
    async fn lease(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedEvent>, Unavailable>;

    /// These are done: they were taken, or are given up.
    async fn done(&self, webhook: &str, seqs: &[i64]) -> Result<(), Unavailable>;

    /// Makes one due again at `at`, and with it those that stand behind it.
    async fn postpone(&self, webhook: &str, seq: i64, at: DateTime<Utc>) -> Result<(), Unavailable>;

    /// Whether a webhook has begun ([`OutgoingStore::begin`]).
    async fn has_begun(&self, webhook: &str) -> Result<bool, Unavailable>;

    /// How many events of a webhook aren't done; no more than `most` are counted.
    async fn pending(&self, webhook: &str, most: u32) -> Result<u32, Unavailable>;

    /// Makes events since then due once more that have gone out, in steps: of `limit` events beyond the place `after`, those
    /// of its kinds.
    async fn replay(
        &self,
        webhook: &str,
        kinds: &EventKinds,
        since: DateTime<Utc>,
        after: i64,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Replayed, Unavailable>;
}
