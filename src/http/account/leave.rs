//! Leaving, and taking along what is kept.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    accounts::{AccountError, Password},
    http::{
        api::Api,
        kit::{
            auth::current,
            client::client_network,
            docs::{Docs, HOUR, MINUTE, Tag},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
        },
    },
};

/// What proves that the account's owner asks.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = LeaveRequest)]
pub struct LeaveRequest {
    /// May be left out where the account has none: then a sign-in by code stands in for it that is not older than ten minutes.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "securepass123")]
    password: Field,
}

/// All that is kept about a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Export)]
pub struct ExportView {
    /// RFC 3339.
    #[schema(example = "2026-05-28T20:26:40Z")]
    exported_at: String,
    /// The account, every field that is kept.
    #[schema(value_type = Object)]
    user: Value,
    /// Open and ended sessions, without what proves them.
    #[schema(value_type = Vec<Object>)]
    sessions: Vec<Value>,
    /// What it may administer.
    #[schema(value_type = Vec<Object>)]
    administrators: Vec<Value>,
    /// What happened to the account, the newest 10,000.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// The messages with codes that were sent to it.
    #[schema(value_type = Vec<Object>)]
    verifications: Vec<Value>,
    /// Notices that are on their way.
    #[schema(value_type = Vec<Object>)]
    notices: Vec<Value>,
}

pub fn leave_docs() -> Docs {
    Docs::new("delete_me", Tag::Accounts, "Delete the current user.")
        .text(
            "Erases the account with its sessions. What happened and what was sent stays on record without whose it was. A \
             wrong password counts under `password.change`.",
        )
        .bearer()
        .body::<LeaveRequest>(&["password"], &[("leave", json!({ "password": "securepass123" }))])
        .answer(204, "The account is gone.", Value::Null)
        .refuses([AccountError::PasswordIncorrect, AccountError::LastAdministrator])
        .limited("password-guess-minute", 5, HOUR / 60)
        .unavailable()
}

/// Erases the current user's account.
pub async fn leave(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<LeaveRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let body = body.read().await?;
    let client = client_network(&api, &request);
    let turn = api.own_password.reserve(&signed_in, client).await?;
    let mut faults = Faults::default();
    let password = faults.optional("password", body.password, |text| {
        Ok::<_, AccountError>(Password::presented(text))
    });
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    api.leave.leave(turn, &signed_in, client, password).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub fn export_docs() -> Docs {
    let time = "2026-05-28T20:26:40.000000Z";
    let example = json!({
        "exported_at": time,
        "user": {
            "id": "0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9e", "email": "test@example.com", "email_key": "test@example.com",
            "phone": "+14155552671", "first_name": "Test", "last_name": "User", "last_name_key": "user", "phone_verified": false,
            "email_verified": false, "phone_claimed_at": null, "phone_owned_at": null, "email_owned_at": null,
            "session_epoch": 0, "sessions_ended_at": null, "password_reset_at": null, "address_changed_at": null, "signed_in_at": time, "imported_at": null,
            "locked_at": null, "created_at": time, "updated_at": time,
        },
        "sessions": [], "administrators": [], "events": [], "verifications": [], "notices": [],
    });
    Docs::new(
        "export_me",
        Tag::Accounts,
        "Get all that is kept about the current user.",
    )
    .text("Hashes of passwords and tokens are left out. Of each kind the newest 10,000 rows are given.")
    .bearer()
    .answers_value::<ExportView>(200, "Everything.", example)
    .limited("me-per-user", 6000, MINUTE)
    .unavailable()
}

/// Gives all that is kept about the current user.
pub async fn export(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let export = api.leave.export(&signed_in).await?;
    Ok(HttpResponse::Ok().json(export))
}
