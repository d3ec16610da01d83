//! What a provider answers again and again is said once, then each minute with a count, and once when it is over: a line
//! for each message that meets it would bury all others.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{
    cause::Cause,
    outage::{PastSpell, Spell},
    provider::{FailureKind, FailureReason},
};

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// The message was not taken, but may be later.
    NotTaken,
    /// Whether it was taken, nobody knows.
    Unanswered,
    /// The provider refuses this account, its sender or its credentials.
    Misconfigured,
    /// One recipient after the other is put off.
    PutOff,
    /// Of one recipient after the other it is cut off.
    CutOff,
    /// One recipient after the other is refused by a policy.
    Policy,
}

impl Failure {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotTaken => "not taken",
            Self::Unanswered => "unanswered",
            Self::Misconfigured => "misconfigured",
            Self::PutOff => "put off",
            Self::CutOff => "cut off",
            Self::Policy => "refused by a policy",
        }
    }
}

/// Whether a failure is to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is the first.
    Begins,
    /// So many since it was last said.
    GoesOn { failures: u64 },
    /// It was said a moment ago.
    None,
}

/// The failures of one provider that have not ended.
#[derive(Default)]
pub(super) struct Failures(BTreeMap<Failure, Spell>);

impl Failures {
    pub fn failed(&mut self, failure: Failure, now: Instant) -> News {
        let Some(spell) = self.0.get_mut(&failure) else {
            self.0.insert(failure, Spell::begin(now));
            return News::Begins;
        };
        spell.failed(now);
        let goes_on = spell.goes_on(now);
        goes_on.map_or(News::None, |failures| News::GoesOn { failures })
    }

    /// A message was accepted: what failed before may be over with it.
    pub fn accepted(&mut self, now: Instant) {
        self.0.values_mut().for_each(|spell| spell.worked(now));
    }

    /// What is over.
    pub fn over(&mut self, now: Instant) -> Vec<(Failure, PastSpell)> {
        let mut over = Vec::new();
        self.0.retain(|&failure, spell| {
            let past = spell.over(now);
            let goes_on = past.is_none();
            over.extend(past.map(|past| (failure, past)));
            goes_on
        });
        over
    }
}

/// What the log says of it.
pub(super) const fn words(failure: Failure, reason: FailureReason) -> &'static str {
    match failure {
        Failure::NotTaken => "the provider takes no message, and is tried again",
        Failure::Unanswered => "the provider gives no answer: messages may have been taken, or not",
        Failure::PutOff => "the provider puts off all messages, to recipients of several domains",
        Failure::CutOff => "the provider gives no answer about any message, to recipients of several domains",
        Failure::Policy => {
            "NO MESSAGE GOES OUT by this provider: it refuses all recipients, of several domains, and so may not know the sender"
        }
        Failure::Misconfigured => match reason {
            FailureReason {
                cause: Some(Cause::TlsNotOffered),
                ..
            } => "NO MESSAGE GOES OUT by this provider: it offers no TLS, which the configuration asks for",
            FailureReason {
                cause: Some(Cause::LoginNotOffered),
                ..
            } => "NO MESSAGE GOES OUT by this provider: it offers no way to log in that is known here",
            FailureReason {
                cause: Some(Cause::Utf8NotOffered),
                ..
            } => {
                "NO MESSAGE GOES OUT by this provider: it takes addresses in ASCII alone, and the sender's (mail.from) is none"
            }
            FailureReason {
                kind: FailureKind::Redirect,
                ..
            } => "NO MESSAGE GOES OUT by this provider: its URL leads elsewhere, which is not followed",
            FailureReason {
                kind: FailureKind::Request,
                ..
            } => "NO MESSAGE GOES OUT by this provider: no request can be built by its configuration",
            _ => {
                "NO MESSAGE GOES OUT by this provider: it refuses this account, its sender or its credentials"
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_is_said_once_each_minute_and_at_its_end() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(failures.failed(Failure::NotTaken, at(0)), News::Begins);
        for second in 1..=130 {
            let expected = match second {
                60 | 120 => News::GoesOn { failures: 60 },
                _ => News::None,
            };
            assert_eq!(
                failures.failed(Failure::NotTaken, at(second)),
                expected,
                "{second}"
            );
        }
        assert_eq!(
            failures.failed(Failure::Misconfigured, at(131)),
            News::Begins,
            "another one"
        );
        failures.accepted(at(132));
        assert_eq!(
            failures.failed(Failure::Misconfigured, at(133)),
            News::None,
            "one message is no end"
        );
        assert_eq!(failures.over(at(159)), []);
        let over = |failure, failures, lasted| {
            let lasted = Duration::from_secs(lasted);
            (failure, PastSpell { failures, lasted })
        };
        assert_eq!(failures.over(at(160)), [over(Failure::NotTaken, 131, 132)]);
        assert_eq!(failures.over(at(400)), [], "nobody knows yet");
        failures.accepted(at(401));
        assert_eq!(failures.over(at(402)), [over(Failure::Misconfigured, 2, 270)]);
        assert_eq!(failures.over(at(500)), []);
        assert_eq!(
            failures.failed(Failure::NotTaken, at(501)),
            News::Begins,
            "a new one"
        );
    }

    #[test]
    fn what_is_no_refusal_is_not_told_as_one() {
        let told = |kind, cause| words(Failure::Misconfigured, FailureReason::of(kind).because(cause));
        for (kind, cause, part) in [
            (FailureKind::Refused, None, "it refuses this account"),
            (
                FailureKind::Refused,
                Some(Cause::TlsNotOffered),
                "it offers no TLS",
            ),
            (
                FailureKind::Refused,
                Some(Cause::LoginNotOffered),
                "no way to log in",
            ),
            (
                FailureKind::Refused,
                Some(Cause::Utf8NotOffered),
                "the sender's (mail.from)",
            ),
            (FailureKind::Redirect, None, "leads elsewhere"),
            (FailureKind::Request, None, "no request can be built"),
        ] {
            let told = told(kind, cause);
            assert!(
                told.starts_with("NO MESSAGE GOES OUT") && told.contains(part),
                "{told}"
            );
        }
    }
}
