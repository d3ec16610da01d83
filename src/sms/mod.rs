//! SMS: what they say, and who carries them.
//!
//! | file | holds |
//! |---|---|
//! | `texts.rs` | what an SMS with a code says, by the text's name and the reader's language |
//! | `notices.rs` | the same for one without a code |
//! | `segments.rs` | what a text costs: its alphabet, and how many segments it fills |
//! | `providers/` | who takes it to the networks |

mod notices;
mod providers;
mod segments;
mod texts;

use std::time::Duration;

pub use notices::NoticeTexts;
pub use providers::{
    Twilio, TwilioKey, TwilioOptions, TwilioReceipts, Vonage, VonageOptions, Webhook, WebhookOptions,
    is_twilio_sender, twilio_signature,
};
pub use segments::{segments, septets};
pub use texts::{TextOptions, Texts};

use uuid::Uuid;

use crate::{channel::MessageText, phone::PhoneNumber};

/// One SMS, ready for a provider.
#[derive(Debug, Clone)]
pub struct SmsMessage {
    /// The challenge that it carries the code of, or the notice that it is: names the message to a provider that takes a name, so that the same
    /// message twice can be told.
    pub reference: Uuid,
    /// Whom it goes to.
    pub to: PhoneNumber,
    /// What it says.
    pub body: MessageText,
    /// How long it is of use: delivered later than this, it would only confuse.
    pub valid_for: Duration,
}
