//! The rules of refresh-token rotation (RFC 9700, 4.14.2): each token is good for one refresh; an old one shown again means
//! that two parties hold it, and ends the session.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

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
    /// For how long after a rotation the same token may be shown again: its answer may have been lost.
    pub grace: Duration,
}

/// What became of a [`Rotation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// It was the session's current token; now `next_hash` is.
    Rotated {
        user_id: Uuid,
        expires_at: DateTime<Utc>,
    },
    /// It was the one before, and the rotation at most `grace` ago: nothing changed, answer the same next token again.
    Replayed {
        user_id: Uuid,
        expires_at: DateTime<Utc>,
        /// Digest of the session's current token, of generation + 1: the one to answer.
        current_hash: [u8; 32],
    },
    /// It was an older one. The session is revoked now.
    Reused { user_id: Uuid },
    /// Its session was revoked before, or its user is locked.
    Revoked,
    /// Its session has run out.
    Expired,
    /// No such session, or never a token of it.
    Unknown,
}

/// A session as it is stored, read under its row's lock.
#[derive(Debug, Clone)]
pub(super) struct StoredSession {
    pub user_id: Uuid,
    pub generation: i64,
    pub refresh_hash: Vec<u8>,
    /// Digest of the token before, and when it was replaced.
    pub previous_hash: Option<Vec<u8>>,
    pub rotated_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
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
        if stored.expires_at <= self.now {
            return Rotated::Expired;
        }
        let user_id = stored.user_id;
        match stored.generation - i64::from(self.generation) {
            1 if stored.previous_hash.as_deref() != Some(&self.token_hash[..]) => Rotated::Unknown,
            1 if stored.rotated_at.is_some_and(|at| self.now - at <= self.grace) => {
                match stored.refresh_hash.as_slice().try_into() {
                    Ok(current_hash) => Rotated::Replayed {
                        user_id,
                        expires_at: stored.expires_at,
                        current_hash,
                    },
                    Err(_) => Rotated::Unknown,
                }
            }
            // Digests of older tokens aren't kept; the caller has checked their MAC.
            1.. => Rotated::Reused { user_id },
            // Of the current generation with another digest, or of one that is yet to come.
            _ => Rotated::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

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
            grace: Duration::seconds(10),
        }
    }

    /// At generation 5 since second 100; token n has digest n.
    fn stored() -> StoredSession {
        StoredSession {
            user_id: Uuid::max(),
            generation: 5,
            refresh_hash: vec![5; 32],
            previous_hash: Some(vec![4; 32]),
            rotated_at: Some(at(100)),
            expires_at: at(1_000),
            revoked: false,
        }
    }

    #[test]
    fn the_token_before_is_good_for_the_grace_and_no_longer() {
        let replayed = Rotated::Replayed {
            user_id: Uuid::max(),
            expires_at: at(1_000),
            current_hash: [5; 32],
        };
        assert_eq!(shown(4, 4, 100).explain_miss(Some(&stored())), replayed);
        assert_eq!(shown(4, 4, 110).explain_miss(Some(&stored())), replayed);
        let reused = Rotated::Reused { user_id: Uuid::max() };
        assert_eq!(shown(4, 4, 111).explain_miss(Some(&stored())), reused);
    }

    #[test]
    fn older_tokens_are_reuse_at_once() {
        let reused = Rotated::Reused { user_id: Uuid::max() };
        assert_eq!(shown(3, 3, 100).explain_miss(Some(&stored())), reused);
        assert_eq!(shown(0, 0, 999).explain_miss(Some(&stored())), reused);
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
