//! What signed-in users call.

pub mod me;
pub mod password;
pub mod sessions;
