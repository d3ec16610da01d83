//! One-time passwords: issued, judged and used up in one atomic step each, by the store that holds them.
//!
//! `service.rs` is the way of a code; `store.rs` the contract of what keeps challenges, with two adapters, `redis.rs`
//! (and its scripts) and `memory.rs`; `challenge.rs` the rules of the latter; `code.rs` the code itself.

mod challenge;
mod code;
mod explain;
mod memory;
mod redis;
mod service;
mod store;

pub use code::{CodeDigest, OtpCode};
pub use memory::MemoryChallenges;
pub use redis::RedisChallenges;
pub use service::{Caller, Otp, OtpError, Recipients, Sent};
pub use store::{
    Attempt, ChallengeStore, Delivery, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Slot, Verdict,
    Waits,
};
