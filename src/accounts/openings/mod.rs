//! What an address opens: the account that a code to it lets somebody into, and what follows from a right one.
//!
//! | file | what it is about |
//! |---|---|
//! | `opening.rs` | which addresses open an account, and which set its password anew: the rules |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod opening;
mod postgres;
mod sqlite;
mod store;

pub use opening::{Opening, OpeningRules};
pub use postgres::PostgresOpenings;
pub use sqlite::SqliteOpenings;
pub use store::{OpeningStore, PasswordReset};
