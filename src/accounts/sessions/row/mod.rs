//! How a session is read from a row.

pub(super) mod postgres;
pub(super) mod sqlite;
