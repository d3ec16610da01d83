//! The contract of the reader. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/ledger_reader.rs` holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{phone::Country, provider::DeliveryStatus, unavailable::Unavailable};

/// Reads the ledger.
#[async_trait]
pub trait LedgerReader: Send + Sync {
    /// The rows that are asked for, the newest first. MUST find those of a user, of a country and those that failed by an
    /// index.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down.
    async fn page(&self, filter: &VerificationFilter) -> Result<Vec<StoredVerification>, Unavailable>;

    /// What the messages from `since` on add up to, by country, provider, channel and currency.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down, or takes longer than a request may.
    async fn groups(&self, since: DateTime<Utc>) -> Result<Vec<MessageGroup>, Unavailable>;

    /// How many there were in each hour in which there were some, the oldest first.
    ///
    /// # Errors
    /// As for [`LedgerReader::groups`].
    async fn hours(&self, since: DateTime<Utc>) -> Result<Vec<HourOfMessages>, Unavailable>;
}

/// Rows that are asked for.
#[derive(Debug, Clone, Default)]
pub struct VerificationFilter {
    /// Of this account.
    pub user: Option<Uuid>,
    pub country: Option<Country>,
    pub status: Option<DeliveryStatus>,
    /// Behind this row: when it was made, and its challenge.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// Of so many at most.
    pub limit: u32,
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerification {
    pub challenge_id: Uuid,
    pub user_id: Option<Uuid>,
    pub purpose: Option<String>,
    pub channel: Option<String>,
    pub country: Option<String>,
    pub provider: Option<String>,
    pub message_id: Option<String>,
    pub status: String,
    pub attempts: i16,
    pub error_code: Option<i64>,
    pub price_micros: Option<i64>,
    pub currency: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
    pub verified_at: Option<DateTime<Utc>>,
}

/// Messages of one country, provider, channel and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageGroup {
    pub country: Option<String>,
    pub provider: Option<String>,
    pub channel: Option<String>,
    pub currency: Option<String>,
    pub messages: i64,
    pub delivered: i64,
    /// Undelivered or failed.
    pub failed: i64,
    /// Whose code was typed.
    pub verified: i64,
    pub price_micros: i64,
}

/// Messages of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourOfMessages {
    /// Hours since 1970.
    pub hour: i64,
    pub messages: i64,
    pub verified: i64,
}
