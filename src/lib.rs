pub mod accounts;
pub mod clock;
pub mod entropy;
pub mod phone;
pub mod redis;
pub mod secrets;
pub mod supervision;
pub mod unavailable;
