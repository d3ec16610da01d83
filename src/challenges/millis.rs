//! Times as stores and scripts count them.

use std::time::Duration;

/// Milliseconds: since the Unix epoch by the store's clock, or between two times.
pub(super) type Millis = i64;

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// No time where it is negative: what was to come is over.
pub(super) fn from_millis(millis: Millis) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
