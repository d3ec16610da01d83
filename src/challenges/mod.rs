//! One-time passwords: issued, judged and used up in one atomic step each, by the store that holds them.
//!
//! `service.rs` is the way of a code; `store.rs` the contract of what keeps challenges, with two adapters, `redis.rs`
//! (and its scripts) and `memory.rs`; `challenge.rs` the rules of the latter; `record.rs` how Redis keeps a slot, and
//! `address.rs` where; `challenge_id.rs` how an id leads there; `code.rs` the code itself; `outbox/` what is owed;
//! `status/` what is told of its SMS.

mod address;
mod challenge;
mod challenge_id;
mod code;
mod error;
mod explain;
mod memory;
mod outbox;
mod progress;
mod recipients;
mod record;
mod redis;
mod service;
mod status;
mod store;
mod test_numbers;

pub use address::SlotAddress;
pub use challenge_id::{challenge_id, places};
pub use code::{CodeDigest, OtpCode};
pub use error::OtpError;
pub use memory::MemoryChallenges;
pub use progress::Progress;
pub use recipients::Recipients;
pub use redis::RedisChallenges;
pub use service::{Caller, Otp, Sent};
pub use status::{Course, Courses, DeliveryStatus, End, News, Stage, StatusReports, Statuses, Whereabouts};
pub use store::{
    Attempt, ChallengeStore, Delivery, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Slot, Verdict,
    Waits,
};
pub use test_numbers::TestNumbers;
