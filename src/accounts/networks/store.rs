//! The contract of the store of networks. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{accounts::passwords::Login, unavailable::Unavailable};

/// From where accounts were signed in to, which the events of opened sessions tell. What holds for every store of accounts is
/// said at [`crate::accounts`].
#[async_trait]
pub trait NetworkStore: Send + Sync {
    /// Whether a session was opened since then, from this network (as it is kept: /24 or /48), for the account that has the
    /// e-mail address, or has the phone verified. MUST cost the same whether or not there is such an account.
    async fn knows(&self, address: &Login, network: &str, since: DateTime<Utc>) -> Result<bool, Unavailable>;

    /// All such networks of the account; of more than `MOST` only so many.
    async fn known(&self, address: &Login, since: DateTime<Utc>) -> Result<Vec<String>, Unavailable>;
}

/// How many networks are told at most.
pub(super) const MOST: i64 = 1000;
