//! Why somebody is not let in.

use thiserror::Error;

use crate::{
    limits::{Denied, Refusal},
    problem::{FieldErrors, Problem, ProblemDetails},
    tokens::TokenError,
    unavailable::Unavailable,
};

/// Why somebody is not let in.
#[derive(Debug, Error)]
pub enum AccountError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error("no account has this login and password")]
    InvalidCredentials,
    #[error("not a token of this service")]
    TokenInvalid,
    #[error("the token's time is over")]
    TokenExpired,
    #[error("the session was ended")]
    TokenRevoked,
    #[error("the account's password is another")]
    PasswordIncorrect,
    #[error("the account has a password, and none was given")]
    PasswordMissing,
    #[error("the account has no password, and its owner signed in too long ago, or not by a code")]
    SignInAnew,
    #[error("nobody else may do everything")]
    LastAdministrator,
    #[error("the account has nothing like that")]
    NotFound,
    #[error("refused by a rate limit")]
    Limited(Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Problem for AccountError {
    fn details(&self) -> ProblemDetails {
        match self {
            Self::EmailTaken => ProblemDetails::new(
                409,
                "email_taken",
                "An account with this e-mail already exists. If the address is yours, request a code at /api/users/register/code/ and register with it.",
            ),
            Self::InvalidCredentials => ProblemDetails::new(
                401,
                "invalid_credentials",
                "No account has this login and password.",
            ),
            Self::TokenInvalid => ProblemDetails::new(401, "token_invalid", "The token is not valid."),
            Self::TokenExpired => ProblemDetails::new(401, "token_expired", "The token has expired."),
            Self::TokenRevoked => ProblemDetails::new(401, "token_revoked", "The session has ended."),
            Self::PasswordIncorrect => {
                ProblemDetails::new(400, "password_incorrect", "The password is not right.")
            }
            Self::PasswordMissing => {
                let missing = ("password", vec!["This field is required.".into()]);
                ProblemDetails::validation_failed(FieldErrors::from_iter([missing]))
            }
            Self::SignInAnew => ProblemDetails::new(
                400,
                "password_incorrect",
                "The account has no password: sign in by a code, and try again within ten minutes.",
            ),
            Self::LastAdministrator => ProblemDetails::new(
                403,
                "forbidden",
                "This is the last administrator: make another one first.",
            ),
            Self::NotFound => ProblemDetails::not_found(),
            Self::Limited(refusal) => refusal.details(),
            Self::Unavailable(unavailable) => unavailable.details(),
        }
    }

    fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(unavailable) => Some(unavailable),
            _ => None,
        }
    }
}

impl From<Denied> for AccountError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => Self::Limited(refusal),
            Denied::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

impl From<TokenError> for AccountError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::TokenInvalid,
            TokenError::Expired => Self::TokenExpired,
        }
    }
}
