//! The contract of the store of all that is kept about a user. `postgres.rs` and `sqlite.rs` keep it;
//! `tests/accounts/records.rs` holds both to it.

use async_trait::async_trait;
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

    /// Everything about a user but what proves who they are, by table, the newest rows first. `None`: no such account.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn export(&self, user: Uuid) -> Result<Option<Value>, Unavailable>;
}
