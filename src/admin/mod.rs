//! What administrators do: find accounts, see all of one, help, lock; each call is one event.
//!
//! | file | what it is about |
//! |---|---|
//! | `access.rs` | who may do what: roles, and sessions with a second proof |
//! | `look.rs` | what they read |
//! | `stats.rs` | what it adds up to |
//! | `hours.rs` | what happened in each hour |
//! | `limits.rs` | who is refused now, and pauses |
//! | `act.rs` | what they change |
//! | `reason.rs` | why they do it |
//! | `error.rs` | why they may not |
//!
//! Who has which role is kept by [`crate::accounts::AdministratorStore`], and looked up for each call. What they read is noted
//! before it is given; what they change is noted by the store that changes it, in the same transaction.

mod access;
mod act;
mod error;
mod hours;
mod limits;
mod look;
mod reason;
mod stats;

use std::sync::Arc;

pub use access::{Acting, Asked, Entered};
pub use error::AdminError;
pub use hours::KeptHours;
pub use look::AccountPage;
pub use reason::{ReasonError, read_reason};
pub use stats::{Hour, Messages, Stats};

use crate::{
    accounts::{AdministratorStore, Directory, RecordStore, SessionOptions, SessionStore, UserStore},
    clock::Clock,
    entropy::Entropy,
    events::{EventKind, EventLog, NewEvent},
    ledger::LedgerReader,
};

/// What administrators do, and operators on the command line.
#[derive(Clone)]
pub struct Administration {
    pub administrators: Arc<dyn AdministratorStore>,
    pub directory: Arc<dyn Directory>,
    pub users: Arc<dyn UserStore>,
    pub sessions: Arc<dyn SessionStore>,
    pub session_options: SessionOptions,
    pub records: Arc<dyn RecordStore>,
    pub events: Arc<dyn EventLog>,
    pub kept_hours: KeptHours,
    pub ledger: Arc<dyn LedgerReader>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Administration {
    /// An event of now, by whoever acts.
    fn event(&self, by: &Acting, kind: EventKind) -> NewEvent {
        let now = self.clock.now();
        NewEvent::new(kind, by.source().clone(), now, self.entropy.as_ref())
    }
}
