//! Getting a code to a phone: no accepted SMS is lost, none is sent for nothing, and nobody waits for the provider.
//!
//! An SMS comes in by [`SmsQueue`] from whoever issued the code, or out of the [`Outbox`] when the instance that had
//! it is gone. In reading order:
//!
//! | file | holds |
//! |---|---|
//! | `provider.rs` | what a provider is asked, and what it may answer |
//! | `route.rs` | which provider may carry SMS to which countries |
//! | `outbox.rs` | what is owed: kept by the store of the codes, leased to one instance at a time |
//! | `text/` | what the SMS says: languages, templates, segments |
//! | `reports.rs` | who is told what became of each SMS |
//! | `job.rs` | an errand, and how it may end |
//! | `dispatcher.rs` | the state machine: what happens in a job's life, with no I/O; `steps.rs` has its words |
//! | `switchboard.rs` | which provider carries which SMS, by `route.rs`, `pace.rs` and `breaker.rs` |
//! | `courier.rs` | the I/O that the state machine asks for |
//! | `actor.rs`, `queue.rs`, `gate.rs` | the actor around both, its handle, and what that knows of the providers |
//! | `wire.rs`, `remedy.rs` | the way to a provider over HTTP, and what to do about its errors |
//! | `twilio.rs`, `twilio_errors.rs`, `twilio_list.rs` | the provider Twilio, what its error codes mean, and whether it has a message |
//! | `twilio_signature.rs`, `receipts.rs` | how Twilio signs what it sends, and what it tells of messages later |
//! | `vonage.rs`, `vonage_errors.rs` | the provider Vonage, and what its error codes mean |
//! | `webhook.rs`, `webhook_keys.rs` | a gateway of the operator's own, called by a signed webhook, and its signature |
//! | `inbox.rs` | the provider that delivers to a page of this service, for development |

mod actor;
mod breaker;
mod courier;
mod dispatcher;
mod gate;
mod handover;
mod inbox;
mod job;
mod outbox;
mod pace;
mod provider;
mod queue;
mod receipts;
mod remedy;
mod reports;
mod route;
mod steps;
mod switchboard;
mod text;
mod twilio;
mod twilio_errors;
mod twilio_list;
mod twilio_signature;
mod vonage;
mod vonage_errors;
mod webhook;
mod webhook_keys;
mod wire;

use std::{fmt, time::Duration};

pub use breaker::Health;
pub use inbox::{DevInbox, InboxMessage};
pub use outbox::{CodeBook, Lease, Outbox, OutboxEntry, Recipient, SmsCode};
pub use provider::{FailureKind, FailureReason, Outcome, Sighting, SmsProvider};
pub use queue::{DispatcherOptions, DispatcherParts, QueueSlot, SmsJob, SmsQueue, SmsStatus};
pub use receipts::{Arrival, Forged, Price, Receipt, TwilioReceipts};
pub use reports::{SmsReport, SmsReports, SmsState};
pub use route::{Countries, Route};
pub use text::{Brand, BrandError, Language, TextFault, TextOptions, Texts, segments, septets};
pub use twilio::{Twilio, TwilioOptions};
pub use twilio_signature::twilio_signature;
pub use vonage::{Vonage, VonageOptions};
pub use webhook::{Webhook, WebhookOptions};
pub use webhook_keys::WebhookKeys;
pub use wire::ProviderError;

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
