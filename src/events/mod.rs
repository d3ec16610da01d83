//! Events: what happened to accounts, and who is told. Each change of an account, a session, a proof or a lock is one row,
//! written in the transaction of the change by the very store that makes it. Nothing changes or deletes a row but
//! retention, and erasure, which takes out whose it was.
//!
//! A caller makes a [`NewEvent`] (what, when, by whom) and passes it to the store's method; the store fills in whose
//! account it is about, writes it if and only if it changes something, and counts it once it is committed.
//!
//! | file | what it is about |
//! |---|---|
//! | `event.rs` | an event that is to be written: its kind, by whom and from where, its details |
//! | `refusals/` | what was refused, counted together: a row for each kind, key and minute |
//! | `log/` | what administrators read, and what they did that changed no account |
//! | `notices/` | notices to whoever owns an account's address: what they are, and where they wait |
//! | `outgoing/` | events that go out by signed webhooks |
//! | `postgres.rs` | both as parts of one statement, or as statements of their own in a transaction; the store of events |
//! | `sqlite.rs` | both as statements in a transaction; the store of events |

mod event;
mod log;
mod notices;
mod outgoing;
pub mod postgres;
mod refusals;
pub mod sqlite;

pub use event::{Actor, Detail, EventKind, NewEvent, Source};
pub use log::{
    EventCount, EventFilter, EventLog, PostgresEventLog, RefusedClient, SqliteEventLog, StoredEvent,
};
pub use notices::{
    LeasedNotice, NewNotice, NoticeAddress, NoticeKind, NoticeStore, PostgresNotices, SqliteNotices,
};
pub use outgoing::{
    EventKinds, EventSender, EventWebhook, KindError, LeasedEvent, OutgoingEvent, OutgoingStore,
    PostgresOutgoing, Replayed, SqliteOutgoing,
};
pub use postgres::PostgresEvents;
pub use refusals::{
    PostgresRefusals, RefusalKey, RefusalRow, RefusalStore, RefusalTally, SqliteRefusals, flush_refusals,
    write_refusals,
};
pub use sqlite::SqliteEvents;
