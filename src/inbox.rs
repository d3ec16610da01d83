//! The development inbox: what would have gone out, by whatever channel. It is in memory, and shown on a page.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{channel::Channel, clock::Clock};

/// A message that would have gone out.
///
/// It is shown in full on the inbox's page; `Debug` masks it, since that is for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct InboxMessage {
    pub channel: Channel,
    /// The number in E.164, or the e-mail address.
    pub to: String,
    /// What channels without subjects have none of.
    pub subject: Option<String>,
    pub body: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
}

impl fmt::Debug for InboxMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxMessage(•••, {})", self.at)
    }
}

/// Keeps the newest messages. Its clones are one inbox.
#[derive(Clone)]
pub struct DevInbox {
    /// The oldest first.
    messages: Arc<Mutex<VecDeque<InboxMessage>>>,
    capacity: usize,
    clock: Arc<dyn Clock>,
}

impl DevInbox {
    /// Its name as a provider.
    pub const NAME: &str = "dev_inbox";

    /// An empty inbox that keeps the newest `capacity` messages.
    pub fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            messages: Arc::default(),
            capacity,
            clock,
        }
    }

    /// Takes a message in.
    pub fn add(&self, channel: Channel, to: &str, subject: Option<&str>, body: &str) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push_back(InboxMessage {
            channel,
            to: to.to_owned(),
            subject: subject.map(str::to_owned),
            body: body.to_owned(),
            at: self.clock.now(),
        });
        while messages.len() > self.capacity {
            messages.pop_front();
        }
    }

    /// What it holds, the newest first.
    pub fn list(&self) -> Vec<InboxMessage> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn it_keeps_the_newest_and_lists_them_first() {
        let clock = ManualClock::new(Utc.timestamp_opt(1_000, 0).unwrap());
        let inbox = DevInbox::new(2, Arc::new(clock.clone()));
        for (channel, text) in [
            (Channel::Sms, "one"),
            (Channel::Email, "two"),
            (Channel::Sms, "three"),
        ] {
            clock.advance(chrono::Duration::seconds(1));
            inbox.add(channel, "+14152000001", None, text);
        }
        let listed = inbox.list();
        let texts: Vec<_> = listed
            .iter()
            .map(|message| (message.channel, message.body.as_str()))
            .collect();
        assert_eq!(texts, [(Channel::Sms, "three"), (Channel::Email, "two")]);
        assert_eq!(listed[0].at.timestamp(), 1_003);
        assert_eq!(listed[0].to, "+14152000001");
        assert!(!format!("{listed:?}").contains("415"));
    }
}
