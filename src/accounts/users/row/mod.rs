//! How a user is read from a row: below all stores whose rows have one, of which that of users is one.

pub(in crate::accounts) mod postgres;
pub(in crate::accounts) mod sqlite;

use crate::email::EmailAddress;

/// An e-mail address from its two columns, which have it or are both `NULL`.
pub(in crate::accounts) fn email(typed: Option<String>, key: Option<String>) -> Option<EmailAddress> {
    typed
        .zip(key)
        .map(|(typed, key)| EmailAddress::from_stored(typed, key))
}
