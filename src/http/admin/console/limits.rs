//! What limits do now, and the forms that pause a country or a prefix.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{
    enter::enter,
    error::ConsoleError,
    page::{go_to, page},
    sign_in::Form,
};
use crate::{
    http::{
        admin::limits::{AdminPauseRequest, AdminResumeRequest, found, to_pause, to_resume},
        api::Api,
        kit::extract::{Field, FormBody, Query},
    },
    tokens::Role,
};

/// What came of a form, as an address names it and as the page says it.
const DONE: [(&str, &str); 4] = [
    ("paused", "It is paused."),
    ("already", "It was paused for so long already: nothing changed."),
    ("resumed", "Codes go there again."),
    ("ended", "It was not paused any more: nothing changed."),
];

/// Shows what limits do now.
pub async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let found = found(&api, &inside.entered)
        .await
        .map_err(ConsoleError::Problem)?;
    let done = match query.take("done") {
        Field::Word(name) => DONE
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, says)| *says),
        _ => None,
    };
    let own = json!({ "limits": found, "done": done });
    Ok(page(
        StatusCode::OK,
        "limits.html",
        &inside.values(&api, "limits", own),
    ))
}

/// Pauses a country or a prefix.
pub async fn pause(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Admin).await?;
    let form = Form::of(&api, &request, inside.cookie, body)?;
    let fields = ["country", "prefix", "seconds", "reason"].map(|name| form.text(name));
    let (what, length, reason) = to_pause(AdminPauseRequest::of(fields)).map_err(ConsoleError::Problem)?;
    let by = inside.entered.acting(Some(reason));
    let limiter = &api.flows.codes.limiter;
    let change = api.admin.pause(&by, limiter, what, length).await?;
    Ok(back(if change.is_changed { "paused" } else { "already" }))
}

/// Ends a pause.
pub async fn resume(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Admin).await?;
    let form = Form::of(&api, &request, inside.cookie, body)?;
    let what = form.text("what");
    let is_prefix = what.bytes().all(|character| character.is_ascii_digit());
    let (country, prefix) = if is_prefix { ("", what) } else { (what, "") };
    let body = AdminResumeRequest::of([country, prefix, form.text("reason")]);
    let (what, reason) = to_resume(body).map_err(ConsoleError::Problem)?;
    let by = inside.entered.acting(Some(reason));
    let was_paused = api.admin.resume(&by, &api.flows.codes.limiter, &what).await?;
    Ok(back(if was_paused { "resumed" } else { "ended" }))
}

fn back(done: &str) -> HttpResponse {
    go_to(&format!("/admin/limits/?done={done}")).finish()
}
