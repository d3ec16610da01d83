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
    /// The account's `session_epoch` when its owner was proven.
    pub epoch: i64,
    /// The session that asks for it.
    pub session: Uuid,
    /// What stays: it names nobody.
    pub event: NewEvent,
}

/// All that is kept about a user.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Erases an account: MUST delete it with its sessions and notices, and take out of events and the ledger whose they
    /// were, with network and reason; all or nothing. `false`, and nothing is changed, if the account's epoch is another by
    /// now, or the session has ended. Of any number of callers at once one gets `true`, and whoever opens a session, proves
    /// an address or changes the account meanwhile leaves nothing behind.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down; it may have been erased.
    async fn erase(&self, erasure: Erasure) -> Result<bool, Unavailable>;

    /// Everything about a user but what proves who they are, by table, the newest rows first. `None`: no such account.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn export(&self, user: Uuid) -> Result<Option<Value>, Unavailable>;
}
