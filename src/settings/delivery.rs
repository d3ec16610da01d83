//! The section `delivery`: how hard a message is tried, whatever its channel.

use std::time::Duration;

use super::{
    reader::Reader,
    value::{MINUTE, SECOND},
};
use crate::delivery::DispatcherOptions;

/// The dispatcher's bounds. Nothing is tried for longer than its code lives.
pub(super) fn read(reader: &mut Reader, code_ttl: Duration) -> DispatcherOptions {
    const RETRY_FOR: &str = "delivery.retry_for";
    const PROBE_AFTER: &str = "delivery.probe_after";
    const PROBE_EVERY: &str = "delivery.probe_every";
    let queue = reader.integer("delivery.queue", 1..=1_000_000);
    let in_flight = reader.integer("delivery.in_flight", 1..=10_000);
    let lease = reader.duration("delivery.lease", SECOND..=10 * MINUTE);
    let max_tries = reader.integer("delivery.max_tries", 1..=20);
    let retry_for = reader.duration(RETRY_FOR, SECOND..=60 * MINUTE);
    let probe_after = reader.duration(PROBE_AFTER, SECOND / 10..=10 * MINUTE);
    let probe_every = reader.duration(PROBE_EVERY, SECOND / 10..=60 * MINUTE);
    DispatcherOptions {
        queue,
        in_flight,
        lease,
        max_tries,
        retry_for: reader.at_most(RETRY_FOR, retry_for, "otp.ttl", code_ttl),
        probe_after: reader.at_most(PROBE_AFTER, probe_after, PROBE_EVERY, probe_every),
        probe_every,
        ttl: code_ttl,
    }
}
