//! Getting a message to its address: no accepted one is lost, none is sent for nothing, and nobody waits for a provider.
//!
//! It knows channels, and neither what a message is for nor any provider by name. A delivery comes in by
//! [`DeliveryQueue`] from whoever issued the code, or out of the [`Outbox`] when the instance that had it is gone. In
//! reading order:
//!
//! | file | holds |
//! |---|---|
//! | `message.rs` | what is sent and whom to; the trait by which both are found |
//! | `route.rs` | which provider may carry which channel to which countries |
//! | `outbox.rs` | what is pending: kept by the store of the codes, leased to one instance at a time |
//! | `reports.rs` | who is told what became of each delivery |
//! | `receipts.rs` | who reads the receipts of which provider |
//! | `tracked.rs` | a delivery on its way, and how its attempts end |
//! | `dispatcher.rs` | the state machine: what happens in a delivery's life, with no I/O; `steps.rs` has its words |
//! | `router.rs` | which provider carries which message, by `route.rs`, `pace.rs` and `breaker.rs` |
//! | `io.rs` | the I/O that the state machine asks for |
//! | `call.rs`, `failures.rs`, `suspicion.rs` | one call to a provider, and what is said of it in the log |
//! | `carrier.rs` | single messages that have no outbox entry |
//! | `actor.rs`, `queue.rs`, `handoff.rs` | the actor around both, its handle, and what waits between them |
//! | `shared.rs`, `gate.rs` | what the handle knows of the dispatcher and of its providers without asking |

mod actor;
mod breaker;
mod call;
mod carrier;
mod dispatcher;
mod failures;
mod gate;
mod handoff;
mod io;
mod message;
mod outbox;
mod pace;
mod queue;
mod receipts;
mod reports;
mod route;
mod router;
mod shared;
mod steps;
mod suspicion;
mod tracked;

pub use breaker::Health;
pub use carrier::{Carried, Carrier};
pub use gate::ProviderStatus;
pub use message::{Destination, Message, Messages, Recipient};
pub use outbox::{CodeSeed, Lease, Outbox, OutboxEntry};
pub use queue::{DeliveryQueue, DispatcherOptions, DispatcherParts, QueueSlot, QueueStatus};
pub use receipts::ReceiptReaders;
pub use reports::{DeliveryReport, DeliveryReports};
pub use route::{ChannelProvider, Countries, Route};
