//! A delivery, and how its attempts end: the words of the dispatcher and its I/O.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{OutboxEntry, Recipient, breaker::Observation, router::ProviderId};
use crate::supervision::Slot;

/// What a delivery ended as; the `outcome` of `ringback_deliveries_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Accepted,
    Failed,
    Superseded,
    Expired,
    HandedBack,
    /// Still pending: it comes back when its lease runs out.
    Left,
}

impl Disposition {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::HandedBack => "handed_back",
            Self::Left => "left",
        }
    }
}

/// What is to be delivered: shared by the machine and those who do its I/O.
#[derive(Debug)]
pub(super) struct Delivery {
    pub entry: OutboxEntry,
    /// Known if the code was issued here; else it is looked up when it is needed.
    pub recipient: Option<Recipient>,
}

impl Delivery {
    pub fn id(&self) -> Uuid {
        self.entry.challenge_id
    }
}

/// How one attempt to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The provider answered for good; there is nothing more to do but to tell the outbox.
    Settled(Disposition),
    /// The provider did not take it, but may later, and not before the given pause.
    Retry(Option<Duration>),
    /// The same, but for this message's sake: it may take others.
    PutOff(Option<Duration>),
    /// The provider failed over it, and may do better later: it may have taken it all the same.
    Unsure(Option<Duration>),
    /// The provider gave no answer: it may have taken it.
    Unanswered,
    /// The provider gave no answer once it was told of this message.
    CutOff(CutOff),
    /// The provider takes nothing until an operator acts.
    Misconfigured,
    /// It is not to be sent any more; no provider was asked.
    Cancelled(Disposition),
    /// The outbox, or whoever knows the recipient, is unavailable, so that nobody knows whether it is still to be sent.
    Postponed,
    /// The attempt panicked: it counts as a try.
    Lost,
}

/// What is known of a call that was cut off when the provider had been told of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CutOff {
    /// It may be for this message's sake: others weren't cut off, or none was tried.
    pub is_own: bool,
    pub may_be_taken: bool,
}

impl CutOff {
    /// Its name among the results of calls in metrics.
    pub const fn result(self) -> &'static str {
        match self {
            Self {
                may_be_taken: true, ..
            } => "unanswered",
            Self { is_own: true, .. } => "put_off",
            Self { is_own: false, .. } => "failed",
        }
    }

    /// What it tells of the provider.
    pub const fn observation(self) -> Observation {
        match self.is_own {
            true => Observation::OfOneAlone,
            false => Observation::Failed,
        }
    }
}

impl AttemptOutcome {
    /// What it tells of the provider.
    pub const fn observation(self) -> Observation {
        match self {
            Self::Settled(_) | Self::PutOff(_) => Observation::Answered,
            Self::Retry(_) | Self::Unsure(_) | Self::Unanswered | Self::Lost => Observation::Failed,
            Self::CutOff(cut_off) => cut_off.observation(),
            Self::Misconfigured => Observation::Refused,
            Self::Cancelled(_) | Self::Postponed => Observation::NotCalled,
        }
    }
}

/// How one look-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupOutcome {
    /// The provider has it.
    Taken,
    /// It never got it.
    NotTaken,
    /// It cannot tell.
    Unknown,
    /// As in [`AttemptOutcome`].
    Cancelled(Disposition),
    Postponed,
}

/// A delivery on its way through the dispatcher.
#[derive(Debug)]
pub(super) struct Tracked {
    pub delivery: Arc<Delivery>,
    #[expect(dead_code, reason = "its place in the queue, free again when this is dropped")]
    place: Option<Slot>,
    pub leased_at: Instant,
    /// When its first call began.
    pub began: Option<Instant>,
    /// The providers that may have it already, each asked before it is sent again.
    pub doubts: VecDeque<ProviderId>,
    pub tries: u32,
    /// Of these, the calls whose answer was lost and that no look-up has cleared: each may have been a message.
    pub unanswered: u32,
    /// Times that the outbox, or whoever knows the recipient, was unavailable.
    pub setbacks: u32,
    /// The providers that refused the account over it.
    pub refused_by: BTreeSet<ProviderId>,
    /// The providers that cut it off.
    pub cut_off_by: BTreeSet<ProviderId>,
    /// The providers that failed over it when it was to tell how they do.
    pub failed_probes: BTreeSet<ProviderId>,
    /// The providers that asked for a long pause where there are others.
    pub paused_by: BTreeSet<ProviderId>,
    /// Its place among all that wait.
    pub turn: u64,
}

impl Tracked {
    pub fn new(delivery: Arc<Delivery>, place: Option<Slot>, leased_at: Instant) -> Self {
        Self {
            delivery,
            place,
            leased_at,
            began: None,
            doubts: VecDeque::new(),
            tries: 0,
            unanswered: 0,
            setbacks: 0,
            refused_by: BTreeSet::new(),
            cut_off_by: BTreeSet::new(),
            failed_probes: BTreeSet::new(),
            paused_by: BTreeSet::new(),
            turn: 0,
        }
    }

    /// The providers that it goes by only if all others are shut.
    pub fn deprioritized(&self) -> BTreeSet<ProviderId> {
        &(&self.refused_by | &self.cut_off_by) | &self.paused_by
    }

    pub fn id(&self) -> Uuid {
        self.delivery.id()
    }

    pub fn share(&self) -> Arc<Delivery> {
        Arc::clone(&self.delivery)
    }
}
