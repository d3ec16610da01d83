//! The contract of the log. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/event_log.rs` holds both to it.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    dated::first_row_id,
    events::{EventKind, NewEvent},
    unavailable::Unavailable,
};

/// The log of events.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Writes an event that no change goes with, about an account or about none. MUST name no account that is not there, or no more.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; it may have been written.
    async fn note(&self, event: &NewEvent, about: Option<Uuid>) -> Result<(), Unavailable>;

    /// The events that are asked for, the newest first. MUST find those of a user, of a kind and of a time by an index.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn page(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, Unavailable>;

    /// How often events of some kinds happened from one time until before another, by kind and reason. MUST read those events
    /// alone.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down, or takes longer than a request may.
    async fn counts(
        &self,
        kinds: &[EventKind],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<EventCount>, Unavailable>;

    /// Which networks and accounts something was refused to, the most often first, `limit` of them at most. MUST read those
    /// events alone that are not older.
    ///
    /// # Errors
    /// As for [`EventLog::counts`].
    async fn refused_clients(
        &self,
        kinds: &[EventKind],
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RefusedClient>, Unavailable>;
}

/// Who was refused, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClient {
    pub kind: String,
    /// The rule's id, or the code of the answer.
    pub reason: String,
    /// Cut to /24 or /48.
    pub network: Option<String>,
    /// Whose account it was about, where that is known.
    pub user_id: Option<Uuid>,
    pub times: i64,
    /// When the last minute began in which it was.
    pub last_at: DateTime<Utc>,
}

/// How often something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    pub kind: String,
    /// Of a refusal the rule's id, or the code of the answer; else empty.
    pub reason: String,
    pub times: i64,
}

/// Events that are asked for.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// About this account.
    pub user: Option<Uuid>,
    pub kind: Option<EventKind>,
    /// Not older.
    pub since: Option<DateTime<Utc>>,
    /// Older than this one.
    pub before: Option<Uuid>,
    /// Younger than this one; then the oldest come first.
    pub after: Option<Uuid>,
    /// Of so many at most.
    pub limit: u32,
}

impl EventFilter {
    /// The bounds between which the ids lie: they sort by time.
    pub(super) fn bounds(&self) -> (Uuid, Uuid) {
        let least = self
            .since
            .map(first_row_id)
            .max(self.after)
            .unwrap_or(Uuid::nil());
        (least, self.before.unwrap_or(Uuid::max()))
    }
}

/// An event as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub actor_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub network: Option<String>,
    pub reason: Option<String>,
    /// An object.
    pub details: Value,
    /// How many times, where refusals are counted together.
    pub times: i32,
}

/// A reason may name somebody.
impl fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredEvent({} {})", self.id, self.kind)
    }
}
