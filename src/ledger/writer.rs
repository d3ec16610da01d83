//! The way into the ledger: a bounded queue that nobody waits for, and the task that empties it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use metrics::{counter, gauge};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{Event, LedgerStore, Row};
use crate::outage;

/// Events that are written at once, at most.
const BATCH: usize = 512;
/// How long the first of a batch waits for others: some hundred thousand events an hour are one write each.
const GATHER: Duration = Duration::from_millis(100);
/// How often a batch is tried while the database is down, some ten minutes in all, and the pause after the first
/// failure, doubled each time up to the cap.
const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_CAP: Duration = Duration::from_secs(5);

enum Mail {
    Event(Event),
    /// Write what came before, and say so.
    Flush(oneshot::Sender<()>),
}

/// What is kept of each SMS and its code.
#[derive(Debug, Clone, Copy)]
pub struct LedgerOptions {
    /// For how long; zero keeps nothing.
    pub retention: Duration,
    /// Events that wait to be written.
    pub queue: usize,
}

/// The handle. Clones share the queue.
#[derive(Clone)]
pub struct Ledger(Option<mpsc::Sender<Mail>>);

impl Ledger {
    /// A ledger that keeps nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Starts the task, unless nothing is to be kept.
    pub fn start(store: Arc<dyn LedgerStore>, options: LedgerOptions) -> Self {
        if options.retention.is_zero() {
            return Self::off();
        }
        let (sender, mail) = mpsc::channel(options.queue);
        gauge!("ringback_ledger_capacity").set(options.queue as f64);
        tokio::spawn(write(store, mail));
        Self(Some(sender))
    }

    /// Notes an event, and waits for nothing: where there is no room it is dropped and counted.
    pub fn note(&self, event: Event) {
        if let Some(queue) = &self.0
            && queue.try_send(Mail::Event(event)).is_err()
        {
            counter!("ringback_ledger_dropped_total", "reason" => "full").increment(1);
        }
    }

    /// Has everything written that was noted before, within this time: what isn't by then is lost with the process.
    pub async fn flush(&self, within: Duration) {
        let Some(queue) = &self.0 else {
            return;
        };
        let (done, written) = oneshot::channel();
        let flush = async {
            // With nobody there to take it, there is nothing to write.
            if queue.send(Mail::Flush(done)).await.is_ok() {
                let _ = written.await;
            }
        };
        if timeout(within, flush).await.is_err() {
            tracing::warn!("the end of the ledger could not be written in time");
        }
    }
}

/// Rows to be written together, in the order of their keys, so that instances that touch the same don't wait for each
/// other in a circle.
#[derive(Default)]
struct Batch {
    rows: BTreeMap<Uuid, Row>,
    events: usize,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, mail: Mail) {
        match mail {
            Mail::Flush(done) => self.flushes.push(done),
            Mail::Event(event) => {
                self.events += 1;
                match self.rows.entry(event.challenge_id) {
                    Entry::Vacant(place) => drop(place.insert(Row::of(event))),
                    Entry::Occupied(mut row) => row.get_mut().add(event),
                }
            }
        }
    }

    async fn write(self, store: &dyn LedgerStore, tries: u32) {
        let rows: Vec<_> = self.rows.into_values().collect();
        let mut pause = PAUSE;
        for tries_left in (0..tries).rev() {
            if rows.is_empty() {
                break;
            }
            match store.write(&rows).await {
                Ok(()) => {
                    counter!("ringback_ledger_rows_total").increment(rows.len() as u64);
                    break;
                }
                Err(error) if tries_left == 0 => {
                    outage::note(&error);
                    tracing::error!(%error, ledger.rows = rows.len(), "the ledger lacks what the database did not take");
                    counter!("ringback_ledger_dropped_total", "reason" => "failed")
                        .increment(self.events as u64);
                }
                Err(error) => {
                    outage::note(&error);
                    counter!("ringback_ledger_retries_total").increment(1);
                    tracing::debug!(%error, "the ledger waits for the database");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_CAP);
                }
            }
        }
        for done in self.flushes {
            let _ = done.send(());
        }
    }
}

/// Sleeps while a batch gathers, rather than look at each event as it comes: those who note events need wake nobody then.
async fn write(store: Arc<dyn LedgerStore>, mut queue: mpsc::Receiver<Mail>) {
    while let Some(first) = queue.recv().await {
        let mut batch = Batch::default();
        batch.add(first);
        if queue.len() + 1 < BATCH && batch.flushes.is_empty() {
            sleep(GATHER).await;
        }
        while batch.events < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.add(next);
        }
        gauge!("ringback_ledger_depth").set(queue.len() as f64);
        batch.write(store.as_ref(), TRIES).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{
        ledger::What,
        retention::Retained,
        unavailable::{Part, Unavailable},
    };

    /// A store that can be down.
    #[derive(Default)]
    struct Fickle {
        is_down: AtomicBool,
        refused: AtomicUsize,
        written: Mutex<Vec<Vec<Row>>>,
    }

    #[async_trait]
    impl LedgerStore for Fickle {
        async fn write(&self, rows: &[Row]) -> Result<(), Unavailable> {
            if self.is_down.load(Ordering::SeqCst) {
                self.refused.fetch_add(1, Ordering::SeqCst);
                return Err(Unavailable::timed_out(Part::Database));
            }
            self.written.lock().unwrap().push(rows.to_vec());
            Ok(())
        }
    }

    #[async_trait]
    impl Retained for Fickle {
        async fn purge(&self, _: DateTime<Utc>, _: u32) -> Result<u64, Unavailable> {
            Ok(0)
        }
    }

    fn options(queue: usize) -> LedgerOptions {
        let retention = Duration::from_secs(60);
        LedgerOptions { retention, queue }
    }

    fn wrong(challenge: u128, attempts: u8) -> Event {
        Event {
            challenge_id: Uuid::from_u128(challenge),
            at: DateTime::UNIX_EPOCH,
            what: What::Wrong { attempts },
        }
    }

    #[tokio::test]
    async fn events_of_a_moment_are_one_write_and_of_a_challenge_one_row() {
        let store = Arc::new(Fickle::default());
        let ledger = Ledger::start(Arc::clone(&store) as _, options(100));
        for (challenge, attempts) in [(2, 1), (1, 2), (2, 3), (1, 1)] {
            ledger.note(wrong(challenge, attempts));
        }
        ledger.flush(Duration::from_secs(1)).await;
        let written = store.written.lock().unwrap();
        let rows: Vec<_> = written
            .concat()
            .iter()
            .map(|row| (row.challenge_id.as_u128(), row.attempts))
            .collect();
        assert_eq!((written.len(), rows), (1, vec![(1, 2), (2, 3)]));
    }

    #[tokio::test]
    async fn what_a_database_that_was_down_did_not_take_is_written_when_it_is_back() {
        let store = Arc::new(Fickle::default());
        let ledger = Ledger::start(Arc::clone(&store) as _, options(2));
        store.is_down.store(true, Ordering::SeqCst);
        ledger.note(wrong(1, 1));
        while store.refused.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        // The queue is full after two more; nobody waits for it.
        for challenge in 2..10 {
            ledger.note(wrong(challenge, 1));
        }
        ledger.flush(Duration::from_millis(10)).await;
        assert!(store.written.lock().unwrap().is_empty());
        store.is_down.store(false, Ordering::SeqCst);
        ledger.flush(Duration::from_secs(60)).await;
        let written = store.written.lock().unwrap().concat();
        let challenges: Vec<_> = written.iter().map(|row| row.challenge_id.as_u128()).collect();
        assert_eq!(challenges, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_batch_is_given_up_in_the_end_and_a_ledger_that_is_off_keeps_nothing() {
        let store = Fickle::default();
        store.is_down.store(true, Ordering::SeqCst);
        let (mut batch, (done, given_up)) = (Batch::default(), oneshot::channel());
        batch.add(Mail::Event(wrong(1, 1)));
        batch.add(Mail::Flush(done));
        batch.write(&store, 2).await;
        assert!(given_up.await.is_ok());
        assert_eq!(store.refused.load(Ordering::SeqCst), 2);
        Ledger::off().note(wrong(3, 1));
        Ledger::off().flush(Duration::from_secs(1)).await;
    }
}
