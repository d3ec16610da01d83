//! Limits: how often whom may ask for what, tuned in a file while the service runs.
//!
//! - `rule`: what a rule is, which requests it applies to, which counter it asks. Pure.
//! - [`mod@file`]: the limits file, read into rules, or every fault in it with its place.
//! - [`gcra`]: the algorithm; `gcra.lua` is the same where Redis counts.
//! - [`Limiter`]: what everyone calls. It asks the instance's rules first (`RateLimiter` actors, each a `shard` of the
//!   counters), so that a flood is shed before any I/O, and then the cluster's ([`ClusterCounters`]: `redis` or
//!   `memory`) in one round trip.
//! - [`LimitsWatch`]: the handle of `ConfigWatcher`, which puts a changed file in force.
//!
//! Every rule that applies is asked, and a refused request spends nothing from the others. The phone's own cluster
//! rules of `otp.send` and `otp.verify` are *riders*: [`Limiter::admit`] hands them out, the script that issues or
//! judges the code counts them in one step with the challenge, and [`Limiter::settle`] takes its verdicts back.
//!
//! A request that can't be counted (Redis away, no room for one more key) is refused where guessing or sending costs
//! someone something, and goes on elsewhere: see [`Operation::is_strict`]. Making room by forgetting other keys
//! instead would let a flood of fresh addresses wash away what a guesser has spent.

mod actor;
mod buckets;
pub mod file;
pub mod gcra;
mod limiter;
mod memory;
mod redis;
mod rule;
mod shard;
mod store;
mod watch;

pub use file::{Fault, FileError};
pub use limiter::{Admission, Denied, Limiter, LimiterOptions, Refusal, Rider};
pub use memory::MemoryCounters;
pub use redis::{GCRA_LUA, RedisCounters};
pub use rule::{By, Mode, Operation, Rule, RuleSet, Scope, Subject};
pub use store::{ClusterCounters, Counter, Verdict, refuses};
pub use watch::{FileStatus, LimitsWatch};

/// How many digits `by = "prefix"` counts together: the country and the block that SMS pumpers walk through.
const PREFIX_DIGITS: usize = 6;
