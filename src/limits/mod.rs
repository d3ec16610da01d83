//! Limits: how often whom may ask for what, tuned in a file while the service runs.
//!
//! - `rule`: what a rule is, which requests it applies to, which counter it asks; `key` and `subject`: what it counts
//!   by, and whom. Pure.
//! - [`mod@file`]: the limits file, read into rules, or every fault in it with its place; [`changes()`]: what another
//!   file would change.
//! - [`gcra`]: the algorithm; `gcra.lua` is the same where Redis counts, and `unrolled` writes it out for given rules.
//! - [`Limiter`]: what everyone calls. It asks the instance's rules first (`instance`: actors that own the counters), so
//!   that a flood is shed before any I/O but the look at a bearer's session, and then the cluster's
//!   ([`ClusterCounters`]: `redis` or `memory`) in one round trip. `explain` is what operators ask it, `customer` how
//!   they name whom they ask about.
//! - [`LimitsWatch`]: the handle of `ConfigWatcher`, which makes a changed file active.
//!
//! Every rule that applies is asked, and a refused request spends nothing from the others. The counters of cluster rules
//! of `otp.send` and `otp.verify` are *attached*: [`Limiter::admit`] hands them out, the script that issues or judges
//! the code counts them in one step with the challenge, and [`Limiter::settle`] takes its verdicts back. On a Redis
//! Cluster a script touches one partition, so there the counters of the address alone are attached, and the others are
//! asked before.
//!
//! Rules that count messages are asked for every request and spent by those alone for which a message goes out: attached, by
//! the issuing script, which knows that; else [`Limiter::spend_message`] spends them once it is known. What typed codes give
//! back is in `messages`.
//!
//! A request that can't be counted since Redis is down is refused or counted in this process, as the rule says:
//! [`Rule::if_store_lost`]. One for whose key there is no room is refused where guessing or sending costs someone
//! something, and goes on elsewhere: see [`Operation::is_strict`]. Making room by forgetting other keys instead would
//! let a flood of fresh addresses wash away what a guesser has spent.

mod active;
mod admit;
mod asker;
mod changes;
mod client;
mod counting;
mod customer;
mod decision;
mod explain;
mod fault;
pub mod file;
pub mod gcra;
mod instance;
mod key;
mod kinds;
mod limiter;
mod memory;
mod messages;
mod money;
mod names;
mod networks;
mod operation;
mod pauses;
mod pausing;
mod proving;
mod records;
mod redis;
mod refusal;
mod rule;
mod shadow_counts;
mod shadowed;
mod status;
mod store;
mod subject;
mod tag;
mod tally;
mod unrolled;
mod watch;
mod work;

pub use asker::{Asker, Claimants, Holders};
pub use changes::changes;
pub use client::ClientNetwork;
pub use customer::{Account, KeyError, account, keys_of};
pub use decision::{Admission, Denied};
pub use explain::{Explanation, Preview, RuleStatus};
pub use file::{Fault, FileError, seconds_of};
pub use key::{KeyDimension, RuleKey};
pub use limiter::{Limiter, LimiterOptions};
pub use memory::MemoryCounters;
pub use money::{Currency, Prices, PricesError, amount_text};
pub use names::LoginDigest;
pub use networks::Networks;
pub use operation::Operation;
pub use pauses::{PAUSED, Pause, Paused, PausedError};
pub use pausing::PauseChange;
pub use records::{Records, VARIES, read_verdicts};
pub use redis::{GCRA_LUA, RedisCounters, RuledScript, with_spend, with_spend_of};
pub use refusal::Refusal;
pub use rule::{Counts, IfStoreLost, Mode, Rule, RuleSet, Scope, per_text};
pub use shadow_counts::ShadowOf;
pub use shadowed::Shadowed;
pub use status::{AskingRule, LastingPause, LimitsStatus};
pub use store::{ClusterCounters, Counter, CounterName, Marker, Refund, Verdict, refuses};
pub use subject::Subject;
pub use tag::RuleTag;
pub use tally::CodesOf;
pub use watch::{FileStatus, LimitsWatch};
pub use work::{PROOF_TTL, SolvedWork, Work, work_challenge};
