//! Who may administer, and how far; what a session of theirs has proven.
//!
//! | file | what it is about |
//! |---|---|
//! | `store.rs` | the contract of the store, and what it takes and gives |
//! | `postgres.rs`, `sqlite.rs` | the two stores |
//! | `is_last/` | whether nobody would be left who may do everything: asked by all stores that lock, erase or revoke |

pub(in crate::accounts) mod is_last;
mod postgres;
mod sqlite;
mod store;

pub use postgres::PostgresAdministrators;
pub use sqlite::SqliteAdministrators;
pub use store::{Administrator, AdministratorStore, Grant, Granted, Revoked, Standing};
