//! What refusals are counted by, and the row that comes of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{events::EventKind, limits::ClientNetwork};

/// The reason of those that found no room of their own.
const OTHERS: &str = "others";

/// What refusals are counted by. It has no address, code or password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefusalKey {
    pub(super) kind: EventKind,
    /// Whether the user themselves was refused, by their token.
    pub(super) is_by_user: bool,
    /// Whose account it is about, where that is known.
    pub(super) user: Option<Uuid>,
    /// The client's network, cut to /24 or /48.
    pub(super) network: Option<String>,
    /// The rule's id, or the code of the answer.
    pub(super) reason: Arc<str>,
}

impl RefusalKey {
    /// A client that nobody knows was refused; it may have been about somebody's account.
    pub fn of_anyone(
        kind: EventKind,
        about: Option<Uuid>,
        client: ClientNetwork,
        reason: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            kind,
            is_by_user: false,
            user: about,
            network: Some(client.coarse()),
            reason: reason.into(),
        }
    }

    /// A client was refused that showed the token of `user`, if it showed one.
    pub fn of_caller(
        kind: EventKind,
        user: Option<Uuid>,
        client: ClientNetwork,
        reason: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            is_by_user: user.is_some(),
            ..Self::of_anyone(kind, user, client, reason)
        }
    }

    /// What those of a kind are counted by that find no room of their own.
    pub(super) fn others(kind: EventKind) -> Self {
        Self {
            kind,
            is_by_user: false,
            user: None,
            network: None,
            reason: OTHERS.into(),
        }
    }
}

/// How often something was refused within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    pub id: Uuid,
    /// When the minute began.
    pub at: DateTime<Utc>,
    pub key: RefusalKey,
    pub times: u32,
}

impl RefusalRow {
    pub(super) fn actor(&self) -> &'static str {
        match self.key.is_by_user {
            true => "user",
            false => "anyone",
        }
    }

    pub(super) fn details(&self) -> String {
        serde_json::json!({ "reason": &*self.key.reason }).to_string()
    }

    /// As the column has it.
    pub(super) fn times(&self) -> i32 {
        i32::try_from(self.times).unwrap_or(i32::MAX)
    }
}
