//! What codes are for: who may have one, and what a right one does.
//!
//! | file | holds |
//! |---|---|
//! | `verify_phone.rs`, `verify_email.rs` | proving a phone, an e-mail address |
//! | `codes.rs` | what every flow does: admit, issue, hand over; judge, let take effect |
//! | `guesses.rs` | the log's lines on codes that somebody guesses |
//! | `status.rs`, `reports.rs` | how far a message has come: who may know it, and who tells it |
//! | `messages.rs` | from an outbox entry back to the message, for delivery |
//! | `notices.rs` | sends notices of changes: messages without a code |
//! | `test_numbers.rs` | phones whose code is known beforehand |
//! | `supported.rs` | which phones may have a code |
//! | `late_receipts.rs` | receipts that come while the store is down |
//! | `explain.rs`, `release.rs` | what operators ask, and do |
//! | `error.rs` | why a code was not sent or not taken |

mod codes;
mod error;
mod explain;
mod guesses;
mod late_receipts;
mod messages;
mod notices;
mod release;
mod reports;
mod status;
mod test_numbers;
mod verify_email;
mod verify_phone;

use std::sync::Arc;

pub use codes::{Caller, Codes, Sent, Typed};
pub use error::{FlowError, Unsupported};
pub use late_receipts::LateReceipts;
pub use messages::FlowMessages;
pub use notices::Notices;
pub use reports::StatusReports;
pub use status::Progress;
pub use test_numbers::TestNumbers;
pub use verify_email::VerifyEmail;
pub use verify_phone::VerifyPhone;

/// All flows, and what they share.
pub struct Flows {
    pub codes: Arc<Codes>,
    pub verify_email: VerifyEmail,
    pub verify_phone: VerifyPhone,
}
