//! What administrators read of the ledger: single rows, and what they add up to.
//!
//! | file | what it is about |
//! |---|---|
//! | `store.rs` | the contract of the reader, a row as it is kept, and which are asked for |
//! | `postgres.rs`, `sqlite.rs` | the two readers |

mod postgres;
mod sqlite;
mod store;

pub use postgres::PostgresLedgerReader;
pub use sqlite::SqliteLedgerReader;
pub use store::{HourOfMessages, LedgerReader, MessageGroup, StoredVerification, VerificationFilter};
