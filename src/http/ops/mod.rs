//! What operators call, on a port of their own.

pub mod limits;
pub mod metrics;
