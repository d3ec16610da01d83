//! A dispatcher among scripted neighbours.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use ringback::{
    channel::{Channel, MessageCode},
    clock::{Clock, ManualClock},
    delivery::{
        CodeSeed, DeliveryQueue, DeliveryReport, DeliveryReports, Destination, DispatcherOptions,
        DispatcherParts, Health, Lease, Message, Messages, Outbox, OutboxEntry, Recipient, Route,
    },
    email::EmailAddress,
    entropy::Entropy,
    language::Language,
    mail::{self, EmailMessage},
    partition::SlotAddress,
    phone::{Country, PhoneNumber},
    sms::{self, SmsMessage},
    supervision::Supervision,
    texts::TextFolder,
    unavailable::{Part, Unavailable},
};
use uuid::Uuid;

use crate::scripted::{Play, Scripted};

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
pub struct FakeMessages {
    pub nobody: Mutex<Option<Uuid>>,
    pub away_for: AtomicUsize,
    pub asked: AtomicUsize,
}

#[async_trait]
impl Messages for FakeMessages {
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
        let nobody = entry.user_id.is_some() && *self.nobody.lock().unwrap() == entry.user_id;
        Ok((!nobody).then(|| recipient(entry.challenge_id.as_u128(), entry.channel)))
    }

    fn compose(&self, entry: &OutboxEntry, recipient: &Recipient, life: Duration) -> Message {
        let (code, folder) = (&recipient.code, TextFolder::default());
        let (reference, valid_for) = (entry.challenge_id, life);
        match &recipient.to {
            Destination::Phone(phone) => {
                let texts = sms::Texts::load(&sms::TextOptions::default(), &folder).unwrap();
                Message::Sms(SmsMessage {
                    reference,
                    to: phone.clone(),
                    body: texts.compose("verify_phone", &entry.language, code, life),
                    valid_for,
                })
            }
            Destination::Email(email) => {
                let texts = mail::Texts::load(&mail::TextOptions::default(), &folder).unwrap();
                let worded = texts.compose("verify_email", &entry.language, code, life);
                Message::Email(EmailMessage {
                    reference,
                    to: email.clone(),
                    subject: worded.subject,
                    text: worded.text,
                    html: worded.html,
                    valid_for,
                })
            }
        }
    }
}

pub fn recipient(number: u128, channel: Channel) -> Recipient {
    Recipient {
        to: match channel {
            Channel::Sms => Destination::Phone(PhoneNumber::from_stored(format!("+1415200{number:04}"))),
            Channel::Email => {
                Destination::Email(EmailAddress::parse(&format!("{number}@example.org")).unwrap())
            }
        },
        code: MessageCode::new(format!("{:06}", 654_321 - number)),
    }
}

/// What was told of SMS.
#[derive(Default)]
pub struct Told(pub Mutex<Vec<DeliveryReport>>);

impl DeliveryReports for Told {
    fn report(&self, report: DeliveryReport) {
        self.0.lock().unwrap().push(report);
    }
}

pub struct Stage {
    pub supervision: Supervision,
    pub queue: DeliveryQueue,
    pub provider: Arc<Scripted>,
    pub outbox: Arc<FakeOutbox>,
    pub messages: Arc<FakeMessages>,
    pub reports: Arc<Told>,
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
        probe_after: Duration::from_millis(100),
        probe_every: Duration::from_secs(60),
        ttl: Duration::from_secs(600),
    }
}

impl Stage {
    /// With one provider.
    pub fn set(options: DispatcherOptions, script: &[Play], afterwards: Play) -> Self {
        let provider = Scripted::new("scripted", script, afterwards);
        Self::routed(options, &[provider.route()], provider)
    }

    /// With these routes; `provider` is the one that the tests ask first.
    pub fn routed(options: DispatcherOptions, routes: &[Route], provider: Arc<Scripted>) -> Self {
        let supervision = Supervision::default();
        let outbox = Arc::<FakeOutbox>::default();
        let messages = Arc::<FakeMessages>::default();
        let reports = Arc::<Told>::default();
        let clock = Arc::new(TestClock {
            clock: ManualClock::new(Utc.timestamp_opt(1_700_000_000, 0).unwrap()),
            panics: AtomicBool::new(false),
        });
        let queue = DeliveryQueue::start(
            &supervision,
            options,
            DispatcherParts {
                routes: routes.to_vec(),
                outbox: outbox.clone(),
                messages: messages.clone(),
                reports: reports.clone(),
                clock: clock.clone(),
                entropy: Arc::new(Zeros),
            },
        );
        Self {
            supervision,
            queue,
            provider,
            outbox,
            messages,
            reports,
            clock,
        }
    }

    /// Writes an entry as the issuing script would, for ten minutes.
    pub fn owe(&self, number: u128, leased: bool) -> OutboxEntry {
        self.owe_by(Channel::Sms, number, leased)
    }

    fn owe_by(&self, channel: Channel, number: u128, leased: bool) -> OutboxEntry {
        let entry = OutboxEntry {
            challenge_id: Uuid::from_u128(number),
            user_id: Some(Uuid::from_u128(number + 1_000)),
            address: SlotAddress::from_bits(0),
            channel,
            topic: 0,
            seed: CodeSeed::default(),
            country: Country::UNKNOWN,
            language: Language::default(),
            sealed: None,
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
        self.send_by(Channel::Sms, number);
    }

    pub fn send_by_mail(&self, number: u128) {
        self.send_by(Channel::Email, number);
    }

    fn send_by(&self, channel: Channel, number: u128) {
        let slot = self.queue.reserve(channel, Country::UNKNOWN).unwrap();
        let entry = self.owe_by(channel, number, true);
        let recipient = recipient(number, channel);
        self.queue.submit(slot, entry, recipient);
    }

    /// Ends every lease.
    pub fn lapse(&self) {
        let mut rows = self.outbox.rows.lock().unwrap();
        rows.values_mut().for_each(|row| row.leased = false);
    }

    pub fn calls(&self) -> usize {
        self.provider.calls()
    }

    /// How the first provider does.
    pub fn health(&self) -> Health {
        self.queue.status().providers[0].health
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
            .map_while(|_| self.queue.reserve(Channel::Sms, Country::UNKNOWN).ok())
            .collect();
        places.len() == status.capacity && status.queued == 0 && status.in_flight == 0
    }
}
