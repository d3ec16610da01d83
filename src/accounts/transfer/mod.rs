//! Many users at once: taken over from another system, and given to one. A user is a line of JSON on the way
//! (`docs/migrate-from-django.md` has its fields).
//!
//! | file | what it is about |
//! |---|---|
//! | `user.rs` | a user on the way: a line in, a line out |
//! | `fields.rs` | the fields of a line, as they are read |
//! | `lines.rs` | a file of lines, read twice in bounded memory; what has no place to go back to is kept aside |
//! | `duplicates.rs` | what is twice in a file, found in bounded memory |
//! | `import.rs` | everything is checked before the first row is written |
//! | `export.rs` | everybody, a page at a time |
//! | `store.rs`, `postgres.rs`, `sqlite.rs` | the contract of the store, and the two stores |
//! | `django/` | the users' table of a Django project, as lines |

pub mod django;
mod duplicates;
mod export;
mod fields;
mod import;
mod lines;
mod postgres;
mod sqlite;
mod store;
mod user;

pub use export::{ExportError, export};
pub use import::{Import, ImportError, ImportReport, Imported, Progress, Step};
pub use lines::{Lines, Rows};
pub use postgres::PostgresTransfer;
pub use sqlite::SqliteTransfer;
pub use store::{Known, Probe, TransferStore};
pub use user::{TransferredUser, UserRules};
