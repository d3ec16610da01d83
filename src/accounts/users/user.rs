//! An account, and one to be made.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::PersonName;
use crate::{
    accounts::passwords::{OwnerWords, PasswordHash},
    email::EmailAddress,
    events::NewEvent,
    phone::PhoneNumber,
};

/// An account, without what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub id: Uuid,
    /// None where whoever owns the address took it.
    pub email: Option<EmailAddress>,
    pub phone: PhoneNumber,
    pub first_name: PersonName,
    pub last_name: PersonName,
    /// Whether a code proved the phone. At most one account has it for a phone.
    pub phone_verified: bool,
    /// Whether a code proved the e-mail address.
    pub email_verified: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl User {
    /// What a password of this account must not be.
    pub fn words(&self) -> OwnerWords<'_> {
        OwnerWords {
            email: self.email.as_ref(),
            phone: Some(&self.phone),
            first_name: Some(&self.first_name),
            last_name: Some(&self.last_name),
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "User({}, phone_verified: {}, email_verified: {})",
            self.id, self.phone_verified, self.email_verified
        )
    }
}

/// What is to be changed of an account; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    pub first_name: Option<PersonName>,
    pub last_name: Option<PersonName>,
}

impl ProfileChange {
    /// Whether anything of the account would be another.
    pub fn changes(&self, user: &User) -> bool {
        let is_other = |to: &Option<PersonName>, now| to.as_ref().is_some_and(|to| to != now);
        is_other(&self.first_name, &user.first_name) || is_other(&self.last_name, &user.last_name)
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
    /// What is written with it.
    pub event: NewEvent,
}

impl NewUser {
    /// The account as it is once it was made; with an e-mail address that a code proved, or not.
    pub(super) fn registered(self, now: DateTime<Utc>, email_verified: bool) -> User {
        User {
            id: self.id,
            email: Some(self.email),
            phone: self.phone,
            first_name: self.first_name,
            last_name: self.last_name,
            phone_verified: false,
            email_verified,
            created_at: now,
            updated_at: now,
        }
    }
}
