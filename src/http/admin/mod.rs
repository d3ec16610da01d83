//! What administrators call, on a listener of their own. The API takes bearer tokens alone.

pub mod access;
pub mod change;
pub mod console;
pub mod document;
pub mod events;
pub mod guard;
pub mod holds;
pub mod limits;
pub mod limits_views;
pub mod session;
pub mod stats;
pub mod user;
pub mod users;
pub mod verifications;
pub mod views;
