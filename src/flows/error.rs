//! Why no code was sent, or a code was not taken.

use std::time::Duration;

use thiserror::Error;

use crate::{
    accounts::{AccountError, PasswordError},
    limits::{Denied, Refusal},
    problem::{FieldErrors, Problem, ProblemDetails, WorkChallenge},
    unavailable::Unavailable,
};

/// After how long it is worth asking again whether e-mail is configured: an operator has to see to it.
const MAIL_PAUSE: Duration = Duration::from_secs(60);

/// Why no code was sent, or a code was not taken.
#[derive(Debug, Error)]
pub enum FlowError {
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
    #[error("no codes go to the {} of the phone", .0.label())]
    PhoneNotSupported(Unsupported),
    #[error("no provider of e-mail is configured")]
    MailNotConfigured,
    #[error("the new password is refused")]
    Password(PasswordError),
    #[error("it is the account's phone already")]
    SamePhone,
    #[error("it is the account's e-mail address already")]
    SameEmail,
    #[error("another account proved the address meanwhile")]
    LostRace,
    #[error(transparent)]
    Account(AccountError),
    #[error("the account or the session may not administer: {0:?}")]
    MayNotAdminister(MayNotAdminister),
    #[error("a public challenge is judged with its id alone")]
    ChallengeIdRequired,
    #[error("a code was sent to the address moments ago")]
    Cooldown(Refusal),
    #[error("a proof of work is asked for")]
    ProofRequired(Box<WorkChallenge>),
    #[error("refused by a rate limit")]
    Limited(Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why no second proof is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayNotAdminister {
    /// The account has no role.
    NoRole,
    /// The session was opened without the password.
    NoPassword,
    /// The password was set anew by a code, not long ago.
    ResetLately,
    /// The phone or the e-mail address was changed, not long ago.
    ChangedLately,
    /// Neither a phone nor an e-mail address is proven, or the phone is a test number and no address is.
    NothingProven,
}

impl MayNotAdminister {
    /// What the client is told.
    const fn detail(self) -> &'static str {
        match self {
            Self::NoRole => "This account has no role to administer by.",
            Self::NoPassword => "Sign in with the password first.",
            Self::ResetLately => "The password was reset less than 24 hours ago. Try again after that time.",
            Self::ChangedLately => {
                "The phone or the e-mail address was changed less than 24 hours ago. Try again after that time."
            }
            Self::NothingProven => "Prove the phone or the e-mail address of this account first.",
        }
    }
}

/// What of a phone is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    Country,
    Kind,
}

impl Unsupported {
    /// Its name in metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Kind => "kind",
        }
    }
}

impl FlowError {
    /// Whether it leaves a right code good: what stood in its way may go.
    pub(super) const fn keeps_code(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::AmbiguousClaim | Self::LostRace | Self::Password(_)
        )
    }

    /// Its name in metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Wrong { .. } => "wrong",
            Self::AttemptsExceeded => "exceeded",
            Self::Expired | Self::UnknownChallenge => "expired",
            Self::AmbiguousClaim => "ambiguous",
            Self::PhoneTaken | Self::LostRace => "taken",
            Self::PhoneNotSupported(_) => "not_supported",
            Self::MailNotConfigured => "not_configured",
            Self::Password(_) => "password",
            Self::SamePhone | Self::SameEmail | Self::Account(_) | Self::MayNotAdminister(_) => "refused",
            Self::ChallengeIdRequired => "no_challenge_id",
            Self::Cooldown(_) | Self::Limited(_) | Self::ProofRequired(_) => "limited",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// What a client is told that has to prove some work.
fn asking_for_work(challenge: &WorkChallenge) -> ProblemDetails {
    ProblemDetails {
        proof: Some(challenge.clone()),
        ..ProblemDetails::new(
            428,
            "proof_required",
            "Solve the proof of work, and send the request again with it as X-Proof.",
        )
    }
}

impl Problem for FlowError {
    fn details(&self) -> ProblemDetails {
        match self {
            Self::Wrong { attempts_remaining } => ProblemDetails {
                attempts_remaining: Some(*attempts_remaining),
                ..ProblemDetails::new(400, "otp_invalid", "The code is wrong.")
            },
            Self::AttemptsExceeded => ProblemDetails::new(
                400,
                "otp_attempts_exceeded",
                "Too many wrong codes. Request a new code.",
            ),
            Self::Expired | Self::LostRace => ProblemDetails::new(
                400,
                "otp_expired",
                "The code has expired or was used. Request a new code.",
            ),
            Self::UnknownChallenge => ProblemDetails::not_found(),
            Self::AmbiguousClaim => ProblemDetails::new(
                409,
                "ambiguous_claim",
                "Several accounts claim this phone. Sign in, then enter the code.",
            ),
            Self::PhoneTaken => {
                ProblemDetails::new(409, "phone_taken", "The phone is verified on another account.")
            }
            Self::PhoneNotSupported(Unsupported::Country) => ProblemDetails::new(
                400,
                "phone_not_supported",
                "No codes are sent to phones of this country.",
            )
            .with_field("phone", "Phones of this country can't be verified here."),
            Self::PhoneNotSupported(Unsupported::Kind) => ProblemDetails::new(
                400,
                "phone_not_supported",
                "No codes are sent to numbers of this kind.",
            )
            .with_field(
                "phone",
                "Enter a mobile number: landlines, premium-rate, toll-free, satellite and such numbers can't be verified here.",
            ),
            Self::MailNotConfigured => ProblemDetails {
                retry_after: Some(MAIL_PAUSE),
                ..ProblemDetails::new(503, "mail_not_configured", "This service sends no e-mail.")
            },
            Self::Password(error) => ProblemDetails::validation_failed(FieldErrors::new())
                .with_field("password", error.to_string()),
            Self::SamePhone => ProblemDetails::validation_failed(FieldErrors::new())
                .with_field("phone", "This is your phone already."),
            Self::SameEmail => ProblemDetails::validation_failed(FieldErrors::new())
                .with_field("email", "This is your e-mail address already."),
            Self::Account(error) => error.details(),
            Self::MayNotAdminister(why) => ProblemDetails::new(403, "forbidden", why.detail()),
            Self::ChallengeIdRequired => ProblemDetails::validation_failed(FieldErrors::new())
                .with_field("challenge_id", "This field is required."),
            Self::Cooldown(refusal) => ProblemDetails {
                code: "resend_cooldown",
                detail: "A code was sent to this address moments ago.".into(),
                ..refusal.details()
            },
            Self::ProofRequired(challenge) => asking_for_work(challenge),
            Self::Limited(refusal) => refusal.details(),
            Self::Unavailable(unavailable) => unavailable.details(),
        }
    }

    fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(unavailable) => Some(unavailable),
            Self::Account(error) => error.unavailable(),
            _ => None,
        }
    }
}

impl From<MayNotAdminister> for FlowError {
    fn from(why: MayNotAdminister) -> Self {
        Self::MayNotAdminister(why)
    }
}

impl From<AccountError> for FlowError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Limited(refusal) => Self::Limited(refusal),
            AccountError::Unavailable(unavailable) => Self::Unavailable(unavailable),
            error => Self::Account(error),
        }
    }
}

impl From<Denied> for FlowError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => Self::Limited(refusal),
            Denied::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}
