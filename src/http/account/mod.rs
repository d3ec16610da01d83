//! What signed-in users call.

pub mod change;
pub mod change_email;
pub mod change_phone;
pub mod leave;
pub mod me;
pub mod password;
pub mod sessions;
