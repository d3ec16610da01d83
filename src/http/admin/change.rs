//! What changes an account for good: its names, its limits, its end.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    access::{enter_with, reason},
    holds::{self, Held},
    user::{ReasonRequest, about_one, account_id, acting, changes},
    views::AdminUserView,
};
use crate::{
    accounts::{PersonName, ProfileChange},
    admin::AdminError,
    flows::FlowError,
    http::{
        api::Api,
        kit::{
            docs::{Docs, Tag},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
        },
    },
    tokens::Role,
};

/// What is to be changed; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AdminChangeRequest {
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 150, pattern = "{name}", example = "Test")]
    first_name: Field,
    /// Null or empty for whoever has one name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150, pattern = "{last_name}", example = "User")]
    last_name: Field,
    /// Kept with the event.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "A typing error.")]
    reason: Field,
    /// Refused: these change once their new owner is proven.
    #[serde(default)]
    #[schema(ignore)]
    email: Field,
    #[serde(default)]
    #[schema(ignore)]
    phone: Field,
}

const BY_OWNER: &str = "Its owner changes it, by a code that proves it.";
const NOTHING: &str = "Send first_name, last_name, or both.";

pub fn change_docs() -> Docs {
    about_one(Docs::new(
        "admin_change",
        Tag::Administration,
        "Change an account's name.",
    ))
    .text("E-mail address and phone are their owner's to change: each is proven by a code.")
    .body::<AdminChangeRequest>(
        &["reason"],
        &[(
            "name",
            json!({ "first_name": "Test", "last_name": "User", "reason": "A typing error." }),
        )],
    )
    .answers(200, "The account as it is now.", &AdminUserView::example())
    .administers(Role::Admin)
}

/// Changes an account's name.
pub async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<AdminChangeRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    let (change, reason) = profile_change(body)?;
    let by = entered.acting(Some(reason));
    let account = api.admin.change(&by, account_id(&id)?, change).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(account)))
}

fn profile_change(body: AdminChangeRequest) -> Result<(ProfileChange, String), ApiError> {
    let mut faults = Faults::default();
    let first_name = match body.first_name {
        Field::Missing => None,
        field => faults.required("first_name", field, PersonName::parse),
    };
    let last_name = faults.change("last_name", body.last_name, PersonName::parse_or_absent);
    for (name, field) in [("email", body.email), ("phone", body.phone)] {
        if !matches!(field, Field::Missing) {
            faults.note(name, BY_OWNER);
        }
    }
    let reason = reason(&mut faults, body.reason);
    if first_name.is_none() && last_name.is_none() && faults.is_empty() {
        faults.note("first_name", NOTHING);
    }
    let change = ProfileChange {
        first_name,
        last_name: last_name.map(|name| name.unwrap_or(PersonName::ABSENT)),
    };
    match reason {
        Some(reason) if faults.is_empty() => Ok((change, reason)),
        _ => Err(faults.into_error()),
    }
}

pub fn delete_docs() -> Docs {
    about_one(Docs::new("admin_delete", Tag::Administration, "Delete an account."))
        .text(
            "Erases it with its sessions, as its owner could. The second proof has to be less than five minutes old. What \
             happened and what was sent stays on record without whose it was.",
        )
        .body::<ReasonRequest>(&["reason"], &[("reason", json!({ "reason": "Its owner asked for it." }))])
        .answer(204, "The account is gone.", Value::Null)
        .refuses([AdminError::Own, AdminError::LastAdministrator])
        .administers(Role::Admin)
}

/// Deletes an account.
pub async fn delete(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    api.admin.demand_fresh_proof(&entered)?;
    let (by, id) = acting(entered, &id, body)?;
    api.admin.erase(&by, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub fn release_docs() -> Docs {
    changes("admin_release_limits", "Release the limits that hold an account up.", Role::Support).text(
        "Gives back what rules count by the account, its phone or its e-mail address alone, and forgets the cooldown and the \
         wrong codes of both. Rules by network, country, prefix and all together stay as they are.",
    )
}

/// Releases the limits that hold an account up.
pub async fn release_limits(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Support, body).await?;
    let (by, id) = acting(entered, &id, body)?;
    let page = api.admin.look(id).await?;
    let released = holds::release(&api, &Held::of(&api, &page).await?)
        .await
        .map_err(FlowError::from)?;
    api.admin.note_released(&by, id, released).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(page.account)))
}
