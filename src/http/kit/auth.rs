//! Who is signed in.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};

use crate::accounts::SignedIn;
use crate::http::{
    api::Api,
    kit::{line, problem::ApiError, rejection::Rejection},
};

/// Requires a good bearer token.
pub struct Bearer(pub SignedIn);

/// Takes a bearer token if one comes along; a faulty one is refused, not overlooked.
pub struct MaybeBearer(pub Option<SignedIn>);

impl FromRequest for Bearer {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            signed_in(&request)
                .await?
                .map(Self)
                .ok_or(Rejection::NotAuthenticated.into())
        })
    }
}

impl FromRequest for MaybeBearer {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { signed_in(&request).await.map(Self) })
    }
}

async fn signed_in(request: &HttpRequest) -> Result<Option<SignedIn>, ApiError> {
    let Some(token) = bearer_token(request)? else {
        return Ok(None);
    };
    let api = request.app_data::<web::Data<Api>>().ok_or(Rejection::Internal)?;
    let signed_in = api.sessions.authenticate(token).await?;
    line::name_user(request, signed_in.user.id);
    Ok(Some(signed_in))
}

/// The token that comes along, unread.
///
/// # Errors
/// When the header holds anything else.
pub fn bearer_token(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(Rejection::NotAuthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Rejection::NotAuthenticated.into());
    }
    Ok(Some(token.trim()))
}
