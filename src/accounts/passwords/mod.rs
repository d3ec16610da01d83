//! Passwords: which are accepted, how they are hashed, and where the hashes are kept.
//!
//! | file | what it is about |
//! |---|---|
//! | `rules.rs` | the one entry for a new password |
//! | `password.rs`, `common_passwords.txt` | what a password is, and what none may be |
//! | `context.rs` | what a password of this account must not be made of |
//! | `breach.rs` | a list of stolen passwords on the disk |
//! | `cost.rs` | what a hash costs |
//! | `stored.rs` | a stored hash, read: this service's own, or another system's |
//! | `hash.rs`, `foreign.rs` | argon2id; the hashes of other systems |
//! | `dearest.rs` | how much work a login is that fails |
//! | `watch.rs` | which hashes of other systems there are, asked again and again |
//! | `actor.rs`, `shares.rs`, `threads.rs` | the bounded queue before it, the share of it that a network may hold, and where it runs |
//! | `store.rs` | the contract of the store: what a login is compared with |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod actor;
mod breach;
mod context;
mod cost;
mod dearest;
mod foreign;
mod hash;
mod password;
mod postgres;
mod rules;
mod shares;
mod sqlite;
mod store;
mod stored;
mod threads;
mod watch;

pub use actor::{HasherOptions, PasswordHasher, Turn};
pub use breach::{BreachFile, BreachFileError};
pub use context::OwnerWords;
pub use cost::{Argon2Cost, CostError, HashCost};
pub use hash::{Argon2Pool, PasswordHash, Verdict};
pub use password::{Password, PasswordError};
pub use postgres::PostgresPasswords;
pub use rules::{PasswordRuleOptions, PasswordRules};
pub use sqlite::SqlitePasswords;
pub use store::{Credentials, Login, PasswordChange, PasswordStore};
pub use stored::HashError;
pub use watch::{read_hash_costs, watch_hash_costs};
