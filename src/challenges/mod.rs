//! One-time passwords: issued, judged and used up in one atomic step each, by the store that holds them.
//!
//! A challenge is a purpose × an address × whose it is. What may ask for one and what a right code does is for a flow; how
//! its message travels is for delivery.
//!
//! | file | holds |
//! |---|---|
//! | `purpose.rs`, `policy.rs` | what codes are for, and what holds for each purpose |
//! | `destination.rs`, `slot.rs` | the digest of an address; where a challenge is kept |
//! | `challenge_id.rs` | how an id leads there |
//! | `code.rs` | the code itself |
//! | `service.rs` | issues, judges, reinstates |
//! | `entry.rs` | from an outbox entry back to its address and code |
//! | `store.rs` | the contract of what keeps challenges |
//! | `state.rs` | the rules of a slot, as plain arithmetic |
//! | `pools.rs` | wrong codes across challenges: where each counts, and how many lock what |
//! | `release.rs` | what an operator has forgotten |
//! | `status.rs` | what is told of a challenge's message |
//! | `millis.rs` | times as the stores count them |
//! | `redis/`, `memory/` | the two stores, each with its outbox; `tests/challenges` holds both to the contract |

mod challenge_id;
mod code;
mod destination;
mod entry;
mod memory;
mod millis;
mod policy;
mod pools;
mod purpose;
mod redis;
mod release;
mod service;
mod slot;
mod state;
mod status;
mod store;

pub use challenge_id::{candidate_slots, challenge_id};
pub use code::{CodeDigest, OtpCode};
pub use destination::DestinationDigest;
pub use memory::MemoryChallenges;
pub use policy::{Found, Policy};
pub use purpose::Purpose;
pub use redis::RedisChallenges;
pub use service::{Challenges, Guess, GuessById, Issuance, NewChallenge, NewCode};
pub use slot::{Slot, Whose};
pub use status::{StatusSnapshot, Waits};
pub use store::{
    Attempt, AttemptById, ChallengeStore, Hold, Issue, IssueOutcome, Issued, IssuedMessage, Judged, OtpRules,
    Place, Proof, Verdict, WhenFull,
};
