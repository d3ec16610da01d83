//! The contract of the store of users on the way. `postgres.rs` and `sqlite.rs` keep it.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::TransferredUser;
use crate::{accounts::passwords::Argon2Cost, events::NewEvent, unavailable::Unavailable};

/// Where many users are written at once. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait TransferStore: Send + Sync {
    /// Which accounts stand in the way of lines: those with one of the ids or e-mail keys, or that have one of the phones
    /// verified.
    async fn known(&self, probe: Probe) -> Result<Known, Unavailable>;

    /// Makes the accounts, with their events, in one transaction, and answers which were made. MUST leave out, and go on with
    /// the others, whoever has an id, an e-mail address or a verified phone that an account has by now.
    async fn insert(
        &self,
        users: &[(TransferredUser, NewEvent)],
        today: Argon2Cost,
        now: DateTime<Utc>,
    ) -> Result<HashSet<Uuid>, Unavailable>;

    /// Accounts in the order of their ids, from the first behind `after`.
    async fn page(&self, after: Option<Uuid>, most: u32) -> Result<Vec<TransferredUser>, Unavailable>;
}

/// What lines want to be theirs alone.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    pub ids: Vec<Uuid>,
    pub email_keys: Vec<String>,
    pub verified_phones: Vec<String>,
}

impl Probe {
    /// Of these users.
    pub fn of<'a>(users: impl Iterator<Item = &'a TransferredUser>) -> Self {
        let mut probe = Self::default();
        for user in users {
            probe.ids.push(user.id);
            probe
                .email_keys
                .extend(user.email.as_ref().map(|email| email.key().to_owned()));
            if user.phone_verified {
                probe.verified_phones.push(user.phone.expose().to_owned());
            }
        }
        probe
    }
}

/// Whose they are already.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub ids: HashSet<Uuid>,
    pub emails: HashMap<String, Uuid>,
    pub phones: HashMap<String, Uuid>,
}

impl Known {
    /// Adds an account.
    pub(super) fn add(&mut self, id: Uuid, email_key: Option<String>, verified_phone: Option<String>) {
        self.ids.insert(id);
        self.emails.extend(email_key.map(|key| (key, id)));
        self.phones.extend(verified_phone.map(|phone| (phone, id)));
    }
}
