//! The way of the dispatcher's reports into the statuses and the ledger: off everybody's way, bounded.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use metrics::{counter, gauge};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    challenges::{Courses, End, News, Stage, Statuses},
    clock::Clock,
    delivery::{DeliveryReport, DeliveryReports},
    ledger::{Event, Ledger, State, What},
    provider::DeliveryStatus,
};

/// Reports that are noted at a time.
const ABREAST: usize = 16;
/// How often a report is tried to be noted while the store is away, and how long after each failure.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Takes reports, and notes them in the store a moment later.
pub struct StatusReports {
    sender: mpsc::Sender<DeliveryReport>,
    courses: Arc<Courses>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
}

impl StatusReports {
    /// Starts the task that notes them; at most `queue` reports wait for it.
    pub fn start(
        statuses: Arc<dyn Statuses>,
        courses: Arc<Courses>,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        queue: usize,
    ) -> Self {
        let (sender, mut reports) = mpsc::channel(queue);
        gauge!("ringback_sms_reports_capacity").set(queue as f64);
        let learning = Arc::clone(&courses);
        let depth = gauge!("ringback_sms_reports_depth");
        let noting = async move {
            let next = stream::poll_fn(|context| {
                let report = reports.poll_recv(context);
                depth.set(reports.len() as f64);
                report
            });
            next.for_each_concurrent(ABREAST, |report| note(statuses.as_ref(), &learning, report))
                .await;
        };
        tokio::spawn(noting);
        Self {
            sender,
            courses,
            ledger,
            clock,
        }
    }
}

impl DeliveryReports for StatusReports {
    fn report(&self, report: DeliveryReport) {
        self.courses.answered(self.clock.now_ms());
        self.ledger.note(Event {
            challenge_id: report.challenge_id,
            at: self.clock.now(),
            what: what(&report),
        });
        if self.sender.try_send(report).is_err() {
            counter!("ringback_sms_reports_dropped_total").increment(1);
        }
    }

    fn ended(&self, count: usize) {
        self.courses.ended(count, self.clock.now_ms());
    }
}

/// What a status is for the ledger, and for the challenge's record.
pub(super) fn state_and_stage(status: DeliveryStatus) -> (State, Stage) {
    match status {
        DeliveryStatus::Queued | DeliveryStatus::Sent => (State::Sent, Stage::Sent),
        DeliveryStatus::Delivered => (State::Delivered, Stage::Ended(End::Delivered)),
        DeliveryStatus::Undelivered => (State::Undelivered, Stage::Ended(End::Undelivered)),
        DeliveryStatus::Failed => (State::Failed, Stage::Ended(End::Failed)),
    }
}

fn what(report: &DeliveryReport) -> What {
    let (state, _) = state_and_stage(report.update.status);
    What::Carried {
        state,
        provider: report.provider,
        message_id: report.update.message_id.clone(),
        code: report.update.error_code,
        price: report.update.price.clone(),
    }
}

async fn note(statuses: &dyn Statuses, courses: &Courses, report: DeliveryReport) {
    let (_, stage) = state_and_stage(report.update.status);
    let news = News {
        stage,
        provider: report.provider,
    };
    for tries_left in (0..TRIES).rev() {
        match statuses.advance(report.address, report.challenge_id, &news).await {
            Ok(course) => {
                return course
                    .into_iter()
                    .for_each(|course| courses.learn(report.provider, course));
            }
            Err(error) if tries_left == 0 => tracing::warn!(%error, "an SMS keeps the status it had"),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
