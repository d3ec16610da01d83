//! What codes are for: who may have one, and what a right one does.
//!
//! | file | holds |
//! |---|---|
//! | `otp.rs` | the way of a code, from the request to the SMS and from the typed digits to the verified phone |
//! | `progress.rs`, `reports.rs` | what is told of its SMS, and by whom |
//! | `recipients.rs` | whom an SMS goes to that is taken over |
//! | `test_numbers.rs` | phones whose code is known beforehand |
//! | `explain.rs` | what operators ask |

mod error;
mod explain;
mod otp;
mod progress;
mod recipients;
mod reports;
mod test_numbers;

pub use error::OtpError;
pub use otp::{Caller, Otp, Sent};
pub use progress::Progress;
pub use recipients::Recipients;
pub use reports::StatusReports;
pub use test_numbers::TestNumbers;
