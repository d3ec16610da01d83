//! The words between the dispatcher's state machine and the world: what it is told, and what it asks for.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Health,
    router::ProviderId,
    tracked::{AttemptOutcome, Delivery, Disposition, LookupOutcome, Tracked},
};

/// What the machine is told.
#[derive(Debug)]
pub(super) enum Event {
    Submitted(Tracked),
    /// The end of a sweep; `since` is when its leases began.
    TakenOver {
        deliveries: Vec<Tracked>,
        since: Instant,
    },
    /// The end of an attempt.
    Attempted {
        id: Uuid,
        outcome: AttemptOutcome,
    },
    /// The end of a look-up.
    LookedUp {
        id: Uuid,
        outcome: LookupOutcome,
    },
    /// The end of a `Settle`; not `done` where the outbox could not be told.
    Settled {
        id: Uuid,
        done: bool,
    },
    /// The end of an `Acknowledge`: of these it knows now.
    Acknowledged {
        ids: Vec<Uuid>,
    },
    Renewed {
        since: Instant,
        held: Vec<Uuid>,
        gone: Vec<Uuid>,
    },
    HandedBack {
        ids: Vec<Uuid>,
        done: usize,
    },
    /// About once a second: look after leases, and after what nobody holds.
    Tick,
    /// A pause has ended.
    Wake,
    /// Start nothing more, and hand back what has not begun.
    Drain,
    /// Hand back what is in flight, too.
    Abandon,
}

/// What the machine asks for.
#[derive(Debug)]
pub(super) enum Effect {
    /// Try to send by this provider; answer with `Attempted`. `renew` asks for a fresh lease first.
    Attempt {
        delivery: Arc<Delivery>,
        provider: ProviderId,
        renew: bool,
        retry: bool,
    },
    /// Ask this provider whether it has the message already; answer with `LookedUp`.
    LookUp {
        delivery: Arc<Delivery>,
        provider: ProviderId,
        renew: bool,
    },
    /// Acknowledge to the outbox; answer with `Settled`. `provider` told the disposition, if a provider was asked.
    Settle {
        delivery: Arc<Delivery>,
        provider: Option<ProviderId>,
        disposition: Disposition,
    },
    /// Acknowledge what the outbox could not be told before; answer with `Acknowledged`.
    Acknowledge(Vec<Arc<Delivery>>),
    /// Answer with `Renewed`.
    Renew(Vec<Arc<Delivery>>),
    /// Answer with `TakenOver`.
    TakeOver { limit: usize },
    /// Answer with `HandedBack`.
    HandBack(Vec<Arc<Delivery>>),
    /// Answer with `Wake` then.
    WakeAt(Instant),
    /// The outbox dropped this many superseded entries by itself.
    Superseded(usize),
    /// It could not be sent, or nobody could be asked about it: the delivery is forgotten here, and comes back when its
    /// lease runs out, here or at another instance.
    LeftToLease {
        /// Who had it last, or would have been asked.
        provider: Option<ProviderId>,
    },
    /// A provider does better, or worse; codes that it alone could carry may be issued when it `opens`.
    Turned {
        provider: ProviderId,
        health: Health,
        opens: Option<Instant>,
    },
    /// Nothing is under way any more.
    Drained { handed_back: usize },
}

/// The bounds that the machine keeps.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Deliveries here at most; whoever submits holds a place, so this only bounds what is taken over.
    pub queue: usize,
    pub lease: Duration,
    pub max_tries: u32,
    /// From the first attempt to the last.
    pub retry_for: Duration,
    /// A call or acknowledgement that has not reported after so long has lost its task.
    pub stuck_after: Duration,
    /// How long a code lives: what was answered is done with then, whether the outbox knows or not.
    pub ttl: Duration,
}

/// What time it is: on the clock that only goes forward, and in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub at: Instant,
    pub wall_ms: i64,
}
