//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod bad_input;
mod bounds;
mod delivery;
mod flow;
mod headers;
mod otp;
mod outage;
mod ownership;
mod races;
mod support;
