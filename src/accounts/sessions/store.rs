//! The contract of the store of sessions. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Identity, Liveness, NewSession, OpenSession, Rotated, Rotation, SessionView};
use crate::{events::NewEvent, unavailable::Unavailable};

/// Sessions that are listed at most.
pub const MOST_LISTED: u32 = 1000;

/// Where sessions are kept. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// A session with its user. Lookups that arrive together are one query, and none is answered from a cache: a
    /// revocation MUST count at once.
    async fn view(&self, session: Uuid) -> Result<Option<SessionView>, Unavailable>;

    /// A user's live sessions, those that were used last first, [`MOST_LISTED`] at most.
    async fn list(&self, user: Uuid, live: Liveness) -> Result<Vec<OpenSession>, Unavailable>;

    /// Opens a further session, and writes its event with it. MUST open none (`None`) unless the account's epoch is the session's still and it isn't
    /// locked: whoever waited for a hash while the password was changed gets in nowhere.
    async fn open(&self, session: NewSession) -> Result<Option<Identity>, Unavailable>;

    /// Ends those of a user's sessions that are over `most`, the longest unused first.
    async fn end_surplus(&self, user: Uuid, most: u32, event: NewEvent) -> Result<(), Unavailable>;

    /// Replaces a session's refresh token by the rules of `rotation.rs`. Of any number of callers with one token, one MUST get
    /// [`Rotated::Rotated`]. [`Rotated::Reused`] MUST have revoked the session, and written the event of that with it.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable>;

    /// Notes that a token of this generation was shown: the one before is good for its grace alone from now on.
    async fn note_shown(&self, session: Uuid, generation: u32) -> Result<(), Unavailable>;

    /// Notes when sessions were used. It MUST set no time back, and MAY leave out a session that others write to just now.
    async fn note_used(&self, uses: &[(Uuid, DateTime<Utc>)]) -> Result<(), Unavailable>;

    /// Ends a live session of this user. `false`: the user has none like that.
    async fn end(
        &self,
        user: Uuid,
        session: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable>;

    /// Ends all other sessions of whoever a live session is; `false` where it isn't live. Of sessions that end each other at
    /// once, one MUST remain.
    async fn end_others(
        &self,
        user: Uuid,
        keep: Uuid,
        live: Liveness,
        event: NewEvent,
    ) -> Result<bool, Unavailable>;

    /// Ends a session, and writes the event with it. One that has ended already, or never was, is no error, and no event.
    async fn revoke(&self, session: Uuid, event: NewEvent) -> Result<(), Unavailable>;

    /// Deletes sessions that ended before `before`, `limit` of them at most. Returns how many.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;
}
