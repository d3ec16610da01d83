//! What sends events by webhooks.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{base::Base, error::StartError, stores::Databases};
use crate::{events::EventSender, wire::Wire};

/// For the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a task for each webhook.
pub(super) fn start(base: &Base<'_>, databases: &Databases) -> Result<(), StartError> {
    let settings = &base.settings.events;
    if settings.webhooks.is_empty() {
        return Ok(());
    }
    let timeout = settings.webhook_timeout;
    let sender = EventSender {
        store: Arc::clone(&databases.outgoing),
        webhooks: settings.webhooks.clone(),
        wire: Wire::new("events.webhook", CONNECT_TIMEOUT.min(timeout), timeout)?,
        retry_for: TimeDelta::from_std(settings.webhook_retry_for).unwrap_or(TimeDelta::MAX),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    sender.start();
    Ok(())
}
