//! What a mail server's replies mean for an e-mail, by the step that they answer (RFC 5321 section 4.2, RFC 4954).
//!
//! | step | 4xx | 5xx |
//! |---|---|---|
//! | connect, STARTTLS, log in, sender | the server fails: later | nothing goes out until an operator acts |
//! | recipient, data, content | this e-mail is put off | this e-mail is given up |
//!
//! From the recipient on a reply may be for the sake of whom a stranger named, so it tells nothing of the server. The same is
//! true of none in time, of a connection that breaks, and of 421 (it closes the connection): the e-mail is cut off. But what
//! asks for a login is the operator's everywhere. An answer that is missing or unreadable while the e-mail was handed over
//! leaves open whether it was taken; before that, it wasn't.

use std::error::Error;

use lettre::transport::smtp;

use super::step::Step;
use crate::{
    cause::Cause,
    provider::{FailureKind, FailureReason, Outcome},
};

/// The server is about to close the connection.
const CLOSING: u16 = 421;
/// "Log in first", and what servers say of a login (RFC 4954 section 6).
const LOGIN: [u16; 4] = [530, 534, 535, 538];

/// `X.Y.Z` of RFC 3463.
type Enhanced = (u8, u16, u16);

/// Why a call failed. Holds nothing of what the server said but its numbers: its words may name the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// A reply, 4xx or 5xx, with its enhanced code (RFC 3463) if it begins with one.
    Reply { code: u16, enhanced: Option<Enhanced> },
    /// What we need, the server doesn't offer: STARTTLS, a way to log in, or addresses like the sender's.
    NotOffered(Cause),
    /// There was no connection, it broke, or what came is no reply; and why, if that is known.
    Broken(Option<Cause>),
    /// The address is none that this server can take, or the e-mail cannot be written.
    Unfit,
}

impl From<smtp::Error> for Failure {
    fn from(error: smtp::Error) -> Self {
        let Some(code) = error.status() else {
            return Self::Broken(Cause::of(&error));
        };
        let words = error.source().map(ToString::to_string);
        Self::Reply {
            code: code.into(),
            enhanced: words.as_deref().and_then(enhanced),
        }
    }
}

/// `5.7.1` at the beginning of a reply's words.
fn enhanced(words: &str) -> Option<Enhanced> {
    let mut numbers = words.split_whitespace().next()?.split('.');
    let class = numbers.next()?.parse().ok()?;
    let subject = numbers.next()?.parse().ok()?;
    let detail = numbers.next()?.parse().ok()?;
    Some((class, subject, detail))
}

fn asks_for_login(code: u16, enhanced: Option<Enhanced>) -> bool {
    LOGIN.contains(&code) || enhanced == Some((5, 7, 8))
}

/// Whether a refusal may be about the sender as well: relaying, or security and policy (RFC 3463 section 3.8).
const fn refusal(code: u16, enhanced: Option<Enhanced>) -> FailureKind {
    match (code, enhanced) {
        (_, Some((5, 7, _))) | (554, None) => FailureKind::Policy,
        _ => FailureKind::Refused,
    }
}

impl Failure {
    /// The outcome for an e-mail whose call failed at this step.
    pub(super) fn outcome(self, step: Step) -> Outcome {
        let reason = |kind, code: Option<u16>| FailureReason {
            kind,
            status: None,
            code: code.map(u32::from),
            cause: None,
        };
        let later = |kind, code| Outcome::Retryable {
            after: None,
            reason: reason(kind, code),
        };
        let is_for_one = matches!(step, Step::Recipient | Step::Data | Step::Content);
        match self {
            Self::Reply { code, .. } if code < 500 => match is_for_one {
                true if code == CLOSING => later(FailureKind::CutOff, Some(code)),
                true => later(FailureKind::PutOff, Some(code)),
                false => later(FailureKind::RateLimited, Some(code)),
            },
            Self::Reply { code, enhanced } if is_for_one && !asks_for_login(code, enhanced) => {
                Outcome::Permanent {
                    reason: reason(refusal(code, enhanced), Some(code)),
                }
            }
            Self::Reply { code, .. } => Outcome::Misconfigured {
                reason: reason(FailureKind::Refused, Some(code)),
            },
            Self::NotOffered(what) => Outcome::Misconfigured {
                reason: reason(FailureKind::Refused, None).because(Some(what)),
            },
            Self::Unfit => Outcome::Permanent {
                reason: reason(FailureKind::Request, None),
            },
            Self::Broken(_) if step == Step::Content => later(FailureKind::CutOffLate, None),
            Self::Broken(_) if is_for_one => later(FailureKind::CutOff, None),
            Self::Broken(cause) => Outcome::Retryable {
                after: None,
                reason: reason(FailureKind::Connect, None).because(cause),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(step: Step, code: u16, words: &str) -> &'static str {
        let failure = Failure::Reply {
            code,
            enhanced: enhanced(words),
        };
        name(&failure.outcome(step))
    }

    fn name(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Retryable { reason, .. } if reason.kind == FailureKind::PutOff => "put off",
            Outcome::Retryable { reason, .. } if reason.kind == FailureKind::CutOff => "cut off",
            Outcome::Retryable { .. } => "later",
            Outcome::Permanent { reason } if reason.kind == FailureKind::Policy => "given up by a policy",
            Outcome::Permanent { .. } => "given up",
            Outcome::Misconfigured { .. } => "operator",
        }
    }

    #[test]
    fn a_reply_means_what_the_step_makes_of_it() {
        for (step, code, words, meaning) in [
            (Step::Connect, 554, "no service here", "operator"),
            (Step::Connect, 421, "busy", "later"),
            (Step::Encrypt, 454, "4.7.0 TLS is not available", "later"),
            (Step::LogIn, 535, "5.7.8 wrong", "operator"),
            (Step::LogIn, 454, "4.7.0 for now", "later"),
            (Step::Sender, 550, "5.1.8 unknown sender", "operator"),
            (Step::Sender, 451, "", "later"),
            (Step::Recipient, 550, "5.1.1 no such user", "given up"),
            (
                Step::Recipient,
                554,
                "5.7.1 relay access denied",
                "given up by a policy",
            ),
            (Step::Recipient, 550, "5.7.1 rejected", "given up by a policy"),
            (Step::Recipient, 554, "5.2.1 disabled", "given up"),
            (Step::Recipient, 530, "5.7.0 log in first", "operator"),
            (Step::Recipient, 535, "5.7.8 no", "operator"),
            (Step::Recipient, 450, "4.2.0 greylisted", "put off"),
            (Step::Recipient, 451, "", "put off"),
            (Step::Recipient, 452, "4.2.2 mailbox full", "put off"),
            (Step::Sender, 421, "4.3.2 closing", "later"),
            (Step::Recipient, 421, "4.3.2 closing", "cut off"),
            (Step::Data, 451, "4.7.1 greylisted", "put off"),
            (Step::Data, 554, "no valid recipients", "given up by a policy"),
            (Step::Content, 552, "5.3.4 too big", "given up"),
            (Step::Content, 554, "5.7.1 spam", "given up by a policy"),
            (Step::Content, 452, "4.3.1 full", "put off"),
            (Step::Content, 421, "", "cut off"),
        ] {
            assert_eq!(outcome(step, code, words), meaning, "{step:?} {code} {words}");
        }
    }

    #[test]
    fn a_lost_answer_leaves_it_open_only_once_the_e_mail_was_handed_over() {
        let kind = |step| match Failure::Broken(None).outcome(step) {
            Outcome::Retryable { reason, .. } => reason.kind,
            outcome => unreachable!("{outcome:?}"),
        };
        assert_eq!(kind(Step::Content), FailureKind::CutOffLate);
        for step in [Step::Connect, Step::Encrypt, Step::LogIn, Step::Sender] {
            assert_eq!(kind(step), FailureKind::Connect, "{step:?}");
        }
        for step in [Step::Recipient, Step::Data] {
            assert_eq!(kind(step), FailureKind::CutOff, "{step:?}");
        }
        let not_offered = Failure::NotOffered(Cause::TlsNotOffered).outcome(Step::Encrypt);
        assert_eq!(name(&not_offered), "operator");
        assert_eq!(not_offered.reason().unwrap().to_string(), "TLS not offered");
        assert_eq!(name(&Failure::Unfit.outcome(Step::Sender)), "given up");
    }
}
