//! Finding accounts.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{enter::enter, form::Refusal};
use crate::{
    accounts::AccountStatus,
    http::{
        admin::users::found,
        api::Api,
        kit::{
            extract::{Field, Query},
            problem::ApiError,
        },
    },
    tokens::Role,
};

const PAGE: (&str, &str) = ("users.html", "users");

/// Shows the accounts that are looked for.
pub async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let typed = query.shown(&["q", "status"]);
    // An empty choice is none.
    let fields = ["q", "status", "cursor", "limit"].map(|name| match query.take(name) {
        Field::Word(text) if text.is_empty() => Field::Missing,
        field => field,
    });
    let shown = match found(&api, &inside.entered, fields).await {
        Ok((q, status, found)) => {
            let own = json!({ "q": q, "status": status.map(AccountStatus::name), "found": found });
            inside.page(&api, &request, StatusCode::OK, PAGE, own)
        }
        Err(error) => {
            let Refusal { status, fault, .. } = Refusal::of(&error, json!({}));
            let own = json!({ "q": typed["q"], "status": typed["status"], "fault": fault });
            let again = inside.page(&api, &request, status, PAGE, own);
            return Err(error.shown_as(again));
        }
    };
    Ok(shown.answer())
}
