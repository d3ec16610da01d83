//! An SMS that was taken, and what becomes of it. All of that is settled when it is taken, so that nothing has to change
//! it later: its status is a question of the time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ringback::sms::segments;

/// What one segment costs.
const PRICE: f64 = 0.0083;

/// An SMS that was taken.
#[derive(Debug)]
pub struct Message {
    /// 128 bits of `SM…`.
    pub id: u128,
    pub account: String,
    pub from: Option<String>,
    pub service: Option<String>,
    pub to: String,
    pub body: String,
    pub at: DateTime<Utc>,
    pub fate: Fate,
}

/// What becomes of a message, each time from its being taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    pub sent: Duration,
    pub done: Duration,
    pub ending: Ending,
    /// When the last receipt is posted.
    pub told_done: Duration,
    pub repeated: bool,
    pub disordered: bool,
    pub untold: bool,
    pub tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Delivered,
    Undelivered(Option<u32>),
    /// It never left; it was not sent either.
    Failed(Option<u32>),
}

/// How a message stands at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    pub status: &'static str,
    pub error: Option<u32>,
    /// When it was sent, and when the status was reached.
    pub sent_at: Option<DateTime<Utc>>,
    pub since: DateTime<Utc>,
}

impl Message {
    pub fn sid(&self) -> String {
        format!("SM{:032x}", self.id)
    }

    /// How it stands now.
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        let age = (now - self.at).to_std().unwrap_or_default();
        let fails = matches!(self.fate.ending, Ending::Failed(_));
        let sent_at = (age >= self.fate.sent && !fails).then(|| self.at + self.fate.sent);
        let (status, error, since) = if age >= self.fate.done {
            let (status, error) = self.fate.ending.told();
            (status, error, self.at + self.fate.done)
        } else if let Some(sent_at) = sent_at {
            ("sent", None, sent_at)
        } else {
            (self.first_status(), None, self.at)
        };
        Standing {
            status,
            error,
            sent_at,
            since,
        }
    }

    /// A Messaging Service has to choose a sender yet.
    pub fn first_status(&self) -> &'static str {
        if self.service.is_some() {
            "accepted"
        } else {
            "queued"
        }
    }

    /// Which receipts are posted, when: the time from its being taken, status and error code.
    pub fn receipts(&self) -> Vec<(Duration, &'static str, Option<u32>)> {
        let Fate {
            sent,
            ending,
            told_done,
            ..
        } = self.fate;
        if self.fate.untold {
            return Vec::new();
        }
        let (status, error) = ending.told();
        let mut receipts = vec![(Duration::ZERO, self.first_status(), None)];
        if !matches!(ending, Ending::Failed(_)) {
            receipts.push((sent, "sent", None));
        }
        receipts.push((told_done, status, error));
        if self.fate.disordered {
            let times: Vec<_> = receipts.iter().map(|(after, ..)| *after).rev().collect();
            for (receipt, after) in receipts.iter_mut().zip(times) {
                receipt.0 = after;
            }
        }
        if self.fate.repeated {
            receipts.extend(receipts.clone().into_iter().map(again));
        }
        receipts
    }

    /// How many SMS it is on the networks.
    pub fn segments(&self) -> usize {
        segments(&self.body)
    }

    /// What it costs, once it is sent.
    pub fn price(&self) -> f64 {
        PRICE * self.segments() as f64
    }

    /// What makes two messages to a number the same one: the code in them, for a text may say how long it is good
    /// for; or the whole text.
    pub fn essence(&self) -> &str {
        let mut runs = self.body.split(|character: char| !character.is_ascii_digit());
        runs.find(|run| (4..=10).contains(&run.len()))
            .unwrap_or(&self.body)
    }
}

impl Ending {
    fn told(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Delivered => ("delivered", None),
            Self::Undelivered(code) => ("undelivered", code),
            Self::Failed(code) => ("failed", code),
        }
    }
}

fn again<T>((after, status, error): (Duration, T, Option<u32>)) -> (Duration, T, Option<u32>) {
    (after + Duration::from_millis(700), status, error)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn message(ending: Ending) -> Message {
        Message {
            id: 1,
            account: String::new(),
            from: None,
            service: None,
            to: String::new(),
            body: "Code: 123456. It expires in 10 minutes.".to_owned(),
            at: DateTime::default(),
            fate: Fate {
                sent: Duration::from_secs(1),
                done: Duration::from_secs(2),
                ending,
                told_done: Duration::from_secs(3),
                repeated: false,
                disordered: false,
                untold: false,
                tries: 1,
            },
        }
    }

    fn over_time(message: &Message) -> Vec<&'static str> {
        let after = |seconds| message.at + TimeDelta::seconds(seconds);
        (0..=2)
            .map(|seconds| message.standing(after(seconds)).status)
            .collect()
    }

    fn told(message: &Message) -> Vec<(u128, &'static str)> {
        let receipts = message.receipts().into_iter();
        receipts
            .map(|(after, status, _)| (after.as_millis(), status))
            .collect()
    }

    #[test]
    fn a_message_goes_its_way_and_receipts_tell_of_it() {
        let mut one = message(Ending::Delivered);
        assert_eq!(over_time(&one), ["queued", "sent", "delivered"]);
        assert_eq!(told(&one), [(0, "queued"), (1000, "sent"), (3000, "delivered")]);
        one.fate.disordered = true;
        assert_eq!(told(&one), [(3000, "queued"), (1000, "sent"), (0, "delivered")]);
        one.fate.repeated = true;
        assert_eq!(
            told(&one)[3..],
            [(3700, "queued"), (1700, "sent"), (700, "delivered")]
        );
        one.fate.untold = true;
        assert_eq!(told(&one), []);

        let failed = message(Ending::Failed(Some(30008)));
        assert_eq!(over_time(&failed), ["queued", "queued", "failed"]);
        assert_eq!(
            failed.standing(failed.at + TimeDelta::seconds(9)).error,
            Some(30008)
        );
        assert_eq!(failed.receipts().len(), 2);
    }

    #[test]
    fn segments_are_counted_in_both_alphabets() {
        let mut one = message(Ending::Delivered);
        for (body, segments) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("€".repeat(80), 1),
            ("Ж".repeat(70), 1),
            ("Ж".repeat(71), 2),
            ("😀".repeat(36), 2),
        ] {
            one.body = body;
            assert_eq!(one.segments(), segments, "{}", one.body);
        }
    }

    #[test]
    fn the_same_code_is_the_same_message() {
        let (one, mut other) = (message(Ending::Delivered), message(Ending::Delivered));
        other.body = one.body.replace("10 minutes", "9 minutes");
        assert_eq!(one.essence(), other.essence());
        other.body = other.body.replace("123456", "123457");
        assert_ne!(one.essence(), other.essence());
        other.body = "Hello".to_owned();
        assert_eq!(other.essence(), "Hello");
    }
}
