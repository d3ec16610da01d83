//! What is sent and whom to: found again from an outbox entry by whoever knows purposes, accounts and texts.

use std::time::Duration;

use async_trait::async_trait;

use super::OutboxEntry;
use crate::{
    channel::{Channel, MessageCode},
    email::EmailAddress,
    mail::EmailMessage,
    phone::PhoneNumber,
    sms::SmsMessage,
    unavailable::Unavailable,
};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    Phone(PhoneNumber),
    Email(EmailAddress),
}

impl Destination {
    /// The channel that leads there.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Phone(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }

    /// The address as it was typed, a phone in E.164.
    pub fn expose(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.expose(),
            Self::Email(email) => email.expose(),
        }
    }
}

/// Whom a message goes to, and the code that it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub to: Destination,
    pub code: MessageCode,
}

/// A message, ready for a provider of its channel.
#[derive(Debug, Clone)]
pub enum Message {
    Sms(SmsMessage),
    Email(EmailMessage),
}

/// The way from an outbox entry, which holds no code and no address that can be read, to the message.
#[async_trait]
pub trait Messages: Send + Sync {
    /// The address that the entry's challenge is for, if its user still claims it or no account has it yet, and the code
    /// derived again. MUST answer `None` where nobody is to get it any more: the entry is dropped then.
    ///
    /// # Errors
    /// [`Unavailable`] when the users' store is down, or the secret is not known here: asked again later, or by another
    /// instance.
    async fn recipient(&self, entry: &OutboxEntry) -> Result<Option<Recipient>, Unavailable>;

    /// Words the message, whose code is good for `life` more. MUST be a message of the destination's channel.
    fn compose(&self, entry: &OutboxEntry, recipient: &Recipient, life: Duration) -> Message;
}
