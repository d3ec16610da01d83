//! The contract of `ChallengeStore` and `Outbox`, kept by every adapter: one Redis, a Cluster, Sentinel, this process.

mod challenges;
mod outbox;
mod statuses;
mod support;
mod world;
