//! The section `sms`.

use std::time::Duration;

use super::{MINUTE, SECOND, providers::RouteSettings, reader::Reader};

/// How hard an SMS is tried.
#[derive(Debug, Clone)]
pub struct SmsSettings {
    /// Who carries them, in order; empty where no provider is configured: SMS go to the development inbox.
    pub providers: Vec<RouteSettings>,
    /// Messages that wait to be sent.
    pub queue: usize,
    /// Calls to one provider at a time.
    pub in_flight: usize,
    /// How long a message is one dispatcher's, until another may take it over.
    pub lease: Duration,
    /// Calls to the provider for one message.
    pub max_tries: u32,
    /// How long a message is tried for; never longer than its code is good for.
    pub retry_for: Duration,
    /// How long a provider that fails, or refuses everything, is left alone at first, and at most.
    pub probe_after: Duration,
    pub probe_every: Duration,
}

impl SmsSettings {
    pub(super) fn read(reader: &mut Reader, code_ttl: Duration) -> Self {
        const RETRY_FOR: &str = "sms.retry_for";
        const PROBE_AFTER: &str = "sms.probe_after";
        const PROBE_EVERY: &str = "sms.probe_every";
        let settings = Self {
            providers: RouteSettings::read(reader),
            queue: reader.integer("sms.queue", 1..=1_000_000),
            in_flight: reader.integer("sms.in_flight", 1..=10_000),
            lease: reader.duration("sms.lease", SECOND..=10 * MINUTE),
            max_tries: reader.integer("sms.max_tries", 1..=20),
            retry_for: reader.duration(RETRY_FOR, SECOND..=60 * MINUTE),
            probe_after: reader.duration(PROBE_AFTER, SECOND / 10..=10 * MINUTE),
            probe_every: reader.duration(PROBE_EVERY, SECOND / 10..=60 * MINUTE),
        };
        let (first, longest) = (settings.probe_after, settings.probe_every);
        Self {
            probe_after: reader.at_most(PROBE_AFTER, first, PROBE_EVERY, longest),
            retry_for: reader.at_most(RETRY_FOR, settings.retry_for, "otp.ttl", code_ttl),
            ..settings
        }
    }
}
