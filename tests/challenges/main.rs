//! The contract of `ChallengeStore` and `Outbox`, kept by every adapter: one Redis, a Cluster, Sentinel, this process.

mod by_id;
mod challenges;
mod failures;
mod format;
mod messages;
mod outbox;
mod statuses;
mod support;
mod world;
