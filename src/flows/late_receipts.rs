//! Receipts that came while the store of codes was down. Most providers send a receipt once: they are kept in this process
//! until the store is back, or the code they are about is long over.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{sync::mpsc, time::sleep};
use uuid::Uuid;

use crate::{
    challenges::Challenges, clock::Clock, outage, provider::DeliveryStatus, unavailable::Unavailable,
};

/// Receipts that are kept at most: those of ten minutes at thirty SMS a second.
const ROOM: usize = 20_000;
/// How long after a failure the store is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a receipt said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipt {
    pub challenge_id: Uuid,
    pub provider: &'static str,
    pub status: DeliveryStatus,
}

/// Takes receipts that could not be noted, and notes them when the store is back.
#[derive(Clone)]
pub struct LateReceipts {
    sender: mpsc::Sender<(Receipt, i64)>,
    challenges: Challenges,
    clock: Arc<dyn Clock>,
}

impl LateReceipts {
    /// Starts the task that notes them; one that is older than `lifetime` is about a code that is over.
    pub fn start(challenges: Challenges, clock: Arc<dyn Clock>, lifetime: Duration) -> Self {
        let (sender, mut waiting) = mpsc::channel::<(Receipt, i64)>(ROOM);
        gauge!("ringback_sms_late_receipts_capacity").set(ROOM as f64);
        let lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let (noting, now) = (challenges.clone(), Arc::clone(&clock));
        tokio::spawn(async move {
            let depth = gauge!("ringback_sms_late_receipts_depth");
            while let Some((receipt, came_at)) = waiting.recv().await {
                depth.set(waiting.len() as f64 + 1.0);
                while now.now_ms() - came_at < lifetime_ms
                    && note(&noting, receipt).await.inspect_err(outage::note).is_err()
                {
                    sleep(PAUSE).await;
                }
                depth.set(waiting.len() as f64);
            }
        });
        Self {
            sender,
            challenges,
            clock,
        }
    }

    /// Notes a receipt now, or else as soon as the store is back.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be noted now: whoever sent it may send it again.
    pub(super) async fn take(&self, receipt: Receipt) -> Result<(), Unavailable> {
        let Err(unavailable) = note(&self.challenges, receipt).await else {
            return Ok(());
        };
        if self.sender.try_send((receipt, self.clock.now_ms())).is_err() {
            counter!("ringback_sms_late_receipts_dropped_total").increment(1);
        }
        Err(unavailable)
    }
}

/// Notes a receipt with the challenge that it is about, if there still is one.
async fn note(challenges: &Challenges, receipt: Receipt) -> Result<(), Unavailable> {
    let Receipt {
        challenge_id,
        provider,
        status,
    } = receipt;
    challenges.note_status(challenge_id, status, provider).await
}
