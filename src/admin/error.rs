//! Why an administrator may not.

use thiserror::Error;

use crate::{
    problem::{Problem, ProblemDetails},
    unavailable::Unavailable,
};

/// Why an administrator may not.
#[derive(Debug, Error)]
pub enum AdminError {
    #[error("the session has no second proof, or too old a one")]
    SecondProofRequired,
    #[error("the role does not allow it")]
    Forbidden,
    #[error("administrators do not do this to themselves")]
    Own,
    #[error("nobody would be left who may do everything")]
    LastAdministrator,
    #[error("the address is not proven: its code has to be entered first")]
    NotProven,
    #[error("there is no such account")]
    NotFound,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Problem for AdminError {
    fn details(&self) -> ProblemDetails {
        let forbidden = |detail: &'static str| ProblemDetails::new(403, "forbidden", detail);
        match self {
            Self::SecondProofRequired => ProblemDetails::new(
                403,
                "second_proof_required",
                "Prove who you are once more at /api/admin/session/, and use the tokens that come of it.",
            ),
            Self::Forbidden => forbidden("Your role does not allow this."),
            Self::Own => forbidden("Nobody does this to their own account here: ask another administrator."),
            Self::LastAdministrator => forbidden("This is the last administrator: make another one first."),
            Self::NotProven => ProblemDetails::new(
                409,
                "not_verified",
                "This address is not proven: its code has to be entered first.",
            ),
            Self::NotFound => ProblemDetails::not_found(),
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
