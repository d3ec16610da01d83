//! What to do about a provider's error: the words of the providers' tables, and the table of HTTP statuses, which is in
//! force where a provider tells no code of its own that we know.

use std::time::Duration;

use crate::provider::{FailureKind, FailureReason, Outcome};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Try again.
    Retry,
    /// Try again, but not before so many seconds.
    RetryIn(u64),
    /// Give this message up.
    GiveUp,
    /// Call the operator: no message will go out.
    Operator,
}

use Remedy::{GiveUp, Operator, Retry, RetryIn};

impl Remedy {
    /// For answers without a known code: from something between us and the provider, or of a kind not seen yet.
    fn by_status(status: u16) -> Self {
        match status {
            // A provider's API does not move. A permanent redirect says that its URL is wrong; a temporary one is a
            // proxy or a portal in the way, which may pass.
            301 | 308 => Operator,
            300..=399 => Retry,
            // Bad credentials, a bill to pay, no such account or path.
            401..=405 | 407 | 410 => Operator,
            // Time-out, conflict, too early, too many.
            408 | 409 | 425 | 429 => Retry,
            400..=499 => GiveUp,
            _ => Retry,
        }
    }

    fn outcome(self, reason: FailureReason, after: Option<Duration>) -> Outcome {
        match self {
            Retry => Outcome::Retryable { after, reason },
            RetryIn(seconds) => Outcome::Retryable {
                after: after.max(Some(Duration::from_secs(seconds))),
                reason,
            },
            GiveUp => Outcome::Permanent { reason },
            Operator => Outcome::Misconfigured { reason },
        }
    }
}

/// The outcome of an answer that is no success, by the provider's `table`, which is sorted by its codes.
///
/// `code` is the provider's own, if it told one; `after` the pause that it asked for.
pub(super) fn judge(
    table: &[(u32, Remedy)],
    status: u16,
    code: Option<u32>,
    kind: FailureKind,
    after: Option<Duration>,
) -> Outcome {
    let known = code.and_then(|code| {
        let index = table.binary_search_by_key(&code, |row| row.0).ok()?;
        Some(table[index].1)
    });
    let reason = FailureReason {
        kind,
        status: Some(status),
        code,
        cause: None,
    };
    known
        .unwrap_or_else(|| Remedy::by_status(status))
        .outcome(reason, after)
}

/// What kind of failure a status tells of.
pub(super) fn kind_of_status(status: u16) -> FailureKind {
    match status {
        300..=399 => FailureKind::Redirect,
        429 => FailureKind::RateLimited,
        500.. => FailureKind::ServerError,
        _ => FailureKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_remedy() {
        for (status, expected) in [
            (301, Operator),
            (302, Retry),
            (308, Operator),
            (400, GiveUp),
            (401, Operator),
            (403, Operator),
            (404, Operator),
            (408, Retry),
            (409, Retry),
            (410, Operator),
            (413, GiveUp),
            (422, GiveUp),
            (425, Retry),
            (429, Retry),
            (500, Retry),
            (503, Retry),
            (999, Retry),
        ] {
            assert_eq!(Remedy::by_status(status), expected, "{status}");
        }
    }

    #[test]
    fn the_longer_pause_is_kept() {
        let reason = FailureReason::of(FailureKind::RateLimited);
        let pause = |after| match RetryIn(30).outcome(reason, after) {
            Outcome::Retryable { after, .. } => after,
            _ => None,
        };
        let seconds = Duration::from_secs;
        assert_eq!(pause(None), Some(seconds(30)));
        assert_eq!(pause(Some(seconds(5))), Some(seconds(30)));
        assert_eq!(pause(Some(seconds(60))), Some(seconds(60)));
    }
}
