//! The program as its operators meet it: started, configured, signalled and stopped as a process of its own.

mod config;
mod log;
mod serve;
mod service;
mod stop;

// Of these the tests of the API use all, the ones here a part.
#[allow(dead_code)]
#[path = "../api/support/answer.rs"]
mod answer;
#[allow(dead_code)]
#[path = "../api/support/provider.rs"]
mod provider;
#[allow(dead_code)]
#[path = "../api/support/wire.rs"]
mod wire;

use answer::Answer;
