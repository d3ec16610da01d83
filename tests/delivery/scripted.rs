//! A provider that follows a script.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ringback::{
    delivery::{ChannelProvider, Countries, Route},
    provider::{FailureKind, FailureReason, LookupResult, Outcome, Provider},
    sms::SmsMessage,
};
use tokio::sync::Semaphore;

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

/// A provider that follows a script, and plays the same when the script has ended.
pub struct Scripted {
    name: &'static str,
    script: Mutex<VecDeque<Play>>,
    pub afterwards: Mutex<Play>,
    /// What it says of each message that it is asked for, and which it was asked for.
    pub found: Mutex<LookupResult>,
    pub looked_up: Mutex<Vec<(SmsMessage, DateTime<Utc>)>>,
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

impl Scripted {
    pub fn new(name: &'static str, script: &[Play], afterwards: Play) -> Arc<Self> {
        Arc::new(Self {
            name,
            script: Mutex::new(script.iter().cloned().collect()),
            afterwards: Mutex::new(afterwards),
            found: Mutex::new(LookupResult::Unknown),
            looked_up: Mutex::default(),
            gate: Semaphore::new(0),
            sent: Mutex::default(),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        })
    }

    pub fn calls(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// A route to it, for all countries.
    pub fn route(self: &Arc<Self>) -> Route {
        Route {
            provider: ChannelProvider::Sms(Arc::clone(self) as _),
            countries: Countries::All,
            max_per_second: 0,
        }
    }
}

#[async_trait]
impl Provider<SmsMessage> for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn look_up(&self, message: &SmsMessage, since: DateTime<Utc>) -> LookupResult {
        self.looked_up.lock().unwrap().push((message.clone(), since));
        self.found.lock().unwrap().clone()
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(&self.running);
        self.peak.fetch_max(running, Ordering::SeqCst);
        self.sent.lock().unwrap().push(message.clone());
        let play = self.script.lock().unwrap().pop_front();
        match play.unwrap_or_else(|| self.afterwards.lock().unwrap().clone()) {
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
