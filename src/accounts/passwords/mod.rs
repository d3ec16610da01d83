//! Passwords: which are accepted, how they are hashed, and where the hashes are kept.
//!
//! | file | what it is about |
//! |---|---|
//! | `password.rs`, `common_passwords.txt` | which passwords are accepted |
//! | `hash.rs` | argon2id |
//! | `actor.rs`, `threads.rs` | the bounded queue before it, and where it runs |
//! | `store.rs` | the contract of the store: what a login is compared with |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod actor;
mod hash;
mod password;
mod postgres;
mod sqlite;
mod store;
mod threads;

pub use actor::{HasherOptions, PasswordHasher, Turn};
pub use hash::{Argon2Cost, Argon2Pool, CostError, PasswordHash, Verdict};
pub use password::{OwnerWords, Password, PasswordError};
pub use postgres::PostgresPasswords;
pub use sqlite::SqlitePasswords;
pub use store::{Credentials, Login, PasswordChange, PasswordStore};
