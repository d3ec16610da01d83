//! What is told of a challenge's message.
//!
//! Whoever has no token is told by a schedule that is the same for every challenge, decoy or not: it says nothing of
//! what happened. What happened (the record's status) is for the user whose challenge it is.

use std::time::Duration;

use uuid::Uuid;

use super::millis::{Millis, from_millis};
use crate::{channel::Channel, provider::DeliveryStatus};

/// From when on the schedule says `sent`: most messages are with a provider by then.
const SENT_AFTER: Duration = Duration::from_secs(1);

/// What keeps a slot from its next code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Until a code may be sent to the address by whoever owns the slot; zero if one may now.
    pub cooldown: Duration,
    /// Until no wrong codes lock it; zero if none do.
    pub locked: Duration,
    /// Wrong codes that are remembered.
    pub failures: u32,
    /// Until they are forgotten.
    pub forgotten_in: Duration,
}

/// A challenge and its message as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusSnapshot {
    /// How its message travels.
    pub channel: Channel,
    /// Since it was issued.
    pub age: Duration,
    /// The user whose challenge it is: who asked for it with a token, if a message goes out for it and that may be told.
    pub owner: Option<Uuid>,
    /// How far the message has come; `Queued` for a decoy.
    pub status: DeliveryStatus,
    /// What keeps everybody from the next code.
    pub waits: Waits,
    /// The same for its owner, for whom a failure ends the cooldown.
    pub owner_waits: Waits,
}

impl StatusSnapshot {
    /// What `asker` may know: the user of a bearer token, if one came along.
    pub fn for_asker(&self, asker: Option<Uuid>) -> (DeliveryStatus, Waits) {
        match asker {
            Some(_) if asker == self.owner => (self.status, self.owner_waits),
            _ => (scheduled(self.age), self.waits),
        }
    }
}

/// The status that everybody is told at this age.
fn scheduled(age: Duration) -> DeliveryStatus {
    match age < SENT_AFTER {
        true => DeliveryStatus::Queued,
        false => DeliveryStatus::Sent,
    }
}

/// Whether a status is final: what comes later changes it no more.
pub(super) const fn is_final(status: DeliveryStatus) -> bool {
    !matches!(status, DeliveryStatus::Queued | DeliveryStatus::Sent)
}

/// Whether the message did not arrive.
pub(super) const fn is_failure(status: DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Undelivered | DeliveryStatus::Failed)
}

/// Whether `news` is further than what is known.
pub(super) const fn is_progress(known: DeliveryStatus, news: DeliveryStatus) -> bool {
    !is_final(known) && byte(known) < byte(news)
}

/// Its number in a record, which the scripts compare.
pub(super) const fn byte(status: DeliveryStatus) -> u8 {
    match status {
        DeliveryStatus::Queued => 0,
        DeliveryStatus::Sent => 1,
        DeliveryStatus::Delivered => 2,
        DeliveryStatus::Undelivered => 3,
        DeliveryStatus::Failed => 4,
    }
}

/// Takes back what [`byte`] gave.
pub(super) fn from_byte(number: u8) -> Option<DeliveryStatus> {
    use DeliveryStatus::{Delivered, Failed, Queued, Sent, Undelivered};
    [Queued, Sent, Delivered, Undelivered, Failed]
        .into_iter()
        .find(|&status| byte(status) == number)
}

/// The time since a challenge was issued.
pub(super) fn age(issued: Millis, now: Millis) -> Duration {
    from_millis(now - issued)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        cooldown: Duration::from_secs(60),
        locked: Duration::ZERO,
        failures: 0,
        forgotten_in: Duration::ZERO,
    };

    fn snapshot(age: Duration, status: DeliveryStatus) -> StatusSnapshot {
        StatusSnapshot {
            channel: Channel::Sms,
            age,
            owner: Some(Uuid::from_u128(1)),
            status,
            waits: WAITS,
            owner_waits: Waits {
                cooldown: Duration::ZERO,
                ..WAITS
            },
        }
    }

    #[test]
    fn who_has_no_token_is_told_the_schedule_whatever_happened() {
        use DeliveryStatus::{Delivered, Failed, Queued, Sent, Undelivered};
        for status in [Queued, Sent, Delivered, Undelivered, Failed] {
            for (age, told) in [(0, Queued), (999, Queued), (1_000, Sent), (600_000, Sent)] {
                let snapshot = snapshot(Duration::from_millis(age), status);
                for asker in [None, Some(Uuid::from_u128(2))] {
                    assert_eq!(snapshot.for_asker(asker), (told, WAITS));
                }
                let (truth, waits) = snapshot.for_asker(Some(Uuid::from_u128(1)));
                assert_eq!((truth, waits.cooldown), (status, Duration::ZERO));
            }
        }
        let decoy = StatusSnapshot {
            owner: None,
            ..snapshot(Duration::from_secs(9), Queued)
        };
        assert_eq!(decoy.for_asker(None), (Sent, WAITS));
        assert_eq!(decoy.for_asker(Some(Uuid::from_u128(1))), (Sent, WAITS));
    }

    #[test]
    fn a_status_goes_forward_and_a_final_one_stays() {
        use DeliveryStatus::{Delivered, Failed, Queued, Sent, Undelivered};
        let all = [Queued, Sent, Delivered, Undelivered, Failed];
        for (at, known) in all.into_iter().enumerate() {
            assert_eq!(from_byte(byte(known)), Some(known));
            for (further, news) in all.into_iter().enumerate() {
                assert_eq!(
                    is_progress(known, news),
                    at < 2 && further > at,
                    "{known:?} {news:?}"
                );
            }
        }
        assert_eq!(from_byte(5), None);
    }
}
