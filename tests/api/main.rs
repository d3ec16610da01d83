//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod accounts;
mod bad_input;
mod flow;
mod headers;
mod limits;
mod sessions;
mod support;
mod tokens;
