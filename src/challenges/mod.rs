//! One-time passwords: issued, judged and used up in one atomic step each, by the store that holds them.
//!
//! | file | holds |
//! |---|---|
//! | `slot.rs` | what a challenge is for, and where it is kept |
//! | `challenge_id.rs` | how an id leads there |
//! | `code.rs` | the code itself |
//! | `store.rs` | the contract of what keeps challenges |
//! | `state.rs` | the rules of a slot, as plain arithmetic |
//! | `redis/`, `memory/` | the two stores, with the outbox and the statuses; `tests/challenges` holds both to the contract |
//! | `status/` | what is told of a challenge's SMS |

mod challenge_id;
mod code;
mod memory;
mod redis;
mod slot;
mod state;
mod status;
mod store;

pub use challenge_id::{challenge_id, places, secret_of};
pub use code::{CodeDigest, OtpCode};
pub use memory::MemoryChallenges;
pub use redis::RedisChallenges;
pub use slot::Slot;
pub use status::{Course, Courses, End, News, Stage, Statuses, Whereabouts};
pub use store::{
    Attempt, ChallengeStore, Delivery, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Verdict, Waits,
};
