//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod flow;
mod limits;
mod support;
