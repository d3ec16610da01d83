//! Events that go out: to services of the operator's own, by signed webhooks.
//!
//! A change writes its event, and knows nothing of webhooks. Behind it, every second, a webhook's position moves over the table
//! of events, and each event of its kinds becomes a row of `event_deliveries`. A row is leased by whoever sends it, deleted
//! once the receiver took it, and due again later if it didn't. So nothing is lost with a process, and no receiver holds
//! anything else up.
//!
//! | file | what it is about |
//! |---|---|
//! | `webhook.rs` | what an operator says of a webhook |
//! | `kinds.rs` | which kinds of events it is for |
//! | `payload.rs` | an event as it goes out |
//! | `store.rs` | the contract of the store |
//! | `horizon.rs` | up to where the table of events is settled, by PostgreSQL's snapshots |
//! | `postgres.rs`, `sqlite.rs` | the two stores; `tests/accounts/outgoing.rs` holds both to the contract |
//! | `sender.rs` | moves positions on, sends what is due |
//! | `troubles.rs` | what the log says of a receiver that takes nothing |

mod horizon;
mod kinds;
mod payload;
mod postgres;
mod sender;
mod sqlite;
mod store;
mod troubles;
mod webhook;

pub use kinds::{EventKinds, KindError};
pub use payload::OutgoingEvent;
pub use postgres::PostgresOutgoing;
pub use sender::EventSender;
pub use sqlite::SqliteOutgoing;
pub use store::{LeasedEvent, OutgoingStore, Replayed};
pub use webhook::EventWebhook;
