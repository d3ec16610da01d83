//! Passwords: which are accepted, how they are hashed, and where the hashes are kept.
//!
//! | file | what it is about |
//! |---|---|
//! | `rules.rs` | the one entry for a new password |
//! | `password.rs`, `common_passwords.txt` | what a password is, and what none may be |
//! | `context.rs` | what a password of this account must not be made of |
//! | `breach.rs` | a list of stolen passwords on the disk |
//! | `hash.rs` | argon2id |
//! | `actor.rs`, `threads.rs` | the bounded queue before it, and where it runs |
//! | `store.rs` | the contract of the store: what a login is compared with |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod actor;
mod breach;
mod context;
mod hash;
mod password;
mod postgres;
mod rules;
mod sqlite;
mod store;
mod threads;

pub use actor::{HasherOptions, PasswordHasher, Turn};
pub use breach::{BreachFile, BreachFileError};
pub use context::OwnerWords;
pub use hash::{Argon2Cost, Argon2Pool, CostError, PasswordHash, Verdict};
pub use password::{Password, PasswordError};
pub use postgres::PostgresPasswords;
pub use rules::{PasswordRuleOptions, PasswordRules};
pub use sqlite::SqlitePasswords;
pub use store::{Credentials, Login, PasswordChange, PasswordStore};
