//! Limits: the rules, what is paused, who is refused now, what shadow rules would have done.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    access::{enter, enter_with, reason},
    limits_views::{LimitsView, PauseView},
};
use crate::{
    admin::Entered,
    http::{
        api::Api,
        kit::{
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
            rejection::Rejection,
        },
        ops::limits::{MAX_PAUSE_SECONDS, paused},
    },
    limits::Paused,
    problem::FieldErrors,
    tokens::Role,
};

/// What is to be paused: a country or a prefix, for how long, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AdminPauseRequest {
    /// Two letters. This, or `prefix`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 2, max_length = 2, example = "TJ")]
    country: Field,
    /// The first digits of numbers, 8 at most.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 9, example = json!(null))]
    prefix: Field,
    #[serde(default)]
    #[schema(value_type = u64, required, minimum = 1, maximum = 2_592_000, example = 7200)]
    seconds: Field,
    /// Kept with the event.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "Somebody pumps.")]
    reason: Field,
}

/// What is to go on: a country or a prefix, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AdminResumeRequest {
    /// Two letters. This, or `prefix`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 2, max_length = 2, example = "TJ")]
    country: Field,
    /// The first digits of numbers, 8 at most.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 9, example = json!(null))]
    prefix: Field,
    /// Kept with the event.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "It is over.")]
    reason: Field,
}

pub fn show_docs() -> Docs {
    Docs::new("admin_limits", Tag::Administration, "See what limits do now.")
        .text(
            "The rules in force, what is paused, who was refused in the last 15 minutes, and of this instance what shadow rules \
             would have done and what became of codes in the last hour.",
        )
        .bearer()
        .answers(200, "What limits do now.", &LimitsView::example())
        .administers(Role::Support)
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

/// Shows what limits do now.
pub async fn show(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    Ok(HttpResponse::Ok().json(found(&api, &entered).await?))
}

/// What limits do now.
pub async fn found(api: &Api, entered: &Entered) -> Result<LimitsView, ApiError> {
    let (refused_since, refused) = api.admin.refused_now(&entered.acting(None)).await?;
    Ok(LimitsView::new(&api.flows.codes.limiter, refused_since, refused))
}

pub fn pause_docs() -> Docs {
    changes("admin_pause", "Pause a country or a prefix.")
        .text(
            "No code goes there, within a second in all instances, until the pause is over by itself. What is paused for so long \
             already, or for less than a minute less, stays as it is, without a further event; a longer pause takes its place.",
        )
        .body::<AdminPauseRequest>(
            &["seconds", "reason"],
            &[("country", json!({ "country": "TJ", "seconds": 7200, "reason": "Somebody pumps." }))],
        )
}

/// Pauses a country or a prefix.
pub async fn pause(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<AdminPauseRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    let (what, length, reason) = to_pause(body)?;
    let limiter = &api.flows.codes.limiter;
    let by = entered.acting(Some(reason));
    let change = api.admin.pause(&by, limiter, what, length).await?;
    Ok(HttpResponse::Ok().json(PauseView::of(&change.pause)))
}

pub fn resume_docs() -> Docs {
    changes("admin_resume", "End a pause.")
        .text("Codes go there again, within a second in all instances. What isn't paused is no error.")
        .body::<AdminResumeRequest>(
            &["reason"],
            &[("country", json!({ "country": "TJ", "reason": "It is over." }))],
        )
}

/// Ends a pause.
pub async fn resume(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<AdminResumeRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    let (what, reason) = to_resume(body)?;
    let limiter = &api.flows.codes.limiter;
    let by = entered.acting(Some(reason));
    api.admin.resume(&by, limiter, &what).await?;
    Ok(HttpResponse::Ok().json(PauseView::ended(what.name())))
}

/// Reads what is to be paused.
pub fn to_pause(body: AdminPauseRequest) -> Result<(Paused, Duration, String), ApiError> {
    let mut faults = Faults::default();
    let what = paused(&mut faults, body.country, body.prefix);
    if matches!(body.seconds, Field::Missing | Field::Null) {
        faults.note("seconds", "This field is required.");
    }
    let most = i64::try_from(MAX_PAUSE_SECONDS).unwrap_or(i64::MAX);
    let seconds = faults.number("seconds", body.seconds, 1..=most);
    let length = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    match (what, length, reason(&mut faults, body.reason)) {
        (Some(what), Some(length), Some(reason)) => Ok((what, Duration::from_secs(length), reason)),
        _ => Err(faults.into_error()),
    }
}

/// Reads what is to go on.
pub fn to_resume(body: AdminResumeRequest) -> Result<(Paused, String), ApiError> {
    let mut faults = Faults::default();
    let what = paused(&mut faults, body.country, body.prefix);
    match (what, reason(&mut faults, body.reason)) {
        (Some(what), Some(reason)) => Ok((what, reason)),
        _ => Err(faults.into_error()),
    }
}

fn changes(id: &str, summary: &str) -> Docs {
    Docs::new(id, Tag::Administration, summary)
        .bearer()
        .answers(200, "How it is now.", &PauseView::example())
        .refuses([Rejection::Fields(FieldErrors::from([(
            "country",
            vec!["Send a country, or a prefix.".into()],
        )]))])
        .administers(Role::Admin)
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

impl AdminPauseRequest {
    /// From the fields of a form, where an empty one is none.
    pub fn of([country, prefix, seconds, reason]: [&str; 4]) -> Self {
        let AdminResumeRequest {
            country,
            prefix,
            reason,
        } = AdminResumeRequest::of([country, prefix, reason]);
        Self {
            country,
            prefix,
            seconds: Field::Word(seconds.to_owned()),
            reason,
        }
    }
}

impl AdminResumeRequest {
    /// As for [`AdminPauseRequest::of`].
    pub fn of([country, prefix, reason]: [&str; 3]) -> Self {
        let filled = |text: &str| match text.trim() {
            "" => Field::Missing,
            text => Field::Word(text.to_ascii_uppercase()),
        };
        Self {
            country: filled(country),
            prefix: filled(prefix),
            reason: Field::Word(reason.to_owned()),
        }
    }
}
