//! An account's phone or e-mail address becomes another one, or its own that somebody else had: a code has proven it.
//!
//! | file | what it is about |
//! |---|---|
//! | `change.rs` | what is to be changed, and who loses what, as plain rules |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod change;
mod postgres;
mod sqlite;
mod store;

pub use change::{Changed, EmailChange, PhoneChange};
pub use postgres::PostgresChanges;
pub use sqlite::SqliteChanges;
pub use store::ChangeStore;
