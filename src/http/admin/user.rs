//! One account: all about it, and what is done for it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    access::{enter, enter_with, reason},
    holds::{Held, HoldView, holds},
    verifications::VerificationView,
    views::{AdminSessionView, AdminUserView},
};
use crate::{
    admin::{Acting, AdminError, Entered},
    channel::Channel,
    http::{
        api::Api,
        kit::{
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
        },
    },
    tokens::Role,
};

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReasonRequest {
    /// Kept with the event.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "The owner called.")]
    reason: Field,
}

/// All about one account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUserPage)]
pub struct UserPageView {
    user: AdminUserView,
    /// The live ones, those that were used last first.
    sessions: Vec<AdminSessionView>,
    /// What became of its last 20 messages, the newest first.
    verifications: Vec<VerificationView>,
    /// What refuses it now, whatever network it comes from; null while Redis doesn't answer.
    #[schema(required)]
    limits: Option<Vec<HoldView>>,
}

pub fn show_docs() -> Docs {
    about_one(Docs::new(
        "admin_user",
        Tag::Administration,
        "See all about an account.",
    ))
    .answers(
        200,
        "The account.",
        &UserPageView {
            user: AdminUserView::example(),
            sessions: vec![AdminSessionView::example()],
            verifications: vec![VerificationView::example()],
            limits: Some(vec![HoldView::example()]),
        },
    )
    .administers(Role::Support)
}

/// Shows all about an account.
pub async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    let page = api.admin.page(&entered.acting(None), account_id(&id)?).await?;
    let limits = holds(&api, &Held::of(&api, &page).await?).await;
    Ok(HttpResponse::Ok().json(UserPageView {
        user: page.account.into(),
        sessions: page.sessions.into_iter().map(Into::into).collect(),
        verifications: page.verifications.into_iter().map(Into::into).collect(),
        limits,
    }))
}

pub fn lock_docs() -> Docs {
    changes("admin_lock", "Lock an account.", Role::Admin)
        .text("Its sessions end for good, and a login under way gets in nowhere. Neither one's own nor the last administrator's.")
        .refuses([AdminError::Own, AdminError::LastAdministrator])
}

/// Locks an account.
pub async fn lock(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    let (by, id) = acting(entered, &id, body)?;
    let account = api.admin.lock(&by, id).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(account)))
}

pub fn unlock_docs() -> Docs {
    changes("admin_unlock", "Unlock an account.", Role::Support).text("No session comes back.")
}

/// Unlocks an account.
pub async fn unlock(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Support, body).await?;
    let (by, id) = acting(entered, &id, body)?;
    let account = api.admin.unlock(&by, id).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(account)))
}

pub fn confirm_phone_docs() -> Docs {
    confirms(
        "admin_confirm_phone",
        "Confirm that the proven phone is the owner's.",
    )
}

/// Confirms the phone of an account.
pub async fn confirm_phone(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    confirm(api, request, id, body, Channel::Sms).await
}

pub fn confirm_email_docs() -> Docs {
    confirms(
        "admin_confirm_email",
        "Confirm that the proven e-mail address is the owner's.",
    )
}

/// Confirms the e-mail address of an account.
pub async fn confirm_email(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    confirm(api, request, id, body, Channel::Email).await
}

fn confirms(id: &str, summary: &str) -> Docs {
    changes(id, summary, Role::Admin)
        .text("It was proven without the account's token, so it opens nothing. From then on codes to it sign in and reset the password. Make sure of who asks.")
        .refuses([AdminError::NotProven, AdminError::Own])
}

async fn confirm(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
    channel: Channel,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Admin, body).await?;
    let (by, id) = acting(entered, &id, body)?;
    let account = api.admin.confirm(&by, id, channel).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(account)))
}

pub fn end_sessions_docs() -> Docs {
    changes(
        "admin_end_sessions",
        "End all sessions of an account.",
        Role::Support,
    )
    .text("For good, and a login under way gets in nowhere.")
}

/// Ends all sessions of an account.
pub async fn end_sessions(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    body: UnreadJson<ReasonRequest>,
) -> Result<HttpResponse, ApiError> {
    let (entered, body) = enter_with(&api, &request, Role::Support, body).await?;
    let (by, id) = acting(entered, &id, body)?;
    let account = api.admin.end_sessions(&by, id).await?;
    Ok(HttpResponse::Ok().json(AdminUserView::from(account)))
}

/// Who does something to which account, and why.
pub fn acting(entered: Entered, id: &str, body: ReasonRequest) -> Result<(Acting, Uuid), ApiError> {
    let mut faults = Faults::default();
    let reason = reason(&mut faults, body.reason).ok_or_else(|| faults.into_error())?;
    Ok((entered.acting(Some(reason)), account_id(id)?))
}

/// What is no id is answered like an id that no account has.
pub fn account_id(text: &str) -> Result<Uuid, AdminError> {
    Uuid::parse_str(text).map_err(|_| AdminError::NotFound)
}

pub fn about_one(docs: Docs) -> Docs {
    docs.bearer()
        .parameter(
            "path",
            "id",
            "The account's id.",
            json!({ "type": "string", "format": "uuid" }),
            "0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9e",
        )
        .refuses([AdminError::NotFound])
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

pub fn changes(id: &str, summary: &str, least: Role) -> Docs {
    about_one(Docs::new(id, Tag::Administration, summary))
        .body::<ReasonRequest>(
            &["reason"],
            &[("reason", json!({ "reason": "The owner called." }))],
        )
        .answers(200, "The account as it is now.", &AdminUserView::example())
        .administers(least)
}
