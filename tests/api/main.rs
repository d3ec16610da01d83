//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod bad_input;
mod cors;
mod flow;
mod openapi;
mod pages;
mod support;
