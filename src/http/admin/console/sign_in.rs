//! The way in begins with the password; and the way out.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{
    cookie::{Cookie, Stage},
    enter::seen,
    error::{ConsoleError, SIGN_IN},
    form::{Form, Refusal},
    next::next_of,
    page::{go_to, page},
    prove::{send, to_open_code},
};
use crate::{
    accounts::{AccountError, Login, Password},
    email::EmailAddress,
    flows::FlowError,
    http::{
        api::Api,
        kit::{
            client::{client_info, client_network},
            extract::{Field, FormBody, Query},
            line,
            problem::{ApiError, Shown},
        },
    },
    phone::PhoneNumber,
};

/// Shows the form for the password.
pub async fn show(api: web::Data<Api>, request: HttpRequest, mut query: Query) -> HttpResponse {
    let cookie = Cookie::of(&api, &request).unwrap_or_else(Cookie::visit);
    let next = match query.take("next") {
        Field::Word(next) => next,
        _ => String::new(),
    };
    let is_over = match cookie.stage {
        Stage::Visit => false,
        // Not so where nobody can tell.
        _ => {
            matches!(seen(&api, &request, cookie).await, Err(error) if error.details().code == "not_authenticated")
        }
    };
    let values = json!({ "next": next_of(&next), "is_over": is_over });
    sign_in_page(&api, cookie, StatusCode::OK, values).answer()
}

/// The same in place of what was sent by somebody who is signed in no more.
pub fn instead(api: &Api, request: &HttpRequest, next: &str) -> Shown {
    let cookie = Cookie::of(api, request).unwrap_or_else(Cookie::visit);
    let detail = "Your session is over, or your browser sent no cookie: what you just sent was not done. Sign in, and do it again.";
    let fault = json!({ "detail": detail, "faults": [] });
    let values = json!({ "next": next_of(next), "fault": fault });
    sign_in_page(api, cookie, StatusCode::UNAUTHORIZED, values)
}

/// Takes the password, and has the code of the second proof sent.
pub async fn password(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let visit = Cookie::of(&api, &request).ok_or(ConsoleError::SignIn)?;
    let form = Form::of(&api, &request, visit, body)?;
    let next = next_of(form.text("next"));
    let again = |error: ApiError| {
        let Refusal { status, fault, .. } = Refusal::of(&error, Value::Null);
        let values = json!({ "fault": fault, "login": form.text("login"), "next": next });
        error.shown_as(sign_in_page(&api, visit, status, values))
    };
    let login = login(&api, form.text("login"));
    let login = login.ok_or_else(|| again(AccountError::InvalidCredentials.into()))?;
    let who = client_info(&api, &request);
    let password = Password::presented(form.text("password"));
    let signed_in = api.sign_in.login(&who, login, password).await;
    let (_, tokens) = signed_in.map_err(|error| again(error.into()))?;
    let cookie = Cookie {
        stage: Stage::Password,
        id: api.sessions.of_refresh(&tokens.refresh)?,
    };
    let signed_in = api.sessions.seen(cookie.id).await?;
    line::name_user(&request, signed_in.user.id);
    match send(&api, &request, signed_in, (cookie, next)).await {
        Ok(prove) => Ok(prove.answer()),
        Err(error @ FlowError::Cooldown(_)) => Err(to_open_code(&api, cookie, next, error)),
        // Without a second proof it is good for nothing here.
        Err(error) => {
            let client = client_network(&api, &request);
            api.sessions.logout(client, cookie.id).await?;
            Err(again(error.into()))
        }
    }
}

/// Signs out.
pub async fn sign_out(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let cookie = Cookie::of(&api, &request).ok_or(ConsoleError::SignIn)?;
    Form::of(&api, &request, cookie, body)?;
    if cookie.stage != Stage::Visit {
        api.sessions
            .logout(client_network(&api, &request), cookie.id)
            .await?;
    }
    Ok(go_to(SIGN_IN).with(Cookie::forget(&api)).answer())
}

fn login(api: &Api, text: &str) -> Option<Login> {
    match text.contains('@') {
        true => EmailAddress::parse(text).ok().map(Login::Email),
        false => PhoneNumber::parse(text, api.phone_check).ok().map(Login::Phone),
    }
}

fn sign_in_page(api: &Api, cookie: Cookie, status: StatusCode, mut values: Value) -> Shown {
    values["csrf"] = cookie.token(api).into();
    page(status, "sign_in.html", &values).with(cookie.set(api))
}
