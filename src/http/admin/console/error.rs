//! What goes wrong in the console alone.

use actix_web::http::StatusCode;
use thiserror::Error;

use crate::problem::{Problem, ProblemDetails};

/// Where somebody begins.
pub const SIGN_IN: &str = "/admin/sign-in/";

/// What goes wrong in the console alone.
#[derive(Debug, Error)]
pub enum ConsoleError {
    #[error("nobody is signed in, or no more")]
    SignIn,
    #[error("the form is of another site, or of another sign-in")]
    Forged,
}

impl Problem for ConsoleError {
    fn details(&self) -> ProblemDetails {
        match self {
            Self::SignIn => ProblemDetails::new(401, "not_authenticated", "Sign in first."),
            Self::Forged => ProblemDetails::new(
                403,
                "forbidden",
                "This form is not of your sign-in, or the page is old. Nothing was done. Go back, load it anew, and try again.",
            ),
        }
    }
}

/// The status of an error that is shown as a page.
pub fn status_of(details: &ProblemDetails) -> StatusCode {
    StatusCode::from_u16(details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
