//! Accounts as administrators find and see them.
//!
//! | file | what it is about |
//! |---|---|
//! | `search.rs` | what is looked for, and where a list goes on |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod postgres;
mod search;
mod sqlite;
mod store;

pub use postgres::PostgresDirectory;
pub use search::{AccountStatus, Search, SearchBy, SearchPlace};
pub use sqlite::SqliteDirectory;
pub use store::{AccountDetails, Directory};
