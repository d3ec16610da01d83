//! What is told of a challenge, and how it adds up to a row: in any order, and once or twice, to the same.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    channel::Channel,
    phone::Country,
    provider::{DeliveryStatus, Price},
};

/// Something that happened to a challenge that has a message; nobody is told of decoys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub challenge_id: Uuid,
    pub at: DateTime<Utc>,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was issued: its message is queued.
    Issued {
        user_id: Option<Uuid>,
        /// What its code is for.
        purpose: &'static str,
        channel: Channel,
        /// Where a phone belongs; an e-mail address belongs nowhere.
        country: Option<Country>,
    },
    /// Its message came so far.
    Carried {
        status: DeliveryStatus,
        provider: &'static str,
        /// The provider's id of the message; empty if it gave none.
        message_id: String,
        /// The provider's own error code.
        error_code: Option<u32>,
        price: Option<Price>,
    },
    /// A wrong code was entered, the last of so many.
    Wrong { attempts: u8 },
    /// The right code was entered, and took effect.
    Verified,
}

/// What is known of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub challenge_id: Uuid,
    pub user_id: Option<Uuid>,
    pub purpose: Option<&'static str>,
    pub channel: Option<Channel>,
    pub country: Option<Country>,
    pub provider: Option<&'static str>,
    pub message_id: Option<String>,
    /// The furthest that was told; of those that are final, the one that came first.
    pub status: DeliveryStatus,
    pub attempts: u8,
    /// The provider's own, of this very status.
    pub error_code: Option<u32>,
    pub price: Option<Price>,
    /// The earliest that was told of it.
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// When the status became final.
    pub settled_at: Option<DateTime<Utc>>,
    pub verified_at: Option<DateTime<Utc>>,
}

impl Row {
    /// What one event tells.
    pub fn of(event: Event) -> Self {
        let mut row = Self::empty(event.challenge_id, event.at);
        row.add(event);
        row
    }

    fn empty(challenge_id: Uuid, created_at: DateTime<Utc>) -> Self {
        Self {
            challenge_id,
            user_id: None,
            purpose: None,
            channel: None,
            country: None,
            provider: None,
            message_id: None,
            status: DeliveryStatus::Queued,
            attempts: 0,
            error_code: None,
            price: None,
            created_at,
            sent_at: None,
            settled_at: None,
            verified_at: None,
        }
    }

    /// Whether it tells of what was typed alone: of a challenge whose row is there already, most often.
    pub(super) fn tells_of_typing_alone(&self) -> bool {
        let untouched = Self {
            attempts: self.attempts,
            verified_at: self.verified_at,
            ..Self::empty(self.challenge_id, self.created_at)
        };
        *self == untouched
    }

    /// Adds what another event of the same challenge tells.
    pub fn add(&mut self, event: Event) {
        let at = event.at;
        self.created_at = self.created_at.min(at);
        let earlier = |known: Option<DateTime<Utc>>| Some(known.map_or(at, |known| known.min(at)));
        match event.what {
            What::Issued {
                user_id,
                purpose,
                channel,
                country,
            } => {
                self.user_id = user_id;
                self.purpose = Some(purpose);
                self.channel = Some(channel);
                self.country = country;
            }
            What::Carried {
                status,
                provider,
                message_id,
                error_code,
                price,
            } => {
                self.provider = Some(provider);
                if !message_id.is_empty() {
                    self.message_id = Some(message_id);
                }
                self.price = price.or(self.price.take());
                match status {
                    DeliveryStatus::Queued => {}
                    DeliveryStatus::Sent => {
                        self.sent_at = earlier(self.sent_at);
                        if self.settled_at.is_none() {
                            self.status = status;
                        }
                    }
                    DeliveryStatus::Delivered | DeliveryStatus::Undelivered | DeliveryStatus::Failed => {
                        if self.settled_at.is_none_or(|settled_at| at < settled_at) {
                            (self.status, self.error_code) = (status, error_code);
                            self.settled_at = Some(at);
                        }
                    }
                }
            }
            What::Wrong { attempts } => self.attempts = self.attempts.max(attempts),
            What::Verified => self.verified_at = earlier(self.verified_at),
        }
    }
}
