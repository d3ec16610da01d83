//! Signing out.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    accounts::AccountError,
    http::{
        api::Api,
        kit::{
            auth::signed_in,
            client::client_network,
            docs::{Docs, Tag},
            extract::{Faults, Field, OptionalJson},
            problem::ApiError,
            rejection::Rejection,
        },
        public::sessions::TokensView,
    },
};

/// The refresh token of the session that ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LogoutRequest {
    /// Proves whose session it is, also when the access token has expired.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    refresh: Field,
}

pub fn logout_docs() -> Docs {
    Docs::new("logout", Tag::Sessions, "Sign out.")
        .text(
            "Ends a session: its tokens are refused from now on. Send its refresh token, used or not, or a good access \
             token. With both, the refresh token says which session ends.",
        )
        .optional_bearer()
        .optional_body::<LogoutRequest>("refresh", json!({ "refresh": json!(TokensView::example())["refresh"] }))
        .answer(204, "The session has ended.", Value::Null)
        .unavailable()
}

/// Ends the session that a token belongs to.
pub async fn logout(
    api: web::Data<Api>,
    request: HttpRequest,
    body: OptionalJson<LogoutRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let refresh = faults.optional("refresh", body.0.unwrap_or_default().refresh, |text| {
        Ok::<_, AccountError>(text.to_owned())
    });
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let shown = refresh.map(|token| api.sessions.of_refresh(&token)).transpose();
    let session = match shown {
        Ok(Some(session)) => session,
        shown => match (shown, signed_in(&request).await) {
            (_, Ok(Some(signed_in))) => signed_in.session,
            (Err(error), _) => return Err(error.into()),
            (Ok(_), Err(error)) => return Err(error),
            (Ok(_), Ok(None)) => return Err(Rejection::NotAuthenticated.into()),
        },
    };
    let client = client_network(&api, &request);
    api.sessions.logout(client, session).await?;
    Ok(HttpResponse::NoContent().finish())
}
