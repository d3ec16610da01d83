//! What routes and handlers are made with; no handler is known here.

pub mod auth;
pub mod client;
pub mod connection;
pub mod cors;
pub mod cursor;
pub mod docs;
pub mod document;
pub mod extract;
pub mod field;
mod json;
pub mod language;
pub mod line;
pub mod observe;
pub mod page;
pub mod patterns;
pub mod peer;
pub mod problem;
pub mod problem_docs;
pub mod refused;
pub mod rejection;
pub mod request_id;
pub mod routes;
pub mod slices;
mod user_agent;
