//! All that is kept about a user: given to them, and erased.
//!
//! | file | what it is about |
//! |---|---|
//! | `tables.rs` | every column of every table that has something about a user, and what becomes of it in an export |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |
//! | `leave.rs` | what a signed-in user asks for |
//! | `unused.rs` | accounts that never proved anything and that nobody used for long |

mod leave;
mod postgres;
mod sqlite;
mod store;
mod tables;
mod unused;

pub use leave::Leave;
pub use postgres::PostgresRecords;
pub use sqlite::SqliteRecords;
pub use store::{Erased, ErasedBy, Erasure, RecordStore, UnusedPage, UnusedSince};
pub use tables::{Column, Kept, TABLES, Table};
pub use unused::UnusedAccounts;
