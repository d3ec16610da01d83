//! What administrators call, on a listener of their own. The API takes bearer tokens alone.

pub mod access;
pub mod document;
pub mod guard;
pub mod session;
pub mod user;
pub mod users;
pub mod views;
