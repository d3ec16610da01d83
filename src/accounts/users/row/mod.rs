//! How a user is read from a row: below all stores whose rows have one, of which that of users is one.

pub(in crate::accounts) mod postgres;
pub(in crate::accounts) mod sqlite;
