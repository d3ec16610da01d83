//! What is told of a challenge, and how it adds up to a row: in any order, and once or twice, to the same.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{phone::Country, provider::Price};

/// How far a challenge came; what is further wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Issued,
    Sent,
    Failed,
    Undelivered,
    Delivered,
    Verified,
}

impl State {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Delivered => "delivered",
            Self::Verified => "verified",
        }
    }
}

/// Something that happened to a challenge that has an SMS; decoys are told of to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub challenge_id: Uuid,
    pub at: DateTime<Utc>,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Its SMS is owed.
    Issued { user_id: Uuid, country: Country },
    /// Its SMS came so far.
    Carried {
        state: State,
        provider: &'static str,
        /// The provider's id of the message; empty if he told none.
        message_id: String,
        /// The provider's own error code.
        code: Option<u32>,
        price: Option<Price>,
    },
    /// A wrong code was entered, the last of so many.
    Wrong { attempts: u8 },
    /// The right code was entered, and its phone verified.
    Verified,
}

/// What is known of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub challenge_id: Uuid,
    pub user_id: Option<Uuid>,
    pub country: Option<Country>,
    pub provider: Option<&'static str>,
    pub message_id: Option<String>,
    pub state: State,
    pub attempts: u8,
    pub error_code: Option<u32>,
    pub price: Option<Price>,
    /// The earliest that was told of it.
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub verified_at: Option<DateTime<Utc>>,
}

impl Row {
    /// What one event tells.
    pub fn of(event: Event) -> Self {
        let mut row = Self {
            challenge_id: event.challenge_id,
            user_id: None,
            country: None,
            provider: None,
            message_id: None,
            state: State::Issued,
            attempts: 0,
            error_code: None,
            price: None,
            created_at: event.at,
            sent_at: None,
            delivered_at: None,
            verified_at: None,
        };
        row.add(event);
        row
    }

    /// Adds what another event of the same challenge tells.
    pub fn add(&mut self, event: Event) {
        let at = event.at;
        self.created_at = self.created_at.min(at);
        let earlier = |known: Option<DateTime<Utc>>| Some(known.map_or(at, |known| known.min(at)));
        match event.what {
            What::Issued { user_id, country } => {
                self.user_id = Some(user_id);
                self.country = Some(country);
            }
            What::Carried {
                state,
                provider,
                message_id,
                code,
                price,
            } => {
                self.state = self.state.max(state);
                self.provider = Some(provider);
                if !message_id.is_empty() {
                    self.message_id = Some(message_id);
                }
                self.error_code = code.or(self.error_code);
                self.price = price.or(self.price.take());
                match state {
                    State::Sent => self.sent_at = earlier(self.sent_at),
                    State::Delivered => self.delivered_at = earlier(self.delivered_at),
                    State::Issued | State::Failed | State::Undelivered | State::Verified => {}
                }
            }
            What::Wrong { attempts } => self.attempts = self.attempts.max(attempts),
            What::Verified => {
                self.state = State::Verified;
                self.verified_at = earlier(self.verified_at);
            }
        }
    }
}
