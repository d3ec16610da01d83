//! Refusals: failed logins, wrong codes, requests over a limit. They are many, so they are counted in this process, and one
//! row says how many there were of a kind, a key and a minute.
//!
//! Nobody waits for it: to note one is a step under a lock. A flood is bounded: a minute has so many keys, and all further
//! ones are counted together.
//!
//! | file | what it is about |
//! |---|---|
//! | `row.rs` | what refusals are counted by, and the row that comes of it |
//! | `tally.rs` | the counts of this minute, and what waits to be written |
//! | `writer.rs` | writes each minute once it is over |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores; `tests/accounts/refusals.rs` holds both to the contract |

mod postgres;
mod row;
mod sqlite;
mod store;
mod tally;
mod writer;

pub use postgres::PostgresRefusals;
pub use row::{RefusalKey, RefusalRow};
pub use sqlite::SqliteRefusals;
pub use store::RefusalStore;
pub use tally::RefusalTally;
pub use writer::{flush_refusals, write_refusals};
