//! Getting a message to its address: no accepted one is lost, none is sent for nothing, and nobody waits for a provider.
//!
//! A message comes in by [`DeliveryQueue`] from whoever issued the code, or out of the [`Outbox`] when the instance that had
//! it is gone. In reading order:
//!
//! | file | holds |
//! |---|---|
//! | `route.rs` | which provider may carry SMS to which countries |
//! | `outbox.rs` | what is owed: kept by the store of the codes, leased to one instance at a time |
//! | `reports.rs` | who is told what became of each SMS |
//! | `job.rs` | an errand, and how it may end |
//! | `dispatcher.rs` | the state machine: what happens in a job's life, with no I/O; `steps.rs` has its words |
//! | `switchboard.rs` | which provider carries which SMS, by `route.rs`, `pace.rs` and `breaker.rs` |
//! | `courier.rs` | the I/O that the state machine asks for |
//! | `actor.rs`, `queue.rs`, `gate.rs` | the actor around both, its handle, and what that knows of the providers |

mod actor;
mod breaker;
mod courier;
mod dispatcher;
mod gate;
mod handover;
mod job;
mod message;
mod outbox;
mod pace;
mod queue;
mod reports;
mod route;
mod steps;
mod switchboard;

pub use breaker::Health;
pub use message::{CodeSeed, Destination, Message, Messages, Recipient};
pub use outbox::{Lease, Outbox, OutboxEntry};
pub use queue::{DeliveryQueue, DispatcherOptions, DispatcherParts, NewDelivery, QueueSlot, QueueStatus};
pub use reports::{DeliveryReport, DeliveryReports};
pub use route::{ChannelProvider, Countries, Route};
