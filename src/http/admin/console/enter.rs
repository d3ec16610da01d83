//! Who is let into the console.

use actix_web::HttpRequest;
use serde_json::{Value, json};

use super::{
    cookie::{Cookie, Stage},
    error::ConsoleError,
};
use crate::{
    accounts::{AccountError, SignedIn},
    admin::Entered,
    http::{admin::access::let_in, api::Api},
    tokens::Role,
};

/// Somebody in the console.
pub struct Inside {
    pub entered: Entered,
    pub cookie: Cookie,
}

/// Lets whoever has the cookie of a second proof in, if their role is `least` or more.
///
/// # Errors
/// `SignIn` where there is no such cookie, or its session is over; what the API would answer.
pub async fn enter(api: &Api, request: &HttpRequest, least: Role) -> Result<Inside, ConsoleError> {
    let cookie = Cookie::of(api, request).filter(|cookie| cookie.stage == Stage::Proven);
    let cookie = cookie.ok_or(ConsoleError::SignIn)?;
    let signed_in = seen(api, cookie).await?;
    let entered = let_in(api, request, signed_in, least)
        .await
        .map_err(ConsoleError::Problem)?;
    Ok(Inside { entered, cookie })
}

/// Whose session a cookie is of.
///
/// # Errors
/// `SignIn` where it is over; `Unavailable`.
pub async fn seen(api: &Api, cookie: Cookie) -> Result<SignedIn, ConsoleError> {
    api.sessions.seen(cookie.id).await.map_err(|error| match error {
        AccountError::Unavailable(_) => error.into(),
        _ => ConsoleError::SignIn,
    })
}

impl Inside {
    /// What every page is filled in with, and what is on this one.
    pub fn values(&self, api: &Api, tab: &str, own: Value) -> Value {
        let user = &self.entered.signed_in().user;
        let mut values = json!({
            "tab": tab, "csrf": self.cookie.token(api), "role": self.entered.role().name(),
            "me": { "id": user.id, "email": user.email.as_ref().map(|email| email.expose()) },
        });
        if let (Some(values), Value::Object(own)) = (values.as_object_mut(), own) {
            values.extend(own);
        }
        values
    }
}
