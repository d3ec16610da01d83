//! Erases accounts that never proved anything and that nobody used for long: `accounts.unused_ttl`.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::{RecordStore, UnusedSince};
use crate::{
    clock::Clock,
    entropy::Entropy,
    events::{EventKind, NewEvent, Source},
    outage,
    unavailable::Unavailable,
};

/// How often all accounts are looked at.
const EVERY: Duration = Duration::from_secs(6 * 3600);
/// Accounts that one look takes in, and the pause before the next: ten million accounts take some ten minutes.
const BATCH: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(50);

/// Erases unused accounts.
#[derive(Clone)]
pub struct UnusedAccounts {
    pub store: Arc<dyn RecordStore>,
    /// After how long; zero for never.
    pub ttl: TimeDelta,
    /// How long a session lasts, however often it is refreshed.
    pub session_ttl: TimeDelta,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl UnusedAccounts {
    /// Looks at all accounts now and every six hours, for ever. Several instances may do so at once.
    pub async fn erase_forever(self) {
        if self.ttl.is_zero() {
            return;
        }
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let this = self.clone();
            match tokio::spawn(async move { this.round().await }).await {
                Ok(Ok(0)) => {}
                Ok(Err(error)) => outage::note(&error),
                Ok(Ok(erased)) => tracing::info!(accounts.erased = erased, "accounts were unused for long"),
                Err(panic) => tracing::error!(%panic, "a look for unused accounts panicked"),
            }
        }
    }

    async fn round(&self) -> Result<u64, Unavailable> {
        let (mut erased, mut after) = (0, Some(Uuid::nil()));
        while let Some(from) = after {
            let now = self.clock.now();
            let idle = now.checked_sub_signed(self.ttl);
            let opened = idle.and_then(|idle| idle.checked_sub_signed(self.session_ttl));
            let Some((idle, opened)) = idle.zip(opened) else {
                break;
            };
            let since = UnusedSince { idle, opened };
            let page = self.store.unused(since, from, BATCH).await?;
            for user in page.unused {
                let (kind, source) = (EventKind::AccountDeleted, Source::system());
                let event = NewEvent::new(kind, source, now, self.entropy.as_ref()).with("because", "unused");
                erased += u64::from(self.store.erase_unused(user, since, event).await?);
            }
            after = page.next;
            sleep(PAUSE).await;
        }
        Ok(erased)
    }
}
