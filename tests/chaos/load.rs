//! Codes that are asked for, at a steady rate, of whichever instance runs; and what was answered.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use ringback::clock::{Clock, SystemClock};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    fleet::{Addresses, phone},
    luck::Luck,
};

/// One in so many sends is to a phone that was sent to before.
const RESENDS: u64 = 6;
/// Phones that are sent to again, of the latest: those that a kill has just met.
const RECENT: usize = 40;

/// One request for a code.
#[derive(Debug)]
pub struct Sent {
    pub asked: DateTime<Utc>,
    /// When it was answered, if the answer was 200.
    pub answered: Option<DateTime<Utc>>,
    pub status: Option<u16>,
}

/// All requests by phone, in their order.
pub type Log = HashMap<String, Vec<Sent>>;

/// Asks until it is stopped.
pub struct Load {
    log: Arc<Mutex<Log>>,
    /// The address that answered 200 last.
    pub promised: watch::Receiver<String>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    pub fn start(addresses: Addresses, users: u64, per_second: u64, mut luck: Luck) -> Self {
        let (log, stop) = (Arc::<Mutex<Log>>::default(), Arc::<AtomicBool>::default());
        let (shared, stopped) = (Arc::clone(&log), Arc::clone(&stop));
        let (promise, promised) = watch::channel(String::new());
        let promise = Arc::new(promise);
        let task = tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(10));
            let client = client.build().unwrap();
            let mut clock = interval(Duration::from_micros(1_000_000 / per_second));
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut recent, mut used, mut calls) = (Vec::<String>::new(), 0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                clock.tick().await;
                let again = luck.below(RESENDS) == 0 && !recent.is_empty();
                let to = if again {
                    let index = luck.below(recent.len() as u64) as usize;
                    // Not in the list while it is asked for: its requests are one after the other.
                    recent.swap_remove(index)
                } else if used < users {
                    used += 1;
                    phone(used)
                } else {
                    continue;
                };
                let running: Vec<_> = addresses.lock().unwrap().iter().flatten().cloned().collect();
                if running.is_empty() {
                    continue;
                }
                let address = running[luck.below(running.len() as u64) as usize].clone();
                let (client, log, promise) = (client.clone(), Arc::clone(&shared), Arc::clone(&promise));
                calls.push(tokio::spawn(async move {
                    let sent = send(&client, &address, &to).await;
                    if sent.answered.is_some() {
                        promise.send_replace(address);
                    }
                    log.lock().unwrap().entry(to.clone()).or_default().push(sent);
                    to
                }));
                // Those that are answered may be asked for again.
                let mut under_way = Vec::new();
                for call in calls.drain(..) {
                    if call.is_finished() {
                        recent.push(call.await.unwrap());
                    } else {
                        under_way.push(call);
                    }
                }
                calls = under_way;
                let old = recent.len().saturating_sub(RECENT);
                recent.drain(..old);
            }
            for call in calls {
                call.await.unwrap();
            }
        });
        Self {
            log,
            promised,
            stop,
            task,
        }
    }

    /// Asks no more, waits for the last answers, and tells of all.
    pub async fn end(self) -> Log {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

async fn send(client: &reqwest::Client, address: &str, to: &str) -> Sent {
    let url = format!("{address}/api/users/send-phone-otp/");
    let (asked, mut status, mut answered) = (SystemClock.now(), None, None);
    if let Ok(answer) = client.post(url).json(&json!({ "phone": to })).send().await {
        status = Some(answer.status().as_u16());
        let at = SystemClock.now();
        // A 200 is a promise as soon as its head is here.
        answered = (status == Some(200)).then_some(at);
        drop(answer.bytes().await);
    }
    Sent {
        asked,
        answered,
        status,
    }
}
