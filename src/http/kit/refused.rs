//! Which answers are refusals that are kept: wrong codes, wrong passwords of one's own, requests over a limit. Failed logins
//! are counted where it is known whose account they were about.

use actix_web::{HttpRequest, web};
use std::sync::Arc;

use crate::{
    events::{EventKind, RefusalKey},
    http::{
        api::Api,
        kit::{client::client_network, line::user_of, problem::ApiError},
    },
    problem::ProblemDetails,
};

/// Counts the answer to this request, if it is a refusal.
pub fn note(request: &HttpRequest, error: &ApiError) {
    let Some((kind, reason)) = refusal(&error.details()) else {
        return;
    };
    if let Some(api) = request.app_data::<web::Data<Api>>() {
        let (user, client) = (user_of(request), client_network(api, request));
        api.refusals
            .note(RefusalKey::of_caller(kind, user, client, reason));
    }
}

/// What was refused, and by which rule or why.
fn refusal(details: &ProblemDetails) -> Option<(EventKind, Arc<str>)> {
    if let Some(limit) = &details.limit {
        return Some((EventKind::RequestRefused, Arc::clone(&limit.rule)));
    }
    let kind = match details.code {
        "otp_invalid" | "otp_attempts_exceeded" | "otp_expired" => EventKind::CodeRefused,
        "password_incorrect" => EventKind::LoginFailed,
        _ => return None,
    };
    Some((kind, details.code.into()))
}
