//! SMS: what they say, and who carries them.
//!
//! | file | holds |
//! |---|---|
//! | `text/` | what the SMS says: languages, templates, segments |
//! | `providers/` | who takes it to the networks |

mod providers;
mod text;

use std::time::Duration;

pub use providers::{
    DevInbox, Forged, InboxMessage, ProviderError, Twilio, TwilioKey, TwilioOptions, TwilioReceipts, Vonage,
    VonageOptions, Webhook, WebhookKeys, WebhookOptions, is_twilio_sender, twilio_signature,
};
pub use text::{Brand, BrandError, TextFault, TextOptions, Texts, segments, septets};

use uuid::Uuid;

use crate::{channel::MessageText, phone::PhoneNumber};

/// One SMS, ready for a provider.
#[derive(Debug, Clone)]
pub struct SmsMessage {
    /// The challenge that it carries the code of: names the message to a provider that takes a name, so that the same
    /// message twice can be told.
    pub reference: Uuid,
    /// Whom it goes to.
    pub to: PhoneNumber,
    /// What it says.
    pub body: MessageText,
    /// How long it is of use: delivered later than this, it would only confuse.
    pub valid_for: Duration,
}
