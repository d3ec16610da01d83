//! The contract of the store of all that is kept about a user. `postgres.rs` and `sqlite.rs` keep it;
//! `tests/accounts/records.rs` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{events::NewEvent, unavailable::Unavailable};

/// An account that is to be erased.
#[derive(Debug, Clone)]
pub struct Erasure {
    pub user: Uuid,
    pub by: ErasedBy,
    /// What stays: it doesn't say of whom.
    pub event: NewEvent,
}

/// Who asks for it.
#[derive(Debug, Clone, Copy)]
pub enum ErasedBy {
    Owner {
        /// The account's `session_epoch` when its owner was proven.
        epoch: i64,
        /// The session that asks for it.
        session: Uuid,
    },
    /// An administrator or an operator: it may be locked.
    Administrator,
}

impl ErasedBy {
    /// The epoch and the session of its owner; none of an administrator's.
    pub(super) const fn proof(self) -> (Option<i64>, Option<Uuid>) {
        match self {
            Self::Owner { epoch, session } => (Some(epoch), Some(session)),
            Self::Administrator => (None, None),
        }
    }
}

/// When an account counts as unused that never proved anything, never had to give a phone to another account, and isn't
/// locked.
#[derive(Debug, Clone, Copy)]
pub struct UnusedSince {
    /// It was imported before, and none of its sessions was good any more.
    pub idle: DateTime<Utc>,
    /// Its last session was opened before, with the account or by a sign-in: how long that was used is known no more.
    pub opened: DateTime<Utc>,
}

/// Accounts that were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedPage {
    pub unused: Vec<Uuid>,
    /// Where the next look goes on; none where all were looked at.
    pub next: Option<Uuid>,
}

impl UnusedPage {
    /// Of accounts in the order of their ids, each with whether it is unused.
    pub(super) fn of(looked_at: &[(Uuid, bool)], limit: u32) -> Self {
        let is_full = looked_at.len() == limit as usize;
        Self {
            unused: looked_at
                .iter()
                .filter(|(_, unused)| *unused)
                .map(|(id, _)| *id)
                .collect(),
            next: looked_at.last().filter(|_| is_full).map(|(id, _)| *id),
        }
    }
}

/// What became of an [`Erasure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    Erased,
    /// There is no such account, or what its owner had proven counts no more.
    Void,
    /// Nobody would be left who may do everything.
    LastAdministrator,
}

/// All that is kept about a user.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Erases an account: MUST delete it with its sessions and notices, and take out of events and the ledger whose they
    /// were, with network and reason; all or nothing. [`Erased::Void`], and nothing is changed, if there is no such account,
    /// or its owner asks and its epoch is another by now or the session has ended. MUST NOT erase the last administrator who
    /// isn't locked. Of any number of callers at once one gets [`Erased::Erased`], and whoever opens a session, proves
    /// an address or changes the account meanwhile leaves nothing behind.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; it may have been erased.
    async fn erase(&self, erasure: Erasure) -> Result<Erased, Unavailable>;

    /// Looks at `limit` accounts with ids beyond `after`, and finds those that are unused.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn unused(&self, since: UnusedSince, after: Uuid, limit: u32) -> Result<UnusedPage, Unavailable>;

    /// Erases an account as [`RecordStore::erase`] does, if it is still unused. Whoever proves something, or opens a session
    /// meanwhile, keeps it.
    ///
    /// # Errors
    /// As for [`RecordStore::erase`].
    async fn erase_unused(
        &self,
        user: Uuid,
        since: UnusedSince,
        event: NewEvent,
    ) -> Result<bool, Unavailable>;

    /// Everything about a user but what proves who they are, by table, the newest rows first. `None`: no such account.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn export(&self, user: Uuid) -> Result<Option<Value>, Unavailable>;
}
