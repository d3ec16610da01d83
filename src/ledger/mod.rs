//! The ledger: what became of each message and its code, for whoever looks into a bill or a complaint later. It holds
//! neither codes nor addresses.
//!
//! Nobody waits for it: whoever has something to tell puts it into a bounded queue, and a task writes many at once.
//! What it can't take is dropped and counted; codes are judged and messages sent all the same.
//!
//! | file | holds |
//! |---|---|
//! | `row.rs` | what is told, and how it adds up, whatever its order |
//! | `writer.rs` | the queue, its handle, and the task that writes |
//! | `reader/` | what administrators read of it |
//! | `store.rs` | the store's contract |
//! | `postgres.rs`, `sqlite.rs` | the two stores, on the accounts' connections; `tests/accounts/ledger.rs` holds both to the contract |

mod postgres;
mod reader;
mod row;
mod sqlite;
mod store;
mod writer;

pub use postgres::PostgresLedger;
pub use reader::{
    HourOfMessages, LedgerReader, MessageGroup, PostgresLedgerReader, SqliteLedgerReader, StoredVerification,
    VerificationFilter,
};
pub use row::{Event, Row, What};
pub use sqlite::SqliteLedger;
pub use store::LedgerStore;
pub use writer::{Ledger, LedgerOptions};
