pub mod clock;
pub mod entropy;
pub mod limits;
pub mod phone;
pub mod redis;
pub mod secrets;
pub mod supervision;
pub mod unavailable;
