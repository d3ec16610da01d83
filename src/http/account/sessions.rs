//! Signing out.

use actix_web::{HttpResponse, web};

use crate::http::{
    api::Api,
    kit::{
        auth::Bearer,
        problem::ApiError,
        refusals::{self, refusals},
    },
};

refusals!(LogoutRefusals = refusals::bearer(), refusals::away());

/// Sign out.
///
/// Ends the session that the token belongs to: its tokens are refused from now on.
#[utoipa::path(
    post,
    path = "/api/users/logout/",
    tag = "Sessions",
    responses((status = 204, description = "The session has ended."), LogoutRefusals),
    security(("bearer" = [])),
)]
pub async fn logout(api: web::Data<Api>, bearer: Bearer) -> Result<HttpResponse, ApiError> {
    api.sessions.logout(bearer.0.session).await?;
    Ok(HttpResponse::NoContent().finish())
}
