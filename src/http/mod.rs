//! The outside: every route. Handlers extract, parse, make one call, answer; they stand by who calls. What they are made
//! with is in `kit`.

mod account;
mod admin;
mod api;
mod kit;
mod ops;
mod options;
mod public;
mod routes;
mod server;

pub use api::Api;
pub use kit::page::Page;
pub use options::{AdminOptions, ServerOptions};
pub use server::{Listening, serve_admin, serve_api, serve_ops};
