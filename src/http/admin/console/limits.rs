//! What limits do now, and the forms that pause a country or a prefix.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{
    enter::{Inside, enter, enter_by_form},
    form::{Form, Refusal},
    lists::letters_of,
    page::{country, go_to},
    said::say,
};
use crate::{
    http::{
        admin::limits::{AdminPauseRequest, AdminResumeRequest, found, to_pause, to_resume},
        api::Api,
        kit::{
            extract::{Faults, FormBody},
            problem::{ApiError, Shown},
        },
    },
    phone::Country,
    tokens::Role,
};

const LIMITS: &str = "/admin/limits/";
const NO_COUNTRY: &str = "No country is called so. Two letters, as DE, or its name in English.";

/// Shows what limits do now.
pub async fn show(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let shown = limits_page(&api, &request, &inside, Refusal::none()).await?;
    Ok(shown.answer())
}

async fn limits_page(
    api: &Api,
    request: &HttpRequest,
    inside: &Inside,
    refusal: Refusal,
) -> Result<Shown, ApiError> {
    let found = found(api, &inside.entered).await?;
    let own = json!({ "limits": found, "fault": refusal.fault, "typed": refusal.typed });
    Ok(inside.page(api, request, refusal.status, ("limits.html", "limits"), own))
}

/// Pauses a country or a prefix.
pub async fn pause(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let (inside, form) = enter_by_form(&api, &request, (Role::Admin, None), body).await?;
    let done = paused(&api, &inside, &form).await;
    answer(&api, &request, &inside, form.typed("pause"), done).await
}

async fn paused(api: &Api, inside: &Inside, form: &Form) -> Result<String, ApiError> {
    let typed = form.text("country").trim();
    if !typed.is_empty() && Country::named(typed).is_none() {
        let mut faults = Faults::default();
        faults.note("country", NO_COUNTRY);
        return Err(faults.into_error());
    }
    let country_typed = letters_of(typed);
    let [prefix, seconds, reason] = ["prefix", "seconds", "reason"].map(|name| form.text(name));
    let body = AdminPauseRequest::of([&country_typed, prefix, seconds, reason]);
    let (what, length, reason) = to_pause(body)?;
    let by = inside.entered.acting(Some(reason));
    let change = api
        .admin
        .pause(&by, &api.flows.codes.limiter, what, length)
        .await?;
    let name = country(change.pause.what.name());
    Ok(match change.is_changed {
        true => format!("It is paused. No code goes to {name} for now."),
        false => format!("{name} was paused for so long already: nothing changed."),
    })
}

/// Ends a pause.
pub async fn resume(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let (inside, form) = enter_by_form(&api, &request, (Role::Admin, None), body).await?;
    let done = resumed(&api, &inside, &form).await;
    answer(&api, &request, &inside, form.typed("resume"), done).await
}

async fn resumed(api: &Api, inside: &Inside, form: &Form) -> Result<String, ApiError> {
    let what = form.text("what");
    let is_prefix = what.bytes().all(|character| character.is_ascii_digit());
    let (letters, prefix) = if is_prefix { ("", what) } else { (what, "") };
    let body = AdminResumeRequest::of([letters, prefix, form.text("reason")]);
    let (what, reason) = to_resume(body)?;
    let by = inside.entered.acting(Some(reason));
    let was_paused = api.admin.resume(&by, &api.flows.codes.limiter, &what).await?;
    let name = country(what.name());
    Ok(match was_paused {
        true => format!("It is resumed. Codes go to {name} again."),
        false => format!("{name} was not paused any more: nothing changed."),
    })
}

/// What came of a form: the page says it once; or the page again, with the form as it was typed.
async fn answer(
    api: &Api,
    request: &HttpRequest,
    inside: &Inside,
    typed: serde_json::Value,
    done: Result<String, ApiError>,
) -> Result<HttpResponse, ApiError> {
    match done {
        Ok(says) => Ok(go_to(LIMITS).with(say(api, inside.cookie, &says)).answer()),
        Err(error) => {
            let refusal = Refusal::of(&error, typed);
            let again = limits_page(api, request, inside, refusal).await?;
            Err(error.shown_as(again))
        }
    }
}
