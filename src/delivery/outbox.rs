//! What is pending: every accepted message that the provider has not answered for yet.
//!
//! The script that issues a code writes the entry in the same step, leased to the instance that issues. Whoever holds
//! the lease sends; when it runs out, because its holder is dead or cut off, any instance may take the entry over. So a
//! kill at any moment loses nothing, and costs one duplicate at most: the message that was sent but not acknowledged yet, where
//! its provider cannot tell that it has it.

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    channel::Channel, language::Language, partition::SlotAddress, phone::Country, sealed::SealedAddress,
    unavailable::Unavailable,
};

/// The random part of a code, which only its challenge's record has. Delivery carries it and doesn't look into it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeSeed([u8; 8]);

impl CodeSeed {
    /// Bytes of one.
    pub const BYTES: usize = 8;

    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for CodeSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeSeed(•••)")
    }
}

/// One accepted message that no provider has answered for yet. Holds no code, and no address that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    pub challenge_id: Uuid,
    /// To whose account it goes. None where there is no account yet.
    pub user_id: Option<Uuid>,
    /// Where its challenge is kept.
    pub address: SlotAddress,
    /// How it travels.
    pub channel: Channel,
    /// What the challenge is for, as a number that only its room knows.
    pub topic: u8,
    /// The random part of its code.
    pub seed: CodeSeed,
    /// Where a phone belongs: decides who may carry a message. Unknown for other channels.
    pub country: Country,
    /// What the message is written in.
    pub language: Language,
    /// Where it goes, if no account has the address yet; else the account tells.
    pub sealed: Option<SealedAddress>,
    /// The provider whose last message to this address did not arrive: another is preferred.
    pub avoid: Option<String>,
    /// When the code expires, in milliseconds since the Unix epoch: from then on it is not sent.
    pub expires_at_ms: i64,
}

/// Whether an entry is still to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is, and it is ours for another lease.
    Held,
    /// It isn't: the code was replaced, used, or has expired, or somebody sent it.
    Gone,
}

/// Keeps the entries. Every method is one atomic step where they live.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// MUST extend the lease iff the entry is still in the outbox and its challenge is still the one in force (not
    /// replaced, used, expired); else MUST remove the entry and answer `Gone`.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is unavailable: the message is held back, since it may be superseded.
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable>;

    /// The provider answered for good: MUST remove the entry; removing twice is harmless.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is unavailable: asked again for as long as a code may live. Where the lease runs out before
    /// and another instance sends, a duplicate is the price of never losing one.
    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable>;

    /// MUST end the lease at once, so that any instance takes the entry over.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is unavailable: the lease runs out by itself.
    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable>;

    /// MUST lease at most `limit` entries whose lease ran out to this caller, each to one caller only.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is unavailable: asked again in a second.
    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable>;
}
