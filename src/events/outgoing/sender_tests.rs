use std::{collections::BTreeMap, sync::Mutex, time::Instant};

use async_trait::async_trait;
use chrono::TimeZone;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use super::*;
use crate::{
    clock::SystemClock,
    entropy::SystemEntropy,
    events::{EventKinds, Replayed},
    webhook::WebhookKeys,
};

/// For how long the receiver is waited for that never answers.
const TIMEOUT: Duration = Duration::from_secs(4);

#[test]
fn a_pause_doubles_up_to_a_quarter_of_an_hour() {
    let seconds = [1, 2, 3, 8, 9, 100].map(|attempts| longest_pause(attempts).num_seconds());
    assert_eq!(seconds, [5, 10, 20, 640, 900, 900]);
}

/// Events that are due, each about an account of its own, and when they are due.
#[derive(Default)]
struct Due(Mutex<BTreeMap<i64, DateTime<Utc>>>);

fn event(seq: i64) -> OutgoingEvent {
    OutgoingEvent {
        id: Uuid::from_u128(seq as u128),
        at: Utc.timestamp_opt(1_800_000_000, 0).unwrap(),
        kind: format!("number-{seq}."),
        actor: "user".to_owned(),
        actor_id: None,
        user_id: None,
        network: None,
        reason: None,
        details: "{}".to_owned(),
        times: 1,
    }
}

impl Due {
    fn add(&self, seqs: impl IntoIterator<Item = i64>) {
        let mut due = self.0.lock().unwrap();
        due.extend(seqs.into_iter().map(|seq| (seq, DateTime::UNIX_EPOCH)));
    }

    fn left(&self) -> Vec<i64> {
        self.0.lock().unwrap().keys().copied().collect()
    }
}

#[async_trait]
impl OutgoingStore for Due {
    async fn settled(&self) -> Result<Option<i64>, Unavailable> {
        Ok(None)
    }

    async fn begin(&self, _: &str, settled: i64) -> Result<i64, Unavailable> {
        Ok(settled)
    }

    async fn advance(
        &self,
        _: &str,
        _: &EventKinds,
        settled: i64,
        _: DateTime<Utc>,
        _: u32,
    ) -> Result<i64, Unavailable> {
        Ok(settled)
    }

    async fn lease(
        &self,
        _: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LeasedEvent>, Unavailable> {
        let mut due = self.0.lock().unwrap();
        let ready = due.iter_mut().filter(|(_, at)| **at <= now);
        let leased = ready.take(limit as usize).map(|(&seq, at)| {
            *at = until;
            LeasedEvent {
                seq,
                attempts: 1,
                created_at: now,
                event: Some(event(seq)),
            }
        });
        Ok(leased.collect())
    }

    async fn done(&self, _: &str, seqs: &[i64]) -> Result<(), Unavailable> {
        self.0.lock().unwrap().retain(|seq, _| !seqs.contains(seq));
        Ok(())
    }

    async fn postpone(&self, _: &str, seq: i64, at: DateTime<Utc>) -> Result<(), Unavailable> {
        self.0.lock().unwrap().insert(seq, at);
        Ok(())
    }

    async fn has_begun(&self, _: &str) -> Result<bool, Unavailable> {
        Ok(true)
    }

    async fn pending(&self, _: &str, _: u32) -> Result<u32, Unavailable> {
        Ok(0)
    }

    async fn replay(
        &self,
        _: &str,
        _: &EventKinds,
        _: DateTime<Utc>,
        _: i64,
        _: DateTime<Utc>,
        _: u32,
    ) -> Result<Replayed, Unavailable> {
        Ok(Replayed {
            queued: 0,
            next: None,
        })
    }
}

/// Takes each webhook but the first one, to which it never answers.
async fn receive(mut connection: TcpStream) {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while !text.ends_with("}") {
        match connection.read(&mut bytes).await {
            Ok(count) if count > 0 => text += &String::from_utf8_lossy(&bytes[..count]),
            _ => return,
        }
    }
    if text.contains("number-1.") {
        return std::future::pending().await;
    }
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    connection.write_all(answer).await.unwrap();
}

#[tokio::test]
async fn an_event_that_gets_no_answer_holds_up_no_other_accounts_and_each_is_noted_when_it_is_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(receive(connection));
        }
    });
    let due = Arc::<Due>::default();
    due.add(1..=40);
    let began = Instant::now();
    let sender = EventSender {
        store: due.clone(),
        webhooks: vec![EventWebhook {
            name: "crm".to_owned(),
            url: url.parse().unwrap(),
            keys: WebhookKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
            kinds: EventKinds::parse([]).unwrap(),
        }],
        wire: Wire::new("events.webhook", TIMEOUT, TIMEOUT).unwrap(),
        retry_for: TimeDelta::days(3),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    sender.start();
    let all_but_the_first = async || {
        while due.left() != [1] {
            assert!(began.elapsed() < TIMEOUT, "{:?} are left", due.left());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    all_but_the_first().await;
    // What comes while it hangs goes out as well.
    due.add(41..=60);
    all_but_the_first().await;
}
