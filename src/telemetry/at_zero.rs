//! Series that are there before anything happens.

use crate::channel::Channel;

/// Series that alerts look at and that must not be missing until their first event: family, label, its values.
const AT_ZERO: &[(&str, &str, &[&str])] = &[
    (
        "ringback_limits_reloads_total",
        "outcome",
        &["applied", "refused"],
    ),
    ("ringback_ledger_dropped_total", "reason", &["full", "failed"]),
    ("ringback_ledger_rows_total", "", &[""]),
    ("ringback_ledger_retries_total", "", &[""]),
    ("ringback_sms_late_receipts_dropped_total", "", &[""]),
    ("ringback_session_uses_dropped_total", "", &[""]),
    ("ringback_refusals_dropped_total", "", &[""]),
    ("ringback_password_hasher_refused_total", "", &[""]),
    ("ringback_delivery_reports_dropped_total", "", &[""]),
];

/// The same for each provider.
const AT_ZERO_BY_PROVIDER: [(&str, &str, &[&str]); 2] = [
    (
        "ringback_deliveries_total",
        "outcome",
        &[
            "accepted",
            "failed",
            "superseded",
            "expired",
            "handed_back",
            "left",
        ],
    ),
    ("ringback_delivery_retries_total", "", &[""]),
];

/// Registers what counts from nought, and says which version this is.
pub fn begin_at_zero() {
    for &(name, label, values) in AT_ZERO {
        for value in values {
            match label {
                "" => drop(metrics::counter!(name)),
                _ => drop(metrics::counter!(name, label => *value)),
            }
        }
    }
    metrics::gauge!("ringback_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Registers what counts from nought for a provider.
pub fn begin_provider(provider: &'static str, channel: Channel) {
    let labels = [("provider", provider), ("channel", channel.name())];
    for (name, label, values) in AT_ZERO_BY_PROVIDER {
        for value in values {
            let [provider, channel] = labels;
            match label {
                "" => drop(metrics::counter!(name, &labels)),
                _ => drop(metrics::counter!(name, &[provider, channel, (label, *value)])),
            }
        }
    }
    if channel == Channel::Sms {
        for status in ["sent", "delivered", "undelivered", "failed"] {
            drop(
                metrics::counter!("ringback_sms_receipts_total", "provider" => provider, "status" => status),
            );
        }
    }
    metrics::gauge!("ringback_delivery_breaker_state", &labels).set(0.0);
}
