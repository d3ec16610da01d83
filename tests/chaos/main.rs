//! The promise of a 200, kept whatever happens: two instances of the real program on shared servers, killed with
//! kill -9 under load, and a provider that fails; and of events that go out by webhooks.
//!
//! A short version of each runs with all tests. The long ones are run by `scripts/chaos`, which says how.

mod audit;
mod event_kills;
mod fleet;
mod kills;
mod load;
mod luck;
mod provider_faults;

use std::{fmt::Debug, str::FromStr};

/// A number that the environment may set for a longer run.
fn setting<T: FromStr<Err: Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
