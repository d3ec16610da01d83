//! The way in: the password, then the second proof; and the way out.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    cookie::{Cookie, Stage},
    enter::{enter, seen},
    error::{ConsoleError, SIGN_IN},
    page::{go_to, page},
};
use crate::{
    accounts::{AccountError, Login, Password, SignedIn, Tokens},
    channel::Channel,
    email::EmailAddress,
    entropy::{Entropy, SystemEntropy},
    flows::{Changer, Typed},
    http::{
        api::Api,
        kit::{
            client::{client_info, client_network, proof_of_work},
            extract::{Faults, Field, FormBody, Query},
            language::language_for,
            problem::ApiError,
        },
        public::codes::typed_by_id,
    },
    phone::PhoneNumber,
    tokens::Role,
};

/// Where a code is typed.
const PROVE: &str = "/admin/prove/";

/// The fields of a form.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Takes the form of a page that was shown with this cookie.
    ///
    /// # Errors
    /// [`ConsoleError::Forged`].
    pub fn of(
        api: &Api,
        request: &HttpRequest,
        cookie: Cookie,
        body: FormBody,
    ) -> Result<Self, ConsoleError> {
        let form = Self(body.0);
        cookie.demand(api, request, form.text("csrf"))?;
        Ok(form)
    }

    /// A field; empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        let mut fields = self.0.iter();
        fields
            .find(|(found, _)| found == name)
            .map_or("", |(_, text)| text.as_str())
    }

    /// The same, to be judged.
    pub fn field(&self, name: &str) -> Field {
        Field::Word(self.text(name).to_owned())
    }
}

/// Shows the form for the password.
pub async fn show(api: web::Data<Api>, request: HttpRequest) -> HttpResponse {
    let cookie = Cookie::of(&api, &request).unwrap_or_else(visit);
    sign_in_page(&api, cookie, StatusCode::OK, json!({}))
}

/// Takes the password, and has the code of the second proof sent.
pub async fn password(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let cookie = Cookie::of(&api, &request).ok_or(ConsoleError::SignIn)?;
    let form = Form::of(&api, &request, cookie, body)?;
    let again = |error: ApiError| {
        let details = error.details();
        let status = StatusCode::from_u16(details.status).unwrap_or(StatusCode::BAD_REQUEST);
        let values = json!({ "fault": details.detail, "login": form.text("login") });
        Ok(sign_in_page(&api, cookie, status, values))
    };
    let Some(login) = login(&api, form.text("login")) else {
        return again(AccountError::InvalidCredentials.into());
    };
    let who = client_info(&api, &request);
    let signed_in = api
        .sign_in
        .login(&who, login, Password::presented(form.text("password")))
        .await;
    let tokens = match signed_in {
        Ok((_, tokens)) => tokens,
        Err(error) => return again(error.into()),
    };
    let session = api.sessions.of_refresh(&tokens.refresh)?;
    let signed_in = api.sessions.seen(session).await?;
    match send(&api, &request, signed_in, None).await {
        Ok(prove) => {
            let cookie = Cookie {
                stage: Stage::Password,
                id: session,
            };
            Ok(go_to(&prove).insert_header(cookie.set(&api)).finish())
        }
        // Without a second proof it is good for nothing here.
        Err(error) => {
            api.sessions
                .logout(client_network(&api, &request), session)
                .await?;
            again(error)
        }
    }
}

/// Has another code sent, for a second proof that is fresh enough.
pub async fn send_again(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let form = Form::of(&api, &request, inside.cookie, body)?;
    let user = Uuid::parse_str(form.text("user")).ok();
    let prove = send(&api, &request, inside.entered.signed_in().clone(), user).await;
    Ok(go_to(&prove.map_err(ConsoleError::Problem)?).finish())
}

/// Shows the form for a code that was sent. The page can be loaded anew.
pub async fn show_prove(
    api: web::Data<Api>,
    request: HttpRequest,
    query: Query,
) -> Result<HttpResponse, ConsoleError> {
    let cookie = beyond_the_password(&api, &request)?;
    let values = query.shown(&["challenge_id", "to", "user"]);
    if values["challenge_id"] == "" {
        return Err(ConsoleError::SignIn);
    }
    Ok(prove_page(&api, cookie, StatusCode::OK, values))
}

/// Somebody who gave a password, or a second proof that is to be a fresh one.
fn beyond_the_password(api: &Api, request: &HttpRequest) -> Result<Cookie, ConsoleError> {
    let cookie = Cookie::of(api, request).filter(|cookie| cookie.stage != Stage::Visit);
    cookie.ok_or(ConsoleError::SignIn)
}

/// Takes the code of the second proof.
pub async fn prove(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let cookie = beyond_the_password(&api, &request)?;
    let form = Form::of(&api, &request, cookie, body)?;
    let signed_in = seen(&api, cookie).await?;
    let tokens = match judged(&api, &request, &form, signed_in).await {
        Ok(tokens) => tokens,
        Err(error) => return Ok(prove_again(&api, cookie, &form, &error)),
    };
    let proven = Cookie {
        stage: Stage::Proven,
        id: api.sessions.of_refresh(&tokens.refresh)?,
    };
    // What it was proven from is of no more use.
    api.sessions
        .logout(client_network(&api, &request), cookie.id)
        .await?;
    let path = match Uuid::parse_str(form.text("user")) {
        Ok(user) => format!("/admin/users/{user}/"),
        Err(_) => "/admin/".to_owned(),
    };
    Ok(go_to(&path).insert_header(proven.set(&api)).finish())
}

/// Judges the code of the form.
async fn judged(
    api: &Api,
    request: &HttpRequest,
    form: &Form,
    signed_in: SignedIn,
) -> Result<Tokens, ApiError> {
    let mut faults = Faults::default();
    let typed = typed_by_id(api, &mut faults, form.field("otp"), form.field("challenge_id"));
    let typed = typed.ok_or_else(|| faults.into_error())?;
    let typed = Typed {
        code: typed.code,
        challenge_id: Some(typed.challenge_id),
    };
    let (asker, who) = (asker(api, request, signed_in), client_info(api, request));
    Ok(api.flows.administer.verify(asker, who, typed).await?)
}

/// The form once more, with what was wrong.
fn prove_again(api: &Api, cookie: Cookie, form: &Form, error: &ApiError) -> HttpResponse {
    let details = error.details();
    let fault = match details.errors.get("otp").and_then(|faults| faults.first()) {
        Some(fault) => fault.to_string(),
        None => details.detail.to_string(),
    };
    let values = json!({
        "fault": fault, "challenge_id": form.text("challenge_id"), "user": form.text("user"), "to": form.text("to"),
    });
    prove_page(api, cookie, StatusCode::BAD_REQUEST, values)
}

/// Signs out.
pub async fn sign_out(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ConsoleError> {
    let cookie = Cookie::of(&api, &request).ok_or(ConsoleError::SignIn)?;
    Form::of(&api, &request, cookie, body)?;
    if cookie.stage != Stage::Visit {
        api.sessions
            .logout(client_network(&api, &request), cookie.id)
            .await?;
    }
    Ok(go_to(SIGN_IN).insert_header(Cookie::forget(&api)).finish())
}

fn visit() -> Cookie {
    Cookie {
        stage: Stage::Visit,
        id: (&SystemEntropy as &dyn Entropy).uuid(),
    }
}

fn login(api: &Api, text: &str) -> Option<Login> {
    match text.contains('@') {
        true => EmailAddress::parse(text).ok().map(Login::Email),
        false => PhoneNumber::parse(text, api.phone_check).ok().map(Login::Phone),
    }
}

/// Has the code sent; gives the page on which it is typed, which goes on to that of an account, or to the overview.
async fn send(
    api: &Api,
    request: &HttpRequest,
    signed_in: SignedIn,
    user: Option<Uuid>,
) -> Result<String, ApiError> {
    let (address, sent) = api.flows.administer.send(asker(api, request, signed_in)).await?;
    let to = match address {
        Login::Phone(_) => Channel::Sms,
        Login::Email(_) => Channel::Email,
    };
    let user = user.map_or_else(String::new, |user| format!("&user={user}"));
    Ok(format!(
        "{PROVE}?challenge_id={}&to={}{user}",
        sent.challenge_id,
        to.name()
    ))
}

fn asker(api: &Api, request: &HttpRequest, signed_in: SignedIn) -> Changer {
    let by = match signed_in.user.phone_verified {
        true => Channel::Sms,
        false => Channel::Email,
    };
    Changer {
        signed_in,
        client: client_network(api, request),
        language: language_for(api, request, by),
        work: proof_of_work(request),
    }
}

fn sign_in_page(api: &Api, cookie: Cookie, status: StatusCode, values: Value) -> HttpResponse {
    with_cookie(api, cookie, status, "sign_in.html", values)
}

fn prove_page(api: &Api, cookie: Cookie, status: StatusCode, values: Value) -> HttpResponse {
    with_cookie(api, cookie, status, "prove.html", values)
}

fn with_cookie(api: &Api, cookie: Cookie, status: StatusCode, name: &str, mut values: Value) -> HttpResponse {
    values["csrf"] = cookie.token(api).into();
    let mut answer = page(status, name, &values);
    let (name, value) = cookie.set(api);
    if let Ok(value) = value.parse() {
        answer.headers_mut().append(name, value);
    }
    answer
}
