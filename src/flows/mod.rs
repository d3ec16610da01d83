//! What codes are for: who may have one, and what a right one does.
//!
//! | file | holds |
//! |---|---|
//! | `verify_phone.rs`, `verify_email.rs` | proving a phone, an e-mail address |
//! | `sign_in_by_code.rs`, `reset_password.rs` | signing in, and setting a password anew |
//! | `open_account.rs` | what these two have in common |
//! | `change_phone.rs`, `change_email.rs` | changing a phone, an e-mail address |
//! | `pending.rs` | what these two have in common |
//! | `administer.rs` | the second proof of an administrator |
//! | `register.rs` | making an account, with a code or without |
//! | `asked.rs` | a code that is asked for: where, who may have it, what it does |
//! | `codes.rs` | what every flow does: admit, issue, hand over; judge, let take effect |
//! | `by_id.rs` | codes that are typed with the ids of their challenges |
//! | `guesses.rs` | the log's lines on codes that somebody guesses |
//! | `status.rs`, `reports.rs` | how far a message has come: who may know it, and who tells it |
//! | `messages.rs` | from an outbox entry back to the message, for delivery |
//! | `notices.rs` | sends notices of changes: messages without a code |
//! | `test_numbers.rs` | phones whose code is known beforehand |
//! | `supported.rs` | which addresses may have a code at all |
//! | `metrics.rs` | what is counted of codes |
//! | `late_receipts.rs` | receipts that come while the store is down |
//! | `explain.rs`, `release.rs` | what operators ask, and do |
//! | `refusals.rs` | what the OTP rules themselves refuse |
//! | `work.rs` | proofs of work that are asked for, and brought |
//! | `refunds.rs` | what a right code gives back to the limits |
//! | `error.rs` | why a code was not sent or not taken |

mod administer;
mod asked;
mod by_id;
mod change_email;
mod change_phone;
mod codes;
mod error;
mod explain;
mod guesses;
mod late_receipts;
mod messages;
mod metrics;
mod notices;
mod open_account;
mod pending;
mod refunds;
mod refusals;
mod register;
mod release;
mod reports;
mod reset_password;
mod sign_in_by_code;
mod status;
mod supported;
mod test_numbers;
mod verify_email;
mod verify_phone;
mod work;

use std::sync::Arc;

pub use administer::Administer;
pub use asked::Caller;
pub use by_id::TypedById;
pub use change_email::ChangeEmail;
pub use change_phone::ChangePhone;
pub use codes::{Codes, Sent, Typed};
pub use error::{FlowError, MayNotAdminister, Unsupported};
pub use late_receipts::LateReceipts;
pub use messages::FlowMessages;
pub use notices::Notices;
pub use open_account::AccountOpener;
pub use pending::Changer;
pub use register::Register;
pub use reports::StatusReports;
pub use reset_password::ResetPassword;
pub use sign_in_by_code::SignInByCode;
pub use status::Progress;
pub use supported::Supported;
pub use test_numbers::TestNumbers;
pub use verify_email::VerifyEmail;
pub use verify_phone::VerifyPhone;

/// Has what is counted of codes stand at nought before the first of them.
pub fn begin_metrics() {
    metrics::begin_at_zero();
}

/// All flows, and what they share.
pub struct Flows {
    pub codes: Arc<Codes>,
    pub administer: Administer,
    pub reset_password: ResetPassword,
    pub sign_in_by_code: SignInByCode,
    pub change_email: ChangeEmail,
    pub change_phone: ChangePhone,
    pub register: Register,
    pub verify_email: VerifyEmail,
    pub verify_phone: VerifyPhone,
}
