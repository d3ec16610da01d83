//! Signing out.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::http::{
    api::Api,
    kit::{
        auth::Bearer,
        docs::{Docs, Tag},
        problem::ApiError,
    },
};

pub fn logout_docs() -> Docs {
    Docs::new("logout", Tag::Sessions, "Sign out.")
        .text("Ends the session that the token belongs to: its tokens are refused from now on.")
        .bearer()
        .answer(204, "The session has ended.", Value::Null)
        .unavailable()
}

/// Ends the session that the token belongs to.
pub async fn logout(api: web::Data<Api>, bearer: Bearer) -> Result<HttpResponse, ApiError> {
    api.sessions.logout(bearer.0.session).await?;
    Ok(HttpResponse::NoContent().finish())
}
