//! The rules of refresh-token rotation (RFC 9700, 4.14.2): each token is good for one refresh; an old one shown again means
//! that two parties hold it, and ends the session.
//!
//! Two cases are no theft. An answer got lost: nothing of it was ever shown, neither its access token nor its refresh token,
//! so the one before is good again, for the same answer. Several tabs of one browser use one token at nearly the same time:
//! for a few seconds after its own use, a token is answered with the session's newest.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::Identity;
use crate::events::NewEvent;

/// A refresh token was shown: its session is to move on to the next one.
///
/// The caller has made sure that the token is one of this service's (its MAC), so that `session_id` and `generation`
/// are true; the store decides whether it is still good.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub session_id: Uuid,
    /// Of the token shown.
    pub generation: u32,
    /// Digest of the token shown.
    pub token_hash: [u8; 32],
    /// Digest of the token that replaces it, of the next generation.
    pub next_hash: [u8; 32],
    pub now: DateTime<Utc>,
    /// A session that was last used before is over.
    pub idle_before: DateTime<Utc>,
    /// For how long after its use a token is still answered: another tab may have used it, too.
    pub grace: Duration,
    /// What is written if the token was reused.
    pub event: NewEvent,
}

/// What became of a [`Rotation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// It was the session's current token; now `next_hash` is.
    Rotated {
        identity: Identity,
        expires_at: DateTime<Utc>,
    },
    /// It was spent before, and is answered once more: nothing of its answer was shown yet (that answer may have been
    /// lost), or it was spent at most `grace` ago. Nothing changed: answer the session's current token.
    Replayed {
        identity: Identity,
        expires_at: DateTime<Utc>,
        /// Of the session's current token: the one to answer.
        generation: u32,
        /// Digest of that token.
        current_hash: [u8; 32],
    },
    /// It was an older one. The session is revoked now.
    Reused { user_id: Uuid },
    /// Its session was revoked before, or its user is locked.
    Revoked,
    /// Its session has run out, or was unused for too long.
    Expired,
    /// No such session, or never a token of it.
    Unknown,
}

/// A session as it is stored, read under its row's lock.
#[derive(Debug, Clone)]
pub(super) struct StoredSession {
    pub identity: Identity,
    pub generation: i64,
    pub refresh_hash: Vec<u8>,
    /// Digest of the token before.
    pub previous_hash: Option<Vec<u8>>,
    /// When the last tokens were spent, the latest first: see [`SpentTimes`].
    pub spent: String,
    /// The highest generation of which a token was shown.
    pub shown: i64,
    pub expires_at: DateTime<Utc>,
    pub used_at: DateTime<Utc>,
    /// As for [`super::SessionView::revoked`].
    pub revoked: bool,
}

impl Rotation {
    /// Explains why the conditional UPDATE missed. Whoever gets [`Rotated::Reused`] revokes the session before the
    /// lock is released.
    pub(super) fn explain_miss(&self, stored: Option<&StoredSession>) -> Rotated {
        let Some(stored) = stored else {
            return Rotated::Unknown;
        };
        if stored.revoked {
            return Rotated::Revoked;
        }
        if stored.expires_at <= self.now || stored.used_at < self.idle_before {
            return Rotated::Expired;
        }
        let age = stored.generation - i64::from(self.generation);
        let is_previous = stored.previous_hash.as_deref() == Some(&self.token_hash[..]);
        match age {
            1 if !is_previous => Rotated::Unknown,
            // Whoever has the answer has not shown it: it may have been lost.
            1 if stored.shown < stored.generation => stored.replay(),
            // Digests of older tokens aren't kept; the caller has checked their MAC.
            1.. if self.was_spent_lately(age, &stored.spent) => stored.replay(),
            1.. => Rotated::Reused {
                user_id: stored.identity.user_id,
            },
            // Of the current generation with another digest, or of one that is yet to come.
            _ => Rotated::Unknown,
        }
    }

    /// Whether it is the current token of a live session: the UPDATE missed because of a change that is through by now.
    pub(super) fn is_good_for(&self, stored: &StoredSession) -> bool {
        let is_live = !stored.revoked && stored.expires_at > self.now && stored.used_at >= self.idle_before;
        is_live
            && stored.generation == i64::from(self.generation)
            && stored.refresh_hash.as_slice() == &self.token_hash[..]
    }

    /// Whether the token, of so many generations ago, was spent within the grace.
    fn was_spent_lately(&self, age: i64, spent: &str) -> bool {
        let spent_at = usize::try_from(age - 1)
            .ok()
            .and_then(|at| SpentTimes::get(spent, at));
        spent_at.is_some_and(|at| self.now - at <= self.grace)
    }

    /// This use, to be put before those that are stored.
    pub(super) fn spent_now(&self) -> String {
        SpentTimes::entry(self.now)
    }
}

/// When a session's last tokens were spent: microseconds in [`SpentTimes::WIDTH`] digits each, the latest first. A text, so
/// that one statement of any database puts another before it and cuts it off.
pub(super) struct SpentTimes;

impl SpentTimes {
    /// Until the year 2286.
    const WIDTH: usize = 16;
    /// What is kept, in characters: of 16 uses. Who spends more within the grace is no browser with many tabs.
    pub const LENGTH: i32 = 16 * Self::WIDTH as i32;

    fn entry(at: DateTime<Utc>) -> String {
        format!("{:0width$}", at.timestamp_micros().max(0), width = Self::WIDTH)
    }

    fn get(spent: &str, index: usize) -> Option<DateTime<Utc>> {
        let from = index.checked_mul(Self::WIDTH)?;
        let micros = spent.get(from..from + Self::WIDTH)?.parse().ok()?;
        DateTime::from_timestamp_micros(micros)
    }
}

impl StoredSession {
    fn replay(&self) -> Rotated {
        let (Ok(current_hash), Ok(generation)) = (
            self.refresh_hash.as_slice().try_into(),
            u32::try_from(self.generation),
        ) else {
            return Rotated::Unknown;
        };
        Rotated::Replayed {
            identity: self.identity,
            expires_at: self.expires_at,
            generation,
            current_hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::{
        entropy::SystemEntropy,
        events::{EventKind, Source},
        tokens::Amr,
    };

    fn identity() -> Identity {
        Identity {
            user_id: Uuid::max(),
            phone_verified: true,
            email_verified: false,
            amr: Amr::Password,
            authenticated_at: at(0),
            role: None,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    fn shown(generation: u32, digest: u8, second: i64) -> Rotation {
        Rotation {
            session_id: Uuid::nil(),
            generation,
            token_hash: [digest; 32],
            next_hash: [99; 32],
            now: at(second),
            idle_before: at(0),
            grace: Duration::seconds(10),
            event: NewEvent::new(
                EventKind::SessionReused,
                Source::system(),
                at(second),
                &SystemEntropy,
            ),
        }
    }

    /// At generation 5 since second 100, and its token was shown; token n has digest n, and was spent at 10 n + 60.
    fn stored() -> StoredSession {
        let spent = (0..5).rev().map(|n| SpentTimes::entry(at(10 * n + 60)));
        StoredSession {
            identity: identity(),
            generation: 5,
            refresh_hash: vec![5; 32],
            previous_hash: Some(vec![4; 32]),
            spent: spent.collect(),
            shown: 5,
            expires_at: at(1_000),
            used_at: at(110),
            revoked: false,
        }
    }

    fn replayed() -> Rotated {
        Rotated::Replayed {
            identity: identity(),
            expires_at: at(1_000),
            generation: 5,
            current_hash: [5; 32],
        }
    }

    const REUSED: Rotated = Rotated::Reused { user_id: Uuid::max() };

    #[test]
    fn a_token_is_answered_with_the_newest_for_the_grace_of_its_own_use() {
        assert_eq!(shown(4, 4, 100).explain_miss(Some(&stored())), replayed());
        assert_eq!(shown(4, 4, 110).explain_miss(Some(&stored())), replayed());
        assert_eq!(shown(4, 4, 111).explain_miss(Some(&stored())), REUSED);
        assert_eq!(shown(3, 3, 100).explain_miss(Some(&stored())), replayed());
        assert_eq!(shown(3, 3, 101).explain_miss(Some(&stored())), REUSED);
        assert_eq!(shown(0, 0, 70).explain_miss(Some(&stored())), replayed());
        assert_eq!(shown(0, 0, 999).explain_miss(Some(&stored())), REUSED);
    }

    #[test]
    fn a_session_that_was_unused_for_too_long_is_over() {
        let late = Rotation {
            idle_before: at(111),
            ..shown(5, 5, 611)
        };
        assert_eq!(late.explain_miss(Some(&stored())), Rotated::Expired);
        assert!(!late.is_good_for(&stored()));
        let in_time = Rotation {
            idle_before: at(110),
            ..late
        };
        assert!(in_time.is_good_for(&stored()));
        for other in [shown(5, 4, 610), shown(4, 5, 610)] {
            assert!(!other.is_good_for(&stored()));
        }
    }

    #[test]
    fn a_token_whose_answer_nobody_has_shown_is_answered_at_any_time() {
        let lost = StoredSession { shown: 4, ..stored() };
        assert_eq!(shown(4, 4, 999).explain_miss(Some(&lost)), replayed());
        assert_eq!(shown(4, 77, 999).explain_miss(Some(&lost)), Rotated::Unknown);
        assert_eq!(
            shown(3, 3, 999).explain_miss(Some(&lost)),
            REUSED,
            "its answer was shown"
        );
    }

    #[test]
    fn of_uses_that_are_not_kept_nothing_is_known() {
        let many = StoredSession {
            generation: 20,
            shown: 20,
            spent: SpentTimes::entry(at(100)).repeat(16),
            ..stored()
        };
        let kept = matches!(
            shown(4, 4, 100).explain_miss(Some(&many)),
            Rotated::Replayed { .. }
        );
        assert!(kept);
        assert_eq!(shown(3, 3, 100).explain_miss(Some(&many)), REUSED);
    }

    #[test]
    fn what_was_never_its_token_is_unknown_and_revokes_nothing() {
        for (generation, digest) in [(4, 77), (5, 77), (6, 6)] {
            let verdict = shown(generation, digest, 100).explain_miss(Some(&stored()));
            assert_eq!(verdict, Rotated::Unknown, "{generation}");
        }
        assert_eq!(shown(5, 5, 100).explain_miss(None), Rotated::Unknown);
    }

    #[test]
    fn a_session_that_is_over_says_so_first() {
        let revoked = StoredSession {
            revoked: true,
            ..stored()
        };
        assert_eq!(shown(3, 3, 1_000).explain_miss(Some(&revoked)), Rotated::Revoked);
        assert_eq!(shown(3, 3, 1_000).explain_miss(Some(&stored())), Rotated::Expired);
    }
}
