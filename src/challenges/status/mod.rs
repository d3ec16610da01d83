//! How the SMS of a challenge fares, for whoever waits for it: queued, sent, delivered or not.
//!
//! A challenge's record holds a [`Course`]: for an SMS that goes out what has happened so far, told by the dispatcher
//! (`flows/reports.rs`) and by the provider's receipts; for a decoy, which has none, what shall seem to happen
//! (`courses.rs`). Both are read alike, by the store's clock, so that the answer doesn't tell the two apart.

mod courses;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use uuid::Uuid;

pub use courses::Courses;

use super::store::{Millis, Waits};
use crate::{partition::SlotAddress, provider::DeliveryStatus, unavailable::Unavailable};

/// How an SMS ended. What comes later changes it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Delivered,
    Undelivered,
    Failed,
}

impl End {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Delivered => b'd',
            Self::Undelivered => b'u',
            Self::Failed => b'f',
        }
    }

    const fn status(self) -> DeliveryStatus {
        match self {
            Self::Delivered => DeliveryStatus::Delivered,
            Self::Undelivered => DeliveryStatus::Undelivered,
            Self::Failed => DeliveryStatus::Failed,
        }
    }
}

/// What is told of an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Sent,
    Ended(End),
}

/// When an SMS came how far, in milliseconds after its challenge was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Course {
    pub sent: Option<Millis>,
    pub end: Option<(End, Millis)>,
}

/// A time that never comes, in the three bytes that a record has for one.
const NEVER: Millis = 0xFF_FFFF;

impl Course {
    /// Of a course in a record.
    pub(super) const BYTES: usize = 7;

    /// Of a phone that needs no SMS.
    pub const DELIVERED: Self = Self {
        sent: Some(0),
        end: Some((End::Delivered, 0)),
    };

    /// Of a decoy that waits until providers answer again. An end that never comes tells that there are receipts.
    pub(super) const fn pending(has_receipts: bool) -> Self {
        Self {
            sent: None,
            end: match has_receipts {
                true => Some((End::Delivered, NEVER - 1)),
                false => None,
            },
        }
    }

    /// Where it is after this time.
    pub fn at(&self, elapsed: Millis) -> DeliveryStatus {
        match *self {
            Self {
                end: Some((end, after)),
                ..
            } if after <= elapsed => end.status(),
            Self {
                sent: Some(after), ..
            } if after <= elapsed => DeliveryStatus::Sent,
            _ => DeliveryStatus::Queued,
        }
    }

    /// Notes a stage; whether that was news. What ended stays as it ended, so reports may come twice and in any order.
    pub(super) fn advance(&mut self, stage: Stage, elapsed: Millis) -> bool {
        if self.end.is_some() || (stage == Stage::Sent && self.sent.is_some()) {
            return false;
        }
        let elapsed = elapsed.clamp(0, NEVER - 1);
        match stage {
            Stage::Sent => self.sent = Some(elapsed),
            Stage::Ended(end) => self.end = Some((end, elapsed)),
        }
        true
    }

    /// When it fails, if it does: from then on the phone may have another code.
    pub(super) fn fails_after(&self) -> Option<Millis> {
        self.end
            .filter(|(end, _)| *end != End::Delivered)
            .map(|(_, after)| after)
    }

    /// As in a record: the letter of its end, and both times in three bytes.
    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let time = |after: Option<Millis>| {
            let after = after.map_or(NEVER, |after| after.clamp(0, NEVER - 1));
            let [.., high, middle, low] = after.to_be_bytes();
            [high, middle, low]
        };
        let [a, b, c] = time(self.sent);
        let [d, e, f] = time(self.end.map(|(_, after)| after));
        [self.end.map_or(b'-', |(end, _)| end.code()), a, b, c, d, e, f]
    }

    /// Takes back what [`Course::encode`] gave.
    pub(super) fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let [end, a, b, c, d, e, f] = *bytes;
        let time = |[high, middle, low]: [u8; 3]| Millis::from(u32::from_be_bytes([0, high, middle, low]));
        let end = match end {
            b'd' => Some(End::Delivered),
            b'u' => Some(End::Undelivered),
            b'f' => Some(End::Failed),
            b'-' => None,
            _ => return None,
        };
        Some(Self {
            sent: Some(time([a, b, c])).filter(|&after| after != NEVER),
            end: end.map(|end| (end, time([d, e, f]))),
        })
    }
}

/// A decoy that was issued while no provider answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Since it was issued, in milliseconds.
    pub elapsed: Millis,
    /// Whether its provider tells when an SMS is delivered.
    pub has_receipts: bool,
}

/// Where the SMS of a challenge is, and when the phone may have another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whereabouts {
    pub status: DeliveryStatus,
    /// Of a decoy that waits with the real SMS: what its status is made from instead.
    pub pending: Option<Pending>,
    pub waits: Waits,
}

/// What became of an SMS, by whom.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    pub stage: Stage,
    /// Who carried it.
    pub provider: &'a str,
}

/// Keeps the statuses, with the challenges: `address` is where the challenge's id says that it may be
/// ([`places`](super::places)).
#[async_trait]
pub trait Statuses: Send + Sync {
    /// Where a challenge's SMS is by the store's clock. MUST answer `None` for an id that was never issued, that a newer
    /// challenge of its slot has replaced, or whose code's life is over.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away.
    async fn recall(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<Whereabouts>, Unavailable>;

    /// MUST, in one step, note the news unless the SMS has come further already, or `recall` would answer `None`. News
    /// that it failed MUST also end the cooldown that began with this very challenge, and have the slot's next
    /// challenge avoid the provider. Answers the course if this was news to it. Not to be asked of a decoy.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away; whether it was noted is unknown then, and may be told again.
    async fn advance(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        news: &News<'_>,
    ) -> Result<Option<Course>, Unavailable>;
}
