//! What goes wrong, as a page.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use super::page::{go_to, page};
use crate::{
    http::kit::{problem::ApiError, request_id::request_id},
    problem::{Problem, ProblemDetails},
};

/// Where somebody begins.
pub const SIGN_IN: &str = "/admin/sign-in/";

/// What goes wrong in the console.
#[derive(Debug)]
pub enum ConsoleError {
    /// Nobody is signed in, or no more.
    SignIn,
    /// A form of another site, or of another sign-in.
    Forged,
    /// What the API would answer.
    Problem(ApiError),
}

impl<E: Problem> From<E> for ConsoleError {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl ConsoleError {
    /// What is told.
    pub fn details(&self) -> ProblemDetails {
        match self {
            Self::SignIn => ProblemDetails::new(401, "not_authenticated", "Sign in first."),
            Self::Forged => ProblemDetails::new(
                403,
                "forbidden",
                "This form is not of your sign-in, or the page is old. Go back, load it anew, and try again.",
            ),
            Self::Problem(error) => error.details(),
        }
    }
}

impl fmt::Display for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn => f.write_str("nobody is signed in"),
            Self::Forged => f.write_str("the form is not of this sign-in"),
            Self::Problem(error) => error.fmt(f),
        }
    }
}

impl ResponseError for ConsoleError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::SEE_OTHER,
            _ => StatusCode::from_u16(self.details().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::SignIn = self {
            return go_to(SIGN_IN).finish();
        }
        let (status, details) = (self.status_code(), self.details());
        let faults: Vec<_> = details.errors.values().flatten().collect();
        let values = json!({
            "title": status.canonical_reason(), "detail": details.detail, "faults": faults, "request_id": request_id(),
        });
        page(status, "error.html", &values)
    }
}
