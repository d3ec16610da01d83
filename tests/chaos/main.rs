//! The promise of a 200, kept whatever happens: two instances of the real program on shared servers, killed with
//! kill -9 under load, and a provider that fails.
//!
//! A short version of each runs with all tests. The long ones are run by `scripts/chaos`, which says how.

mod audit;
mod fleet;
mod kills;
mod load;
mod luck;
mod provider_faults;

// The program as its own tests start it, and the simulator as its own tests do: not all of either is used here.
#[allow(dead_code)]
#[path = "../api/support/answer.rs"]
mod answer;
#[allow(dead_code)]
#[path = "../api/support/provider.rs"]
mod provider;
#[allow(dead_code)]
#[path = "../binary/service.rs"]
mod service;
#[allow(dead_code)]
#[path = "../simulator/simulator.rs"]
mod simulator;

use std::{fmt::Debug, str::FromStr};

/// A number that the environment may set for a longer run.
fn setting<T: FromStr<Err: Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
