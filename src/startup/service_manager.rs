//! Tells systemd how the service does (`Type=notify`), where it is what started it: it says in `NOTIFY_SOCKET` where it
//! listens. Elsewhere this does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The rest of an end, beside what is in flight: the outbox, the ledger, the database.
const REST_OF_THE_END: Duration = Duration::from_secs(15);

/// It serves.
pub fn ready() {
    say(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// It ends, and may take so long; what waits for it longer than its unit says.
pub fn stopping(drain_delay: Duration, shutdown_timeout: Duration) {
    let at_most = drain_delay + shutdown_timeout + REST_OF_THE_END;
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    say(&[
        NotifyState::Stopping,
        NotifyState::Status("finishing what is in flight"),
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Says again and again that the main thread, on which actors live, is alive, if systemd wants to hear it (`WatchdogSec`).
pub async fn keep_alive() {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut every = tokio::time::interval((within / 3).max(Duration::from_millis(10)));
    loop {
        every.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
