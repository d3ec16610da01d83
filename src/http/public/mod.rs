//! What anybody may call.

pub mod challenge_status;
pub mod codes;
pub mod discovery;
pub mod docs;
pub mod health;
pub mod inbox;
pub mod new_password;
pub mod openapi;
pub mod receipts;
pub mod register;
pub mod reset_password;
pub mod sent;
pub mod sessions;
pub mod sign_in_by_code;
pub mod start;
pub mod verify_email;
pub mod verify_phone;
