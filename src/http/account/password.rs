//! The current user's password.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::change::presented;
use crate::{
    accounts::{AccountError, OwnerWords, Password},
    channel::Channel,
    http::{
        api::Api,
        kit::{
            auth::current,
            client::client_network,
            docs::{Docs, HOUR, Tag},
            extract::{Faults, Field, UnreadJson},
            language::language_for,
            problem::ApiError,
        },
        public::new_password,
    },
};

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PasswordChangeRequest {
    /// Null where the account has none: a sign-in by code in the last ten minutes stands in for it.
    #[serde(default)]
    #[schema(value_type = Option<String>, required, example = "securepass123")]
    current_password: Field,
    /// As at registration.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 128, pattern = "{password}", example = "quiet-otter-47")]
    password: Field,
    /// The same again.
    #[serde(default)]
    #[schema(value_type = String, required, example = "quiet-otter-47")]
    password_confirm: Field,
}

pub fn change_docs() -> Docs {
    Docs::new("change_password", Tag::Accounts, "Change the password.")
        .text(
            "All other sessions end, and a login under way gets in nowhere. Whoever owns the proven e-mail address, or the \
             proven phone where there is none, is told. A wrong current password counts under `password.change`.",
        )
        .bearer()
        .in_language()
        .body::<PasswordChangeRequest>(
            &["current_password", "password", "password_confirm"],
            &[(
                "change",
                json!({
                    "current_password": "securepass123", "password": "quiet-otter-47",
                    "password_confirm": "quiet-otter-47",
                }),
            )],
        )
        .answer(204, "The password is changed.", Value::Null)
        .refuses([AccountError::PasswordIncorrect])
        .limited("password-guess-minute", 5, HOUR / 60)
        .unavailable()
}

/// Changes the current user's password.
pub async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<PasswordChangeRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let body = body.read().await?;
    let client = client_network(&api, &request);
    let turns = api.own_password.reserve_change(&signed_in, client).await?;
    let passwords = passwords(&api, body, &signed_in.user.words()).await?;
    let language = language_for(&api, &request, Channel::Email);
    api.own_password
        .change(turns, &signed_in, client, passwords, Some(language))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn passwords(
    api: &Api,
    body: PasswordChangeRequest,
    owner: &OwnerWords<'_>,
) -> Result<(Password, Password), ApiError> {
    let mut faults = Faults::default();
    let old = presented(&mut faults, "current_password", body.current_password);
    let typed = (body.password, body.password_confirm);
    let new = new_password::read(&mut faults, &api.password_rules, typed, owner).await;
    match (old, new) {
        (Some(old), Some(new)) if faults.is_empty() => Ok((old, new)),
        _ => Err(faults.into_error()),
    }
}
