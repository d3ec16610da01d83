//! Notices to users: written with the change they tell of, leased by whoever sends them, deleted once a provider has them.
//!
//! | file | what it is about |
//! |---|---|
//! | `notice.rs` | a notice that is to be sent |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores; `tests/accounts/notices.rs` holds both to the contract |

mod notice;
mod postgres;
mod sqlite;
mod store;

pub use notice::{NewNotice, NoticeAddress, NoticeKind};
pub use postgres::PostgresNotices;
pub use sqlite::SqliteNotices;
pub use store::{LeasedNotice, NoticeStore};
