//! Proofs of phones and e-mail addresses: who claims one, and who has proven it by a code.
//!
//! | file | what it is about |
//! |---|---|
//! | `claim.rs` | who claims a phone or has an e-mail address, and what becomes of a proof |
//! | `store.rs` | the contract of the store |
//! | `miss.rs` | why a phone could not be marked as verified |
//! | `batch/` | right codes for phones that are marked together, in PostgreSQL |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod batch;
mod claim;
mod miss;
mod postgres;
mod sqlite;
mod store;

pub use claim::{Claimant, Claims, EmailHolder, EmailVerification, Verification};
pub use postgres::PostgresProofs;
pub use sqlite::SqliteProofs;
pub use store::ProofStore;
