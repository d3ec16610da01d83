//! Whether an account is the last administrator who isn't locked: nobody would be left who may do everything.

pub(in crate::accounts) mod postgres;
pub(in crate::accounts) mod sqlite;
