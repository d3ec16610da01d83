//! SMS: what they say, and who carries them.
//!
//! | file | holds |
//! |---|---|
//! | `text/` | what the SMS says: languages, templates, segments |
//! | `providers/` | who takes it to the networks |

mod code;
mod providers;
mod text;

use std::{fmt, time::Duration};

pub use code::SmsCode;
pub use providers::{
    Arrival, DevInbox, Forged, InboxMessage, ProviderError, Receipt, Twilio, TwilioOptions, TwilioReceipts,
    Vonage, VonageOptions, Webhook, WebhookKeys, WebhookOptions, twilio_signature,
};
pub use text::{Brand, BrandError, TextFault, TextOptions, Texts, segments, septets};

use uuid::Uuid;

use crate::phone::PhoneNumber;

/// One SMS, ready for a provider.
#[derive(Debug, Clone)]
pub struct SmsMessage {
    /// The challenge that it carries the code of: names the message to a provider that takes a name, so that the same
    /// message twice can be told.
    pub reference: Uuid,
    /// Whom it goes to.
    pub to: PhoneNumber,
    /// What it says.
    pub body: MessageBody,
    /// How long it is of use: delivered later than this, it would only confuse.
    pub valid_for: Duration,
}

/// The text of an SMS. It holds a code, so `Debug` shows no more than its length.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody(String);

impl MessageBody {
    /// A body of this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text in clear, for the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageBody(•••, {} characters)", self.0.chars().count())
    }
}
