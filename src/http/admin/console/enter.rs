//! Who is let into the console.

use actix_web::{HttpRequest, http::StatusCode};
use serde_json::{Value, json};

use super::{
    cookie::{Cookie, Stage},
    error::ConsoleError,
    form::Form,
    page::page,
    said::said,
};
use crate::{
    accounts::{AccountError, SignedIn},
    admin::{Entered, read_reason},
    http::{
        admin::access::{demand, let_in},
        api::Api,
        kit::{
            client::client_network,
            extract::FormBody,
            line,
            problem::{ApiError, Shown},
        },
    },
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
pub async fn enter(api: &Api, request: &HttpRequest, least: Role) -> Result<Inside, ApiError> {
    let inside = come_in(api, request, proven(api, request)?).await?;
    demand(api, request, &inside.entered, least, (None, None)).await?;
    Ok(inside)
}

/// The same for whoever sends a form of a page that was shown to them; gives the form as well.
///
/// # Errors
/// As for [`enter`], and `Forged`.
pub async fn enter_by_form(
    api: &Api,
    request: &HttpRequest,
    (least, action): (Role, Option<&'static str>),
    body: FormBody,
) -> Result<(Inside, Form), ApiError> {
    let cookie = proven(api, request)?;
    let form = Form::of(api, request, cookie, body)?;
    let inside = come_in(api, request, cookie).await?;
    let reason = read_reason(form.text("reason")).ok();
    demand(api, request, &inside.entered, least, (action, reason)).await?;
    Ok((inside, form))
}

/// Whoever it is that is in the console already, if anybody: for a page that shows nothing but the ways to others.
pub async fn whoever(api: &Api, request: &HttpRequest) -> Option<Inside> {
    let cookie = proven(api, request).ok()?;
    let signed_in = api.sessions.seen(cookie.id).await.ok()?;
    let entered = api
        .admin
        .enter(signed_in, client_network(api, request))
        .await
        .ok()?;
    Some(Inside { entered, cookie })
}

fn proven(api: &Api, request: &HttpRequest) -> Result<Cookie, ConsoleError> {
    let cookie = Cookie::of(api, request).filter(|cookie| cookie.stage == Stage::Proven);
    cookie.ok_or(ConsoleError::SignIn)
}

async fn come_in(api: &Api, request: &HttpRequest, cookie: Cookie) -> Result<Inside, ApiError> {
    let signed_in = seen(api, request, cookie).await?;
    match let_in(api, request, signed_in).await {
        Ok(entered) => Ok(Inside { entered, cookie }),
        // What was proven was a role that was taken away: the one of now is had by a new sign-in.
        Err(error) if error.details().code == "second_proof_required" => Err(ConsoleError::SignIn.into()),
        Err(error) => Err(error),
    }
}

/// Whose session a cookie is of.
///
/// # Errors
/// `SignIn` where it is over; `Unavailable`.
pub async fn seen(api: &Api, request: &HttpRequest, cookie: Cookie) -> Result<SignedIn, ApiError> {
    match api.sessions.seen(cookie.id).await {
        Ok(signed_in) => {
            line::name_user(request, signed_in.user.id);
            Ok(signed_in)
        }
        Err(error @ AccountError::Unavailable(_)) => Err(error.into()),
        Err(_) => Err(ConsoleError::SignIn.into()),
    }
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

    /// A page, and on it what was just done, once.
    pub fn page(
        &self,
        api: &Api,
        request: &HttpRequest,
        status: StatusCode,
        (name, tab): (&str, &str),
        own: Value,
    ) -> Shown {
        let mut values = self.values(api, tab, own);
        let (done, forget) = said(api, request, self.cookie).unzip();
        values["done"] = done.into();
        forget.into_iter().fold(page(status, name, &values), Shown::with)
    }
}
