//! A dispatcher among scripted neighbours.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use ringback::{
    clock::{Clock, ManualClock},
    entropy::Entropy,
    phone::{Country, PhoneDigest, PhoneNumber},
    sms::{
        Brand, CodeBook, Countries, DispatcherOptions, DispatcherParts, FailureKind, FailureReason, Language,
        Lease, Outbox, OutboxEntry, Outcome, Recipient, Route, SmsCode, SmsJob, SmsMessage, SmsProvider,
        SmsQueue,
    },
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// No randomness: all pauses with jitter are nothing.
struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// A clock that stands still, and fails once when told to: the one thing in the actor's handler that a test can break.
pub struct TestClock {
    pub clock: ManualClock,
    pub panics: AtomicBool,
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        assert!(
            !self.panics.swap(false, Ordering::SeqCst),
            "the clock was told to fail"
        );
        self.clock.now()
    }
}

/// What the provider does with a call.
#[derive(Debug, Clone)]
pub enum Play {
    Answer(Outcome),
    Hang,
    Panic,
    /// Accepts when the gate lets it.
    Wait,
}

pub fn accepted() -> Play {
    Play::Answer(Outcome::Accepted {
        provider_id: "SM1".to_owned(),
    })
}

pub fn busy(after: Option<Duration>) -> Play {
    let reason = FailureReason::of(FailureKind::RateLimited);
    Play::Answer(Outcome::Retryable { after, reason })
}

pub fn refused() -> Play {
    let reason = FailureReason::of(FailureKind::Refused);
    Play::Answer(Outcome::Permanent { reason })
}

pub fn misconfigured() -> Play {
    let reason = FailureReason::of(FailureKind::Refused);
    Play::Answer(Outcome::Misconfigured { reason })
}

/// A provider that follows a script, and accepts when the script has ended.
pub struct Scripted {
    script: Mutex<VecDeque<Play>>,
    afterwards: Play,
    pub gate: Semaphore,
    pub sent: Mutex<Vec<SmsMessage>>,
    running: AtomicUsize,
    pub peak: AtomicUsize,
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SmsProvider for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(&self.running);
        self.peak.fetch_max(running, Ordering::SeqCst);
        self.sent.lock().unwrap().push(message.clone());
        let play = self.script.lock().unwrap().pop_front();
        match play.unwrap_or_else(|| self.afterwards.clone()) {
            Play::Answer(outcome) => outcome,
            Play::Hang => std::future::pending().await,
            Play::Panic => panic!("the provider was told to fail"),
            Play::Wait => {
                self.gate.acquire().await.unwrap().forget();
                Outcome::Accepted {
                    provider_id: String::new(),
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct Row {
    pub entry: OutboxEntry,
    pub leased: bool,
    pub in_force: bool,
}

/// An outbox in memory, whose leases end when the test says so.
#[derive(Default)]
pub struct FakeOutbox {
    pub rows: Mutex<HashMap<Uuid, Row>>,
    /// How many of the next requests find it away.
    pub away_for: AtomicUsize,
    pub renewals: AtomicUsize,
    pub acknowledged: AtomicUsize,
}

impl FakeOutbox {
    pub fn len(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    pub fn unleased(&self) -> usize {
        let rows = self.rows.lock().unwrap();
        rows.values().filter(|row| !row.leased).count()
    }

    fn reach(&self) -> Result<(), Unavailable> {
        let one_less = |left: usize| left.checked_sub(1);
        match self
            .away_for
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
        {
            Ok(_) => Err(Unavailable::timed_out(Part::Redis)),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Outbox for FakeOutbox {
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable> {
        self.reach()?;
        self.renewals.fetch_add(1, Ordering::SeqCst);
        let mut rows = self.rows.lock().unwrap();
        match rows.get_mut(&entry.challenge_id) {
            Some(row) if row.in_force => {
                row.leased = true;
                Ok(Lease::Held)
            }
            _ => {
                rows.remove(&entry.challenge_id);
                Ok(Lease::Gone)
            }
        }
    }

    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        self.reach()?;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.rows.lock().unwrap().remove(&entry.challenge_id);
        Ok(())
    }

    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        self.reach()?;
        if let Some(row) = self.rows.lock().unwrap().get_mut(&entry.challenge_id) {
            row.leased = false;
        }
        Ok(())
    }

    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable> {
        self.reach()?;
        let mut rows = self.rows.lock().unwrap();
        let free = rows.values_mut().filter(|row| !row.leased).take(limit);
        Ok(free
            .map(|row| {
                row.leased = true;
                row.entry.clone()
            })
            .collect())
    }
}

/// Knows whom each entry goes to; entries of user `nobody` go to nobody.
#[derive(Default)]
pub struct FakeCodeBook {
    pub nobody: Mutex<Option<Uuid>>,
    pub away_for: AtomicUsize,
    pub asked: AtomicUsize,
}

#[async_trait]
impl CodeBook for FakeCodeBook {
    async fn recipient(&self, entry: &OutboxEntry) -> Result<Option<Recipient>, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: usize| left.checked_sub(1);
        if self
            .away_for
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
        {
            return Err(Unavailable::timed_out(Part::Database));
        }
        let nobody = *self.nobody.lock().unwrap() == Some(entry.user_id);
        Ok((!nobody).then(|| recipient(entry.challenge_id.as_u128())))
    }
}

pub fn recipient(number: u128) -> Recipient {
    Recipient {
        phone: PhoneNumber::from_stored(format!("+1415200{number:04}")),
        code: SmsCode::new(format!("{:06}", 654_321 - number)),
    }
}

pub struct Stage {
    pub supervision: Supervision,
    pub queue: SmsQueue,
    pub provider: Arc<Scripted>,
    pub outbox: Arc<FakeOutbox>,
    pub code_book: Arc<FakeCodeBook>,
    pub clock: Arc<TestClock>,
}

/// The bounds of most tests.
pub fn bounds() -> DispatcherOptions {
    DispatcherOptions {
        queue: 100,
        in_flight: 4,
        lease: Duration::from_secs(60),
        max_tries: 5,
        retry_for: Duration::from_secs(60),
        brand: Brand::parse("Ringback").unwrap(),
        ttl: Duration::from_secs(600),
    }
}

impl Stage {
    pub fn set(options: DispatcherOptions, script: &[Play], afterwards: Play) -> Self {
        let supervision = Supervision::default();
        let provider = Arc::new(Scripted {
            script: Mutex::new(script.iter().cloned().collect()),
            afterwards,
            gate: Semaphore::new(0),
            sent: Mutex::default(),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        });
        let outbox = Arc::<FakeOutbox>::default();
        let code_book = Arc::<FakeCodeBook>::default();
        let clock = Arc::new(TestClock {
            clock: ManualClock::new(Utc.timestamp_opt(1_700_000_000, 0).unwrap()),
            panics: AtomicBool::new(false),
        });
        let queue = SmsQueue::start(
            &supervision,
            options,
            DispatcherParts {
                routes: vec![Route {
                    provider: provider.clone(),
                    countries: Countries::All,
                    max_per_second: 0,
                }],
                outbox: outbox.clone(),
                code_book: code_book.clone(),
                reports: Arc::new(()),
                clock: clock.clone(),
                entropy: Arc::new(Zeros),
            },
        );
        Self {
            supervision,
            queue,
            provider,
            outbox,
            code_book,
            clock,
        }
    }

    /// Writes an entry as the issuing script would, for ten minutes.
    pub fn owe(&self, number: u128, leased: bool) -> OutboxEntry {
        let entry = OutboxEntry {
            challenge_id: Uuid::from_u128(number),
            user_id: Uuid::from_u128(number + 1_000),
            phone_digest: PhoneDigest::decode("AAAAAAAAAAAAAAAAAAAAAA").unwrap(),
            slot: "p".to_owned(),
            key_id: "k".to_owned(),
            country: Country::UNKNOWN,
            language: Language::default(),
            avoid: None,
            expires_at_ms: self.clock.clock.now_ms() + 600_000,
        };
        let row = Row {
            entry: entry.clone(),
            leased,
            in_force: true,
        };
        self.outbox.rows.lock().unwrap().insert(entry.challenge_id, row);
        entry
    }

    /// Does what the HTTP side does: a place first, then the code, then the job.
    pub fn send(&self, number: u128) {
        let slot = self.queue.reserve().unwrap();
        let entry = self.owe(number, true);
        let recipient = recipient(number);
        self.queue.submit(slot, SmsJob { entry, recipient });
    }

    pub fn calls(&self) -> usize {
        self.provider.sent.lock().unwrap().len()
    }

    /// Numbers whose code was replaced by a newer one.
    pub fn supersede(&self, number: u128) {
        let mut rows = self.outbox.rows.lock().unwrap();
        if let Some(row) = rows.get_mut(&Uuid::from_u128(number)) {
            row.in_force = false;
        }
    }

    /// Whether every place in the queue is free, and nothing is under way.
    pub fn is_at_rest(&self) -> bool {
        let status = self.queue.status();
        let places: Vec<_> = (0..status.capacity)
            .map_while(|_| self.queue.reserve().ok())
            .collect();
        places.len() == status.capacity && status.queued == 0 && status.in_flight == 0
    }
}
