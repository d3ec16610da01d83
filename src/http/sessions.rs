//! Sessions: signing in, renewing, signing out, and the keys to check tokens with.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::Bearer,
    client::client_address,
    extract::{Faults, Field, JsonBody},
    problem::ApiError,
    users::SignedInView,
};
use crate::{
    accounts::{AccountError, EmailAddress, Login, Password, Tokens},
    phone::PhoneNumber,
};

/// `email`, or `phone` once it is verified; and the password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LoginRequest {
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "test@example.com")]
    email: Field,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    phone: Field,
    #[serde(default)]
    #[schema(value_type = String, required, example = "securepass123")]
    password: Field,
}

/// The refresh token of a session.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RefreshRequest {
    #[serde(default)]
    #[schema(value_type = String, required)]
    refresh: Field,
}

/// A session's tokens.
#[derive(Serialize, ToSchema)]
pub struct TokensView {
    /// A JWT, to be sent as `Authorization: Bearer …`.
    access: String,
    /// Opaque; good for one use at `/api/users/token/refresh/`.
    refresh: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u64,
}

impl std::fmt::Debug for TokensView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokensView(•••)")
    }
}

/// New tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefreshedView {
    tokens: TokensView,
}

/// Opens a session for whoever knows the password.
pub async fn login(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<LoginRequest>,
) -> Result<HttpResponse, ApiError> {
    let (login, password) = credentials(&api, body.0)?;
    let (user, tokens) = api
        .accounts
        .login(client_address(&request), login, password)
        .await?;
    Ok(HttpResponse::Ok().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}

/// Spends a refresh token for new tokens.
pub async fn refresh(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RefreshRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let token = faults.required("refresh", body.0.refresh, |text| {
        Ok::<_, AccountError>(text.to_owned())
    });
    let token = token.ok_or_else(|| faults.into_error())?;
    let tokens = api.accounts.refresh(client_address(&request), &token).await?;
    Ok(HttpResponse::Ok().json(RefreshedView {
        tokens: tokens.into(),
    }))
}

/// Ends the session that the token belongs to.
pub async fn logout(api: web::Data<Api>, bearer: Bearer) -> Result<HttpResponse, ApiError> {
    api.accounts.logout(bearer.0.session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The public keys of access tokens.
pub async fn jwks(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(api.accounts.access.jwks())
}

fn credentials(api: &Api, body: LoginRequest) -> Result<(Login, Password), ApiError> {
    let mut faults = Faults::default();
    let email = faults.optional("email", body.email, EmailAddress::parse);
    let phone = faults.optional("phone", body.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    // Not judged by today's rules: an old password may be shorter than they allow.
    let password = faults.required("password", body.password, |text| {
        Ok::<_, AccountError>(Password::presented(text))
    });
    let login = match (email, phone) {
        (Some(email), None) => Some(Login::Email(email)),
        (None, Some(phone)) => Some(Login::Phone(phone)),
        (Some(_), Some(_)) => {
            faults.note("phone", "Send the e-mail address or the phone, not both.");
            None
        }
        (None, None) => {
            if faults.is_empty() {
                faults.note("email", "Send the e-mail address, or the verified phone.");
            }
            None
        }
    };
    match (login, password) {
        (Some(login), Some(password)) if faults.is_empty() => Ok((login, password)),
        _ => Err(faults.into_error()),
    }
}

impl From<Tokens> for TokensView {
    fn from(tokens: Tokens) -> Self {
        Self {
            access: tokens.access,
            refresh: tokens.refresh,
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
        }
    }
}
