//! Who takes SMS to the networks. Each has what it is asked by, and its error codes in words of ours.
//!
//! | file | holds |
//! |---|---|
//! | `remedy.rs` | what to do about the errors of a provider over HTTP (`src/wire.rs` is the way there) |
//! | `twilio/` | the provider Twilio: its error codes, whether it has a message, its receipts and how it signs them |
//! | `vonage/` | the provider Vonage, and what its error codes mean |
//! | `webhook.rs` | a gateway of the operator's own, called by a signed webhook |
//! | `inbox.rs` | the provider that delivers to a page of this service, for development |

mod inbox;
mod remedy;
mod twilio;
mod vonage;
mod webhook;

pub use twilio::{Twilio, TwilioKey, TwilioOptions, TwilioReceipts, is_twilio_sender, twilio_signature};
pub use vonage::{Vonage, VonageOptions};
pub use webhook::{Webhook, WebhookOptions};
