//! What the dispatcher and the courier speak of: errands, and how they end.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{OutboxEntry, Recipient, breaker::Report, switchboard::LineId};
use crate::supervision::Slot;

/// What an SMS ended as; the `outcome` of `ringback_sms_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    Failed,
    Superseded,
    Expired,
    HandedBack,
    /// Owed still: it comes back when its lease runs out.
    Left,
}

impl Fate {
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

/// An SMS to be sent.
#[derive(Debug)]
pub(super) struct Errand {
    pub entry: OutboxEntry,
    /// Known if the code was issued here; else the code book is asked.
    pub recipient: Option<Recipient>,
}

impl Errand {
    pub fn id(&self) -> Uuid {
        self.entry.challenge_id
    }
}

/// An errand with its place in the queue, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    pub errand: Arc<Errand>,
    #[expect(dead_code, reason = "held for its drop")]
    pub place: Option<Slot>,
}

/// How one attempt to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The provider answered for good; there is nothing more to do but to tell the outbox.
    Answered(Fate),
    /// The provider did not take it, but may later, and not before the given pause.
    Retry(Option<Duration>),
    /// The provider failed over it, and may do better later: it may have taken it all the same.
    Unsure(Option<Duration>),
    /// The provider gave no answer: it may have taken it.
    Unanswered,
    /// The provider takes nothing until an operator acts.
    Misconfigured,
    /// It is not to be sent any more; no provider was asked.
    Moot(Fate),
    /// The outbox or the code book is away, so that nobody knows whether it is still to be sent.
    Postponed,
    /// The attempt panicked: it counts as a try.
    Lost,
}

impl Verdict {
    /// What it tells of the provider.
    pub const fn report(self) -> Report {
        match self {
            Self::Answered(_) => Report::Answered,
            Self::Retry(_) | Self::Unsure(_) | Self::Unanswered | Self::Lost => Report::Failed,
            Self::Misconfigured => Report::Refused,
            Self::Moot(_) | Self::Postponed => Report::NotCalled,
        }
    }
}

/// How one look-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The provider has it.
    Taken,
    /// It never got it.
    NotTaken,
    /// It cannot tell.
    Unknown,
    /// As in [`Verdict`].
    Moot(Fate),
    Postponed,
}

/// An errand on its way through the dispatcher.
#[derive(Debug)]
pub(super) struct Job {
    pub ticket: Ticket,
    pub leased_at: Instant,
    /// When its first call began.
    pub began: Option<Instant>,
    /// The lines that may have it already, each asked before it is sent again.
    pub doubts: VecDeque<LineId>,
    pub tries: u32,
    /// Of these, the calls whose answer was lost and that no look-up has cleared: each may have been an SMS.
    pub unanswered: u32,
    /// Times that the outbox or the code book was away.
    pub setbacks: u32,
    /// The lines that refused the account over it.
    pub refused_by: BTreeSet<LineId>,
    /// The lines that asked for a long pause where there are others.
    pub paused_by: BTreeSet<LineId>,
    /// Its place among all that wait.
    pub turn: u64,
}

impl Job {
    pub fn new(ticket: Ticket, leased_at: Instant) -> Self {
        Self {
            ticket,
            leased_at,
            began: None,
            doubts: VecDeque::new(),
            tries: 0,
            unanswered: 0,
            setbacks: 0,
            refused_by: BTreeSet::new(),
            paused_by: BTreeSet::new(),
            turn: 0,
        }
    }

    /// The lines by which it goes only if all others are shut.
    pub fn shunned_by(&self) -> BTreeSet<LineId> {
        &self.refused_by | &self.paused_by
    }

    pub fn id(&self) -> Uuid {
        self.ticket.errand.id()
    }

    pub fn errand(&self) -> Arc<Errand> {
        Arc::clone(&self.ticket.errand)
    }
}
