//! What signed-in users call.

pub mod leave;
pub mod me;
pub mod password;
pub mod sessions;
