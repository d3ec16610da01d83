//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod delivery;
mod flow;
mod otp;
mod ownership;
mod races;
mod support;
