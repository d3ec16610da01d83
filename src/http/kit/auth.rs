//! Who is signed in.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};

use crate::accounts::{AccountError, SignedIn};
use crate::http::{
    api::Api,
    kit::{client::client_network, line, problem::ApiError, rejection::Rejection},
};

/// Takes a bearer token if one comes along; a faulty one is refused, not overlooked.
///
/// On the heap: most requests bring none, and what a handler takes is moved many times.
pub struct MaybeBearer(pub Option<Box<SignedIn>>);

impl FromRequest for MaybeBearer {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self(signed_in(&request).await?.map(Box::new))) })
    }
}

/// Who signed the request in, if anybody did.
///
/// # Errors
/// When the token that comes along is not good.
pub async fn signed_in(request: &HttpRequest) -> Result<Option<SignedIn>, ApiError> {
    let Some(token) = bearer_token(request)? else {
        return Ok(None);
    };
    let api = request.app_data::<web::Data<Api>>().ok_or(Rejection::Internal)?;
    let signed_in = match api.sessions.authenticate(token).await {
        Ok(signed_in) => signed_in,
        Err(error) => return Err(refused(api, request, error).await),
    };
    line::name_user(request, signed_in.user.id);
    Ok(Some(signed_in))
}

/// Who signed the request in, where it takes somebody; counted as what they ask of their own account.
///
/// # Errors
/// When there is no good token, or a limit refuses.
pub async fn current(api: &Api, request: &HttpRequest) -> Result<SignedIn, ApiError> {
    let token = bearer_token(request)?.ok_or(Rejection::NotAuthenticated)?;
    let signed_in = api.sessions.current(client_network(api, request), token).await;
    match signed_in {
        Ok(signed_in) => {
            line::name_user(request, signed_in.user.id);
            Ok(signed_in)
        }
        Err(error @ AccountError::Limited(_)) => {
            if let Some(user) = api.sessions.whose(token) {
                line::name_user(request, user);
            }
            Err(error.into())
        }
        Err(error) => Err(refused(api, request, error).await),
    }
}

/// A token that was refused counts for its network.
#[cold]
async fn refused(api: &Api, request: &HttpRequest, error: AccountError) -> ApiError {
    let client = client_network(api, request);
    api.sessions.refuse(client, error).await.into()
}

/// The token that comes along, unread.
///
/// # Errors
/// When the header holds anything else.
pub fn bearer_token(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    // Not `to_str`: that looks at each byte by itself.
    let (scheme, token) = std::str::from_utf8(value.as_bytes())
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(Rejection::NotAuthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Rejection::NotAuthenticated.into());
    }
    Ok(Some(token.trim()))
}
