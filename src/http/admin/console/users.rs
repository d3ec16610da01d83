//! Finding accounts.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{enter::enter, error::ConsoleError, page::page};
use crate::{
    accounts::AccountStatus,
    http::{
        admin::users::found,
        api::Api,
        kit::extract::{Field, Query},
    },
    tokens::Role,
};

/// Shows the accounts that are looked for.
pub async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Support).await?;
    // An empty choice is none.
    let fields = ["q", "status", "cursor", "limit"].map(|name| match query.take(name) {
        Field::Word(text) if text.is_empty() => Field::Missing,
        field => field,
    });
    let (q, status, found) = found(&api, &inside.entered, fields)
        .await
        .map_err(ConsoleError::Problem)?;
    let own = json!({ "q": q, "status": status.map(AccountStatus::name), "found": found });
    Ok(page(
        StatusCode::OK,
        "users.html",
        &inside.values(&api, "users", own),
    ))
}
