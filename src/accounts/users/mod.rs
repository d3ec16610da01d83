//! Who has an account, and how one is made.
//!
//! | file | what it is about |
//! |---|---|
//! | `name.rs` | what a person's name may be |
//! | `user.rs` | an account, and one to be made |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |
//! | `row/` | how a user is read from a row, by these and by other stores |

mod name;
mod postgres;
pub(super) mod row;
mod sqlite;
mod store;
mod user;

pub use name::{NameError, PersonName, name_key};
pub use postgres::PostgresUsers;
pub use sqlite::SqliteUsers;
pub use store::{EmailLoss, Locked, RegisterError, UserStore};
pub use user::{NewUser, ProfileChange, User};
