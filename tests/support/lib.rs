//! What all suites of tests share, compiled once.
//!
//! | file | what it gives |
//! |---|---|
//! | `app.rs` | `TestApp`: a service inside the test, on the embedded parts or on real servers, whose time the test lets pass |
//! | `steps.rs`, `emails.rs`, `openings.rs`, `administrators.rs`, `means.rs` | what tests do often with it, from outside and from behind |
//! | `process.rs`, `service.rs` | the program as a process of its own |
//! | `simulator.rs` | `twilio-sim` as a process of its own |
//! | `provider.rs`, `receiver.rs` | an SMS provider and a receiver of webhooks over HTTP, with faults |
//! | `mail_server.rs` | a mail server, with faults |
//! | `proxy.rs` | a way to a server that a test can take away |
//! | `answer.rs`, `wire.rs` | an answer read whole; requests that no client would send |
//! | `dump.rs`, `secrets.rs` | everything that a service keeps, and the look for secrets in it |
//! | `place.rs`, `servers.rs` | a folder and a database for one test; the servers that all tests share |

#![allow(
    clippy::new_without_default,
    reason = "a default that starts things would surprise"
)]

mod administrators;
mod answer;
mod app;
mod dump;
mod emails;
pub mod mail_server;
mod means;
mod openings;
mod place;
mod process;
mod provider;
mod proxy;
mod receiver;
mod secrets;
mod servers;
pub mod service;
pub mod simulator;
mod steps;
mod wire;

pub use administrators::Administrator;
pub use answer::Answer;
pub use app::{Account, Backends, PASSWORD, Prepared, TestApp};
pub use dump::Kept;
pub use openings::CodeById;
pub use place::{Database, Folder};
pub use process::Process;
pub use provider::{Call, Provider};
pub use proxy::{Proxies, Proxy};
pub use receiver::{Receiver, Webhook};
pub use secrets::{Secrets, hex};
pub use servers::{node_modules, node_tool, program, python, variable};
pub use steps::{code_in, digits, eventually, fields, registration, shape, wrong};
pub use wire::{Wire, exchange};
