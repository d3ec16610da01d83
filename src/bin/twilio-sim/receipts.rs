//! Receipts: each status of a message is posted to its `StatusCallback`, signed as Twilio signs
//! (<https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::pending,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use reqwest::{Client, redirect};
use ringback::sms::twilio_signature;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until},
};

use crate::{book::Book, message::Message};

/// Posts under way at a time, for each worker.
const ABREAST: usize = 64;
/// How long one may take: Twilio waits 15 s.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a receipt is posted again that was not taken, longer each time.
const PAUSE: Duration = Duration::from_secs(1);

/// Where a message's receipts go, and whose token signs them.
pub struct Callback {
    pub url: String,
    pub token: String,
}

/// A receipt that is due.
struct Receipt {
    due: Instant,
    message: Arc<Message>,
    callback: Arc<Callback>,
    status: &'static str,
    error: Option<u32>,
    failures: u32,
    /// The age of the book: those of an older one are forgotten.
    age: u64,
}

/// What all postmen share.
#[derive(Clone)]
pub struct PostOffice {
    book: Arc<Book>,
    client: Client,
    /// Receipts that may be pending in all workers.
    bound: usize,
}

impl PostOffice {
    /// # Errors
    /// When the HTTP client can't be set up.
    pub fn open(book: Arc<Book>, bound: usize) -> io::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent("TwilioProxy/1.1");
        Ok(Self {
            book,
            client: client.build().map_err(io::Error::other)?,
            bound,
        })
    }

    /// Starts a postman on this thread.
    pub fn postman(&self) -> Postman {
        let (due, receipts) = mpsc::channel(self.bound);
        let postman = Postman {
            office: self.clone(),
            due,
        };
        tokio::spawn(work(postman.clone(), receipts));
        postman
    }
}

/// Posts receipts when they are due. Each worker has one, on its own thread.
#[derive(Clone)]
pub struct Postman {
    office: PostOffice,
    due: mpsc::Sender<Receipt>,
}

impl Postman {
    /// Takes the receipts of a message on; those that have no place are dropped, and counted.
    pub fn announce(&self, message: &Arc<Message>, callback: Callback) {
        let (taken, callback) = (Instant::now(), Arc::new(callback));
        for (after, status, error) in message.receipts() {
            let counts = &self.office.book.receipts;
            if counts.pending.fetch_add(1, Ordering::Relaxed) >= self.office.bound as u64 {
                counts.pending.fetch_sub(1, Ordering::Relaxed);
                counts.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.put(Receipt {
                due: taken + after,
                message: Arc::clone(message),
                callback: Arc::clone(&callback),
                status,
                error,
                failures: 0,
                age: self.office.book.age(),
            });
        }
    }

    /// Puts one that is counted as pending among the others.
    fn put(&self, receipt: Receipt) {
        if self.due.try_send(receipt).is_err() {
            let counts = &self.office.book.receipts;
            counts.dropped.fetch_add(1, Ordering::Relaxed);
            counts.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn post(&self, mut receipt: Receipt) {
        let PostOffice { book, client, .. } = &self.office;
        let counts = &book.receipts;
        if receipt.age != book.age() {
            counts.pending.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        if receipt.post(client).await {
            counts.posted.fetch_add(1, Ordering::Relaxed);
            counts.pending.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        counts.refused.fetch_add(1, Ordering::Relaxed);
        receipt.failures += 1;
        if receipt.failures < receipt.message.fate.tries {
            receipt.due = Instant::now() + PAUSE * receipt.failures;
            self.put(receipt);
        } else {
            counts.given_up.fetch_add(1, Ordering::Relaxed);
            counts.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Waits for what is due first, and for what comes in meanwhile.
async fn work(postman: Postman, mut receipts: mpsc::Receiver<Receipt>) {
    let places = Arc::new(Semaphore::new(ABREAST));
    let mut later = BinaryHeap::new();
    loop {
        let next = later.peek().map(|Reverse(first): &Reverse<Receipt>| first.due);
        let due = async {
            match next {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            received = receipts.recv() => match received {
                Some(receipt) => later.push(Reverse(receipt)),
                None => return,
            },
            () = due => {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                if let Some(Reverse(receipt)) = later.pop() {
                    let postman = postman.clone();
                    tokio::spawn(async move {
                        postman.post(receipt).await;
                        drop(place);
                    });
                }
            }
        }
    }
}

impl Receipt {
    /// Whether it was taken.
    async fn post(&self, client: &Client) -> bool {
        let (sid, error) = (self.message.sid(), self.error.map(|code| code.to_string()));
        let mut params = vec![
            ("AccountSid", self.message.account.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("MessageSid", &sid),
            ("MessageStatus", self.status),
            ("SmsSid", &sid),
            ("SmsStatus", self.status),
            ("To", &self.message.to),
        ];
        params.extend(self.message.from.as_deref().map(|from| ("From", from)));
        params.extend(
            self.message
                .service
                .as_deref()
                .map(|sid| ("MessagingServiceSid", sid)),
        );
        params.extend(error.as_deref().map(|code| ("ErrorCode", code)));
        let Callback { url, token } = self.callback.as_ref();
        let answer = client
            .post(url)
            .header("X-Twilio-Signature", twilio_signature(token, url, &params))
            .form(&params)
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Ord for Receipt {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Receipt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Receipt {}

impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
