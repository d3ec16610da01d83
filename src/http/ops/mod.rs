//! What operators call, on a port of their own.

pub mod guard;
pub mod limits;
pub mod metrics;
pub mod reset;
