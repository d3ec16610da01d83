//! Why no code was sent, or a code was not taken.

use thiserror::Error;

use crate::{
    limits::{Denied, Refusal},
    unavailable::Unavailable,
};

/// Why no code was sent, or a code was not taken.
#[derive(Debug, Error)]
pub enum OtpError {
    #[error("the code is wrong")]
    Wrong { attempts_remaining: u8 },
    #[error("too many wrong codes for this challenge")]
    AttemptsExceeded,
    #[error("no live code")]
    Expired,
    #[error("no live challenge has this id")]
    UnknownChallenge,
    #[error("several accounts claim the phone")]
    AmbiguousClaim,
    #[error("the phone is verified on another account")]
    PhoneTaken,
    #[error("no SMS go to the country of the phone")]
    PhoneNotSupported,
    #[error("a public challenge is judged with its id alone")]
    ChallengeIdRequired,
    #[error("a code was sent to the phone moments ago")]
    Cooldown(Refusal),
    #[error("refused by a rate limit")]
    Limited(Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl OtpError {
    /// Its name in metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Wrong { .. } => "wrong",
            Self::AttemptsExceeded => "exceeded",
            Self::Expired | Self::UnknownChallenge => "expired",
            Self::AmbiguousClaim => "ambiguous",
            Self::PhoneTaken => "taken",
            Self::PhoneNotSupported => "not_supported",
            Self::ChallengeIdRequired => "no_challenge_id",
            Self::Cooldown(_) | Self::Limited(_) => "limited",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<Denied> for OtpError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => Self::Limited(refusal),
            Denied::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}
