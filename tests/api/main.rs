//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod accounts;
mod bad_input;
mod bounds;
mod delivery;
mod flow;
mod headers;
mod limits;
mod otp;
mod outage;
mod ownership;
mod races;
mod secrecy;
mod sessions;
mod support;
mod tokens;
