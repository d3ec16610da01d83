//! The provider for development: an SMS lands on a page of this service.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    clock::Clock,
    provider::{Outcome, Provider},
    sms::SmsMessage,
};

/// An SMS that would have gone out.
///
/// It is shown in full on the inbox's page; `Debug` masks it, since that is for logs.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InboxMessage {
    /// The number in E.164.
    pub to: String,
    pub body: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
}

impl fmt::Debug for InboxMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxMessage(•••, {})", self.at)
    }
}

/// Keeps the newest messages in memory, and accepts every one. Its clones are one inbox.
#[derive(Clone)]
pub struct DevInbox {
    /// The oldest first.
    messages: Arc<Mutex<VecDeque<InboxMessage>>>,
    capacity: usize,
    clock: Arc<dyn Clock>,
}

impl DevInbox {
    /// An empty inbox that keeps the newest `capacity` messages.
    pub fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            messages: Arc::default(),
            capacity,
            clock,
        }
    }

    /// What it holds, the newest first.
    pub fn list(&self) -> Vec<InboxMessage> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().rev().cloned().collect()
    }
}

#[async_trait]
impl Provider<SmsMessage> for DevInbox {
    fn name(&self) -> &'static str {
        "dev_inbox"
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push_back(InboxMessage {
            to: message.to.expose().to_owned(),
            body: message.body.expose().to_owned(),
            at: self.clock.now(),
        });
        while messages.len() > self.capacity {
            messages.pop_front();
        }
        Outcome::Accepted {
            provider_id: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeZone;
    use uuid::Uuid;

    use super::*;
    use crate::{channel::MessageText, clock::ManualClock, phone::PhoneNumber};

    #[tokio::test]
    async fn it_keeps_the_newest_and_lists_them_first() {
        let clock = ManualClock::new(Utc.timestamp_opt(1_000, 0).unwrap());
        let inbox = DevInbox::new(2, Arc::new(clock.clone()));
        for text in ["one", "two", "three"] {
            clock.advance(chrono::Duration::seconds(1));
            let outcome = inbox
                .send(&SmsMessage {
                    reference: Uuid::nil(),
                    to: PhoneNumber::from_stored("+14152000001".to_owned()),
                    body: MessageText::new(text.to_owned()),
                    valid_for: Duration::from_secs(60),
                })
                .await;
            assert!(matches!(outcome, Outcome::Accepted { .. }));
        }
        let listed = inbox.list();
        let texts: Vec<_> = listed.iter().map(|message| message.body.as_str()).collect();
        assert_eq!(texts, ["three", "two"]);
        assert_eq!(listed[0].at.timestamp(), 1_003);
        assert_eq!(listed[0].to, "+14152000001");
        assert!(!format!("{listed:?}").contains("415"));
    }
}
