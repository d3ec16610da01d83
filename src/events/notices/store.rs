//! The contract of the store of notices. `postgres.rs` and `sqlite.rs` keep it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{NoticeAddress, NoticeKind};
use crate::{language::Language, unavailable::Unavailable};

/// A notice that is to be sent by whoever leased it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedNotice {
    pub id: Uuid,
    /// Whose account it is about.
    pub user: Uuid,
    pub kind: NoticeKind,
    pub to: NoticeAddress,
    /// What it is written in; `None` for the default.
    pub language: Option<Language>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// How many times it was leased, this time included.
    pub attempts: u32,
}

/// Where notices wait. They come in by the statements of `events/postgres.rs` and `events/sqlite.rs`, with the change.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Leases notices that are due, the oldest first, `limit` of them at most: nobody else gets them before `until`,
    /// however many ask at once. One of a kind or channel that this version doesn't know is left to those that do.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn lease(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedNotice>, Unavailable>;

    /// Deletes one: a provider has it, or refused it for good.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn delete(&self, notice: Uuid) -> Result<(), Unavailable>;

    /// Makes one due again at `at`.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn postpone(&self, notice: Uuid, at: DateTime<Utc>) -> Result<(), Unavailable>;

    /// Deletes those whose time is over, `limit` of them at most. Answers how many.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn expire(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;
}
