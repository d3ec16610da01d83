//! What routes and handlers are made with; no handler is known here.

pub mod auth;
pub mod client;
pub mod cors;
pub mod extract;
pub mod language;
pub mod observe;
pub mod page;
pub mod problem;
pub mod refusals;
pub mod rejection;
pub mod routes;
