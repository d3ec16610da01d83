//! All that is kept about a user: given to them, and erased.
//!
//! | file | what it is about |
//! |---|---|
//! | `tables.rs` | every column of every table that has something about a user, and what becomes of it in an export |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |
//! | `leave.rs` | what a signed-in user asks for |

mod leave;
mod postgres;
mod sqlite;
mod store;
mod tables;

pub use leave::Leave;
pub use postgres::PostgresRecords;
pub use sqlite::SqliteRecords;
pub use store::{Erased, ErasedBy, Erasure, RecordStore};
pub use tables::{Column, Kept, TABLES, Table};
