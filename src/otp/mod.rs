//! One-time passwords: issued, judged and used up in one atomic step each, by the store that holds them.
//!
//! `service.rs` is the way of a code; `store.rs` the contract of what keeps challenges, with two adapters, `redis.rs`
//! (and its scripts) and `memory.rs`; `challenge.rs` the rules of the latter; `code.rs` the code itself; `status/` what is
//! told of its SMS.

mod challenge;
mod code;
mod error;
mod explain;
mod memory;
mod progress;
mod recipients;
mod redis;
mod service;
mod status;
mod store;
mod test_numbers;

pub use code::{CodeDigest, OtpCode};
pub use error::OtpError;
pub use memory::MemoryChallenges;
pub use progress::Progress;
pub use recipients::Recipients;
pub use redis::RedisChallenges;
pub use service::{Caller, Otp, Sent};
pub use status::{
    Course, Courses, DeliveryStatus, End, News, Stage, StatusReports, Statuses, Whereabouts, challenge_id,
};
pub use store::{
    Attempt, ChallengeStore, Delivery, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Slot, Verdict,
    Waits,
};
pub use test_numbers::TestNumbers;
