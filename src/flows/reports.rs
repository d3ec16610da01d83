//! The way of the dispatcher's reports into the challenges and the ledger: off everybody's way, bounded.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use metrics::{counter, gauge};
use tokio::{sync::mpsc, time::sleep};

use super::status::carried;
use crate::{
    challenges::ChallengeStore,
    clock::Clock,
    delivery::{DeliveryReport, DeliveryReports},
    ledger::{Event, Ledger},
    limits::Prices,
    outage,
};

/// Reports that are noted at a time.
const CONCURRENT: usize = 16;
/// How often a report is tried to be noted while the store is down, and how long after each failure.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Takes reports, and notes them in the store a moment later.
pub struct StatusReports {
    sender: mpsc::Sender<DeliveryReport>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    /// Corrected by what reports say that a message cost.
    prices: Arc<Prices>,
}

impl StatusReports {
    /// Starts the task that notes them; at most `queue` reports wait for it.
    pub fn start(
        store: Arc<dyn ChallengeStore>,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        prices: Arc<Prices>,
        queue: usize,
    ) -> Self {
        let (sender, mut reports) = mpsc::channel(queue);
        gauge!("ringback_delivery_reports_capacity").set(queue as f64);
        let depth = gauge!("ringback_delivery_reports_depth");
        let noting = async move {
            let next = stream::poll_fn(|context| {
                let report = reports.poll_recv(context);
                depth.set(reports.len() as f64);
                report
            });
            next.for_each_concurrent(CONCURRENT, |report| note(store.as_ref(), report))
                .await;
        };
        tokio::spawn(noting);
        Self {
            sender,
            ledger,
            clock,
            prices,
        }
    }
}

impl DeliveryReports for StatusReports {
    fn report(&self, report: DeliveryReport) {
        if let Some(price) = &report.update.price {
            self.prices.learn(report.country, price);
        }
        self.ledger.note(Event {
            challenge_id: report.challenge_id,
            at: self.clock.now(),
            what: carried(report.provider, &report.update),
        });
        if self.sender.try_send(report).is_err() {
            counter!("ringback_delivery_reports_dropped_total").increment(1);
        }
    }
}

async fn note(store: &dyn ChallengeStore, report: DeliveryReport) {
    let (address, status) = (report.address, report.update.status);
    for tries_left in (0..TRIES).rev() {
        match store
            .note_status(address, report.challenge_id, status, report.provider)
            .await
        {
            Ok(_) => return,
            Err(error) => {
                outage::note(&error);
                if tries_left == 0 {
                    tracing::debug!(%error, "a message keeps the status it had");
                } else {
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
