//! Every family of metrics: what it means, in which unit.

use metrics::Unit;

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

/// Kind, name, unit where it has one, meaning. `tests/laws` holds that all are here which the source names, and no others.
const FAMILIES: &[(Kind, &str, Option<Unit>, &str)] = &[
    (
        Counter,
        "ringback_http_requests_total",
        None,
        "Requests by method, route and status; of route unparsed: what was no HTTP",
    ),
    (
        Histogram,
        "ringback_http_request_seconds",
        Some(Unit::Seconds),
        "Time from a request's head to its answer, by route",
    ),
    (
        Counter,
        "ringback_otp_issued_total",
        None,
        "Challenges by purpose and kind: with an SMS, with an e-mail, for a test number, or as a decoy",
    ),
    (
        Counter,
        "ringback_otp_verdicts_total",
        None,
        "Codes that were entered, by purpose and what became of them",
    ),
    (
        Counter,
        "ringback_otp_not_supported_total",
        None,
        "Requests for a code to a country that gets none, by country",
    ),
    (
        Counter,
        "ringback_limiter_decisions_total",
        None,
        "What each rule said: admitted, refused, or as a shadow would have refused",
    ),
    (
        Counter,
        "ringback_limiter_shadow_challenges_total",
        None,
        "Codes sent though a shadow rule would have refused; and those of them that were verified, its false positives",
    ),
    (
        Counter,
        "ringback_limiter_proofs_total",
        None,
        "Proofs of work that came: accepted, used before, refused",
    ),
    (
        Counter,
        "ringback_sms_codes_total",
        None,
        "Codes by SMS by country: issued, and typed while they lived",
    ),
    (
        Counter,
        "ringback_sms_spent_total",
        None,
        "What SMS with codes cost by country, by the prices at hand, in ten-thousandths of their currency",
    ),
    (
        Counter,
        "ringback_limiter_local_total",
        None,
        "Requests that a cluster rule counted in this process, since Redis was down",
    ),
    (
        Counter,
        "ringback_limiter_uncounted_total",
        None,
        "Requests that a rule could not count, and let pass",
    ),
    (
        Gauge,
        "ringback_limiter_keys",
        None,
        "Keys that instance rules count by at present",
    ),
    (
        Gauge,
        "ringback_limits_file_faulty",
        None,
        "1 while the limits file is faulty and the last good one is in force",
    ),
    (
        Gauge,
        "ringback_limits_prices_faulty",
        None,
        "1 while the file of prices is faulty and the prices of before are in force",
    ),
    (
        Counter,
        "ringback_limits_reloads_total",
        None,
        "Changes of the limits file, by outcome",
    ),
    (
        Gauge,
        "ringback_actor_mailbox_depth",
        None,
        "Messages that wait or run, by actor",
    ),
    (
        Gauge,
        "ringback_actor_mailbox_capacity",
        None,
        "Messages that may wait or run, by actor",
    ),
    (
        Counter,
        "ringback_actor_restarts_total",
        None,
        "Restarts, by actor",
    ),
    (
        Gauge,
        "ringback_database_connections",
        None,
        "Connections to the database, by state",
    ),
    (
        Counter,
        "ringback_coalesced_queries_total",
        None,
        "Queries that each answered several lookups, by lookup",
    ),
    (
        Counter,
        "ringback_coalesced_lookups_total",
        None,
        "Lookups that such queries answered, by lookup",
    ),
    (
        Counter,
        "ringback_coalesced_refused_total",
        None,
        "Lookups refused since too many waited, by lookup",
    ),
    (
        Gauge,
        "ringback_delivery_queue_depth",
        None,
        "Messages that wait for a provider",
    ),
    (
        Gauge,
        "ringback_delivery_in_flight",
        None,
        "Calls to a provider that are not answered yet, by provider and channel",
    ),
    (
        Counter,
        "ringback_delivery_retries_total",
        None,
        "Further attempts at a message, by provider and channel",
    ),
    (
        Gauge,
        "ringback_delivery_breaker_state",
        None,
        "By provider and channel. 0: works, 1: one message is tried, 2: fails and is left alone, 3: stopped until an operator acts",
    ),
    (
        Counter,
        "ringback_delivery_breaker_turns_total",
        None,
        "Changes of a provider's breaker, by provider, channel and new state",
    ),
    (
        Histogram,
        "ringback_delivery_provider_seconds",
        Some(Unit::Seconds),
        "Time until a provider answered, by provider and channel",
    ),
    (
        Counter,
        "ringback_delivery_calls_total",
        None,
        "Calls to a provider, by provider, channel and result",
    ),
    (
        Counter,
        "ringback_delivery_lookups_total",
        None,
        "Look-ups whether a provider has a message, by provider, channel and result",
    ),
    (
        Counter,
        "ringback_deliveries_total",
        None,
        "Messages that are done with, by provider, channel and outcome",
    ),
    (
        Counter,
        "ringback_sms_receipts_total",
        None,
        "Delivery receipts, by provider and status",
    ),
    (
        Gauge,
        "ringback_delivery_reports_depth",
        None,
        "Reports on messages that wait to be recorded",
    ),
    (
        Gauge,
        "ringback_delivery_reports_capacity",
        None,
        "Reports on messages that may wait to be recorded",
    ),
    (
        Counter,
        "ringback_delivery_reports_dropped_total",
        None,
        "Reports on messages that found no room",
    ),
    (
        Gauge,
        "ringback_sms_late_receipts_depth",
        None,
        "Delivery receipts that wait until Redis is back",
    ),
    (
        Gauge,
        "ringback_sms_late_receipts_capacity",
        None,
        "Delivery receipts that may wait until Redis is back",
    ),
    (
        Counter,
        "ringback_sms_late_receipts_dropped_total",
        None,
        "Delivery receipts that came while Redis was down and found no room",
    ),
    (
        Gauge,
        "ringback_ledger_depth",
        None,
        "Events that wait to be written to the ledger",
    ),
    (
        Gauge,
        "ringback_ledger_capacity",
        None,
        "Events that may wait to be written to the ledger",
    ),
    (
        Gauge,
        "ringback_partitions_ahead",
        None,
        "Months to come that have a partition, by table (PostgreSQL)",
    ),
    (
        Counter,
        "ringback_notices_total",
        None,
        "Notices to users, by kind and by what became of them: queued, sent, retried, failed, expired",
    ),
    (
        Counter,
        "ringback_events_total",
        None,
        "Events that were written with their changes, by kind",
    ),
    (
        Counter,
        "ringback_ledger_rows_total",
        None,
        "Rows written to the ledger",
    ),
    (
        Counter,
        "ringback_ledger_retries_total",
        None,
        "Batches of rows that the database did not take, and that are written again",
    ),
    (
        Counter,
        "ringback_ledger_dropped_total",
        None,
        "Events that the ledger lacks, by reason",
    ),
    (
        Counter,
        "ringback_session_uses_dropped_total",
        None,
        "Uses of sessions that were not noted, as too many waited to be written",
    ),
    (
        Counter,
        "ringback_event_webhooks_total",
        None,
        "Events that went out by webhooks, by webhook and outcome: sent, retried, expired, gone",
    ),
    (
        Gauge,
        "ringback_event_webhook_pending",
        None,
        "Events that a webhook is yet to be told of, by webhook",
    ),
    (
        Counter,
        "ringback_refusals_dropped_total",
        None,
        "Refusals that no event tells of, as too many waited to be written",
    ),
    (
        Counter,
        "ringback_password_hasher_refused_total",
        None,
        "Passwords that were not hashed since too many waited",
    ),
    (
        Gauge,
        "ringback_password_hasher_login_weight",
        None,
        "Hashes of today's cost that are as much work as a login that fails: more than 1 while hashes of other systems last",
    ),
    (
        Histogram,
        "ringback_password_hasher_wait_seconds",
        Some(Unit::Seconds),
        "Time that a password waited for a thread, by operation",
    ),
    (
        Gauge,
        "ringback_build_info",
        None,
        "Always 1; its label says which version runs",
    ),
    (
        Gauge,
        "process_virtual_memory_bytes",
        Some(Unit::Bytes),
        "Virtual memory",
    ),
    (
        Gauge,
        "process_resident_memory_bytes",
        Some(Unit::Bytes),
        "Memory in RAM",
    ),
    (Gauge, "process_open_fds", None, "Open file descriptors"),
    (
        Gauge,
        "process_max_fds",
        None,
        "File descriptors that may be open",
    ),
    (Gauge, "process_threads", None, "Threads"),
    (
        Gauge,
        "process_start_time_seconds",
        Some(Unit::Seconds),
        "When the process started, since the Unix epoch",
    ),
    (
        Counter,
        "process_cpu_seconds_total",
        Some(Unit::Seconds),
        "CPU time that was used",
    ),
];

pub fn describe() {
    for &(kind, name, unit, meaning) in FAMILIES {
        match (kind, unit) {
            (Counter, None) => metrics::describe_counter!(name, meaning),
            (Counter, Some(unit)) => metrics::describe_counter!(name, unit, meaning),
            (Gauge, None) => metrics::describe_gauge!(name, meaning),
            (Gauge, Some(unit)) => metrics::describe_gauge!(name, unit, meaning),
            (Histogram, None) => metrics::describe_histogram!(name, meaning),
            (Histogram, Some(unit)) => metrics::describe_histogram!(name, unit, meaning),
        }
    }
}
