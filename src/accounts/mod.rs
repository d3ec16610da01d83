//! User accounts: who someone is, what proves it, and where that is kept.
//!
//! | file | what it is about |
//! |---|---|
//! | `name.rs`, `password.rs` | what a user may type, parsed once |
//! | `hasher.rs`, `actor.rs`, `threads.rs` | argon2id, the bounded way to it, and where it runs |
//! | `store.rs` | the store's contract: the trait, what goes in, what comes out |
//! | `sessions.rs` | the rules of refresh-token rotation, without a database |
//! | `verification/` | right codes that are marked together |
//! | `postgres.rs`, `sqlite.rs` | the two stores; `tests/accounts/` holds both to the contract |

mod actor;
mod hasher;
mod housekeeping;
mod name;
mod password;
mod postgres;
mod service;
mod sessions;
mod sqlite;
mod store;
mod threads;
mod verification;

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{email::EmailAddress, phone::PhoneNumber};

pub use actor::{HasherOptions, PasswordHasher};
pub use hasher::{Argon2Cost, Argon2Pool, CostError, PasswordHash, Verdict};
pub use housekeeping::purge_sessions;
pub use name::{NameError, PersonName};
pub use password::{Password, PasswordError};
pub use postgres::PostgresAccounts;
pub use service::{AccountError, Accounts, Registration, SessionOptions, SignedIn, Tokens};
pub use sessions::{NewSession, Rotated, Rotation, SessionView};
pub use sqlite::SqliteAccounts;
pub(crate) use store::to_micros;
pub use store::{AccountStore, Claimant, Claims, Credentials, Login, RegisterError, Verification};

/// An account, without what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub id: Uuid,
    /// As it was typed; [`EmailAddress::key`] is what it is compared by.
    pub email: String,
    pub phone: PhoneNumber,
    pub first_name: String,
    pub last_name: String,
    /// Whether a code proved the phone. At most one account has it for a phone.
    pub phone_verified: bool,
    pub email_verified: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, phone_verified: {})", self.id, self.phone_verified)
    }
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub id: Uuid,
    pub email: EmailAddress,
    pub phone: PhoneNumber,
    pub first_name: PersonName,
    pub last_name: PersonName,
    pub password: PasswordHash,
    pub now: DateTime<Utc>,
}

impl NewUser {
    /// The account as it is once it was made.
    fn registered(self, now: DateTime<Utc>) -> User {
        User {
            id: self.id,
            email: self.email.expose().to_owned(),
            phone: self.phone,
            first_name: self.first_name.expose().to_owned(),
            last_name: self.last_name.expose().to_owned(),
            phone_verified: false,
            email_verified: false,
            created_at: now,
            updated_at: now,
        }
    }
}
