//! The program as its operators meet it: started, configured, signalled and stopped as a process of its own.

mod config;
mod log;
mod serve;
mod service;
mod stop;

#[path = "../api/support/answer.rs"]
mod answer;
#[allow(dead_code, reason = "the tests of the API use all of it")]
#[path = "../api/support/provider.rs"]
mod provider;
#[path = "../api/support/wire.rs"]
mod wire;

use answer::Answer;
