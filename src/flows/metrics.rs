//! What is counted of codes: how many were issued, and what became of those that were typed.

use std::sync::LazyLock;

use metrics::{Counter, counter};

use super::error::FlowError;
use crate::challenges::Purpose;

/// Why a code was not taken, as [`FlowError::label`] has it; and `right`.
const LABELS: [&str; 13] = [
    "right",
    "wrong",
    "exceeded",
    "expired",
    "ambiguous",
    "taken",
    "not_supported",
    "not_configured",
    "password",
    "refused",
    "no_challenge_id",
    "limited",
    "unavailable",
];

/// What goes out for a challenge.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Sms,
    Email,
    /// Nothing: a test number's code is known beforehand.
    Test,
    /// Nothing: a decoy.
    Decoy,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Sms, Self::Email, Self::Test, Self::Decoy];

    const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Test => "test",
            Self::Decoy => "decoy",
        }
    }
}

/// One counter for each purpose and kind, in their orders.
static ISSUED_BY: LazyLock<Vec<Counter>> = LazyLock::new(|| {
    let kinds = |purpose: Purpose| {
        Kind::ALL.map(
            |kind| counter!("ringback_otp_issued_total", "purpose" => purpose.name(), "kind" => kind.name()),
        )
    };
    Purpose::ALL.into_iter().flat_map(kinds).collect()
});

/// Counts a challenge that was issued.
pub(super) fn issued(purpose: Purpose, kind: Kind) {
    let at = purpose as usize * Kind::ALL.len() + kind as usize;
    if let Some(counter) = ISSUED_BY.get(at) {
        counter.increment(1);
    }
}

/// One counter for each purpose and label, in their orders.
static JUDGED_BY: LazyLock<Vec<Counter>> = LazyLock::new(|| {
    let labels = |purpose: Purpose| {
        LABELS.map(
            |label| counter!("ringback_otp_verdicts_total", "purpose" => purpose.name(), "verdict" => label),
        )
    };
    Purpose::ALL.into_iter().flat_map(labels).collect()
});

/// Counts a code that was typed.
pub(super) fn judged<T>(purpose: Purpose, outcome: &Result<T, FlowError>) {
    let verdict = outcome.as_ref().map_or_else(FlowError::label, |_| "right");
    let label = LABELS.iter().position(|&label| label == verdict);
    let at = label.map(|label| purpose as usize * LABELS.len() + label);
    if let Some(counter) = at.and_then(|at| JUDGED_BY.get(at)) {
        counter.increment(1);
    }
}

/// Has all of them stand at nought before the first code.
pub(super) fn begin_at_zero() {
    LazyLock::force(&ISSUED_BY);
    LazyLock::force(&JUDGED_BY);
}
