//! What administrators read of events, and the events of what they did that changed no account.
//!
//! | file | what it is about |
//! |---|---|
//! | `store.rs` | the contract of the log, an event as it is kept, and which are asked for |
//! | `postgres.rs`, `sqlite.rs` | the two logs |

mod postgres;
mod sqlite;
mod store;

pub use postgres::PostgresEventLog;
pub use sqlite::SqliteEventLog;
pub use store::{EventCount, EventFilter, EventLog, RefusedClient, StoredEvent};
