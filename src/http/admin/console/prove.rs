//! The second proof: having its code sent, and typing it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use uuid::Uuid;

use super::{
    cookie::{Cookie, Stage, mac},
    enter::{enter_by_form, seen},
    error::ConsoleError,
    form::{Form, Refusal},
    next::{OVERVIEW, next_of, prove_for, sign_in_for},
    page::{go_to, page},
    said::{said, say},
    twice::{Taken, Turns},
    user::account_page,
};
use crate::{
    accounts::{Login, SignedIn, Tokens, User},
    channel::Channel,
    clock::whole_seconds,
    flows::{Changer, FlowError, Typed},
    http::{
        api::Api,
        kit::{
            client::{client_info, client_network, proof_of_work},
            extract::{Faults, Field, FormBody, Query},
            language::language_for,
            problem::{ApiError, Shown},
        },
        public::codes::typed,
    },
    tokens::Role,
};

/// Has the code sent; leads to the page where it is typed, by which whoever has this cookie goes on to `next`.
///
/// # Errors
/// As the flow has them.
pub async fn send(
    api: &Api,
    request: &HttpRequest,
    signed_in: SignedIn,
    (cookie, next): (Cookie, &str),
) -> Result<Shown, FlowError> {
    let (address, sent) = api.flows.administer.send(asker(api, request, signed_in)).await?;
    let says = match address {
        Login::Phone(_) => "A code is on its way to your phone.",
        Login::Email(_) => "A code is on its way to your e-mail address.",
    };
    let prove = go_to(&prove_for(Some(sent.challenge_id), next));
    Ok(prove.with(cookie.set(api)).with(say(api, cookie, says)))
}

/// Within the cooldown no other code is sent; the page of the one that was is gone to, where it can be typed.
pub fn to_open_code(api: &Api, cookie: Cookie, next: &str, cooldown: FlowError) -> ApiError {
    let error = ApiError::from(cooldown);
    let wait = error
        .details()
        .retry_after
        .map_or(1, |wait| whole_seconds(wait).max(1));
    let says = format!(
        "A code was sent to you moments ago. It is still good, unless it was typed already. Another one can be sent in {wait} s."
    );
    let prove = go_to(&prove_for(None, next));
    error.shown_as(prove.with(cookie.set(api)).with(say(api, cookie, &says)))
}

/// Has another code sent, for a second proof that is fresh enough.
pub async fn send_again(
    api: web::Data<Api>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let (inside, form) = enter_by_form(&api, &request, (Role::Support, None), body).await?;
    let user = Uuid::parse_str(form.text("user")).ok();
    let next = user.map_or_else(String::new, |user| format!("/admin/users/{user}/"));
    let signed_in = inside.entered.signed_in().clone();
    match send(&api, &request, signed_in, (inside.cookie, &next)).await {
        Ok(prove) => Ok(prove.answer()),
        Err(error @ FlowError::Cooldown(_)) => Err(to_open_code(&api, inside.cookie, &next, error)),
        Err(error) => {
            let error = ApiError::from(error);
            let Some(user) = user else { return Err(error) };
            let refusal = Refusal::of(&error, form.typed("send"));
            let again = account_page(&api, &request, &inside, user, refusal).await?;
            Err(error.shown_as(again))
        }
    }
}

/// Shows the form for a code that was sent. The page can be loaded anew.
pub async fn show(api: web::Data<Api>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let cookie = beyond_the_password(&api, &request)?;
    let signed_in = seen(&api, &request, cookie).await?;
    let typed = query.shown(&["challenge_id", "next"]);
    let text = |name| typed[name].as_str().unwrap_or_default();
    let proving = Proving {
        cookie,
        challenge: text("challenge_id"),
        next: next_of(text("next")),
    };
    let says = said(&api, &request, cookie);
    let (says, forget) = says.unzip();
    let shown = proving.page(&api, &signed_in.user, None, says);
    Ok(forget.into_iter().fold(shown, Shown::with).answer())
}

/// Takes the code of the second proof.
pub async fn prove(
    api: web::Data<Api>,
    turns: web::Data<Turns>,
    request: HttpRequest,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let cookie = beyond_the_password(&api, &request)?;
    let form = Form::of(&api, &request, cookie, body)?;
    let (challenge, next) = (form.text("challenge_id"), next_of(form.text("next")));
    let keys = api.flows.codes.challenges.keyring.current();
    let fields = mac(
        keys,
        "code",
        &[challenge.as_bytes(), b" ", form.text("otp").as_bytes()].concat(),
    );
    let turn = turns.of(cookie.id);
    let mut turn = turn.lock().await;
    let twice = turn
        .as_ref()
        .and_then(|taken| taken.again(fields, api.admin.clock.now()));
    if let Some(opened) = twice {
        return Ok(inside(&api, opened, next));
    }
    let signed_in = seen(&api, &request, cookie).await?;
    let user = signed_in.user.clone();
    let proving = Proving {
        cookie,
        challenge,
        next,
    };
    let tokens = judged(&api, &request, &form, signed_in).await.map_err(|error| {
        let again = proving.page(&api, &user, Some(&error), None);
        error.shown_as(again)
    })?;
    let opened = api.sessions.of_refresh(&tokens.refresh)?;
    let at = api.admin.clock.now();
    *turn = Some(Taken {
        typed: fields,
        opened,
        at,
    });
    // What it was proven from is of no more use.
    api.sessions
        .logout(client_network(&api, &request), cookie.id)
        .await?;
    Ok(inside(&api, opened, next))
}

fn inside(api: &Api, session: Uuid, next: &str) -> HttpResponse {
    let proven = Cookie {
        stage: Stage::Proven,
        id: session,
    };
    let path = if next.is_empty() { OVERVIEW } else { next };
    go_to(path).with(proven.set(api)).answer()
}

/// Somebody who gave a password, or a second proof that is to be a fresh one.
fn beyond_the_password(api: &Api, request: &HttpRequest) -> Result<Cookie, ConsoleError> {
    let cookie = Cookie::of(api, request).filter(|cookie| cookie.stage != Stage::Visit);
    cookie.ok_or(ConsoleError::SignIn)
}

/// Judges the code of the form: of its challenge, or of the one that is open.
async fn judged(
    api: &Api,
    request: &HttpRequest,
    form: &Form,
    signed_in: SignedIn,
) -> Result<Tokens, ApiError> {
    let mut faults = Faults::default();
    let challenge = match form.text("challenge_id") {
        "" => Field::Missing,
        _ => form.field("challenge_id"),
    };
    let typed: Option<Typed> = typed(api, &mut faults, form.field("otp"), challenge);
    let Some(typed) = typed.filter(|_| faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let (asker, who) = (asker(api, request, signed_in), client_info(api, request));
    Ok(api.flows.administer.verify(asker, who, typed).await?)
}

/// A code that is to be typed.
struct Proving<'a> {
    cookie: Cookie,
    /// Empty where it is not known which one it is.
    challenge: &'a str,
    next: &'a str,
}

impl Proving<'_> {
    fn page(&self, api: &Api, user: &User, error: Option<&ApiError>, says: Option<String>) -> Shown {
        let refusal = error.map_or_else(Refusal::none, |error| Refusal::of(error, json!({})));
        let code = error.map(|error| error.details().code);
        let to = api.flows.administer.channel(user).map(Channel::name);
        let begin = match self.cookie.stage {
            Stage::Proven if self.next.is_empty() => OVERVIEW.to_owned(),
            Stage::Proven => self.next.to_owned(),
            Stage::Visit | Stage::Password => sign_in_for(self.next),
        };
        let values = json!({
            "csrf": self.cookie.token(api), "challenge_id": self.challenge, "next": self.next, "to": to,
            "is_over": matches!(code, Some("otp_attempts_exceeded" | "otp_expired")),
            "fault": refusal.fault, "says": says, "begin": begin,
        });
        page(refusal.status, "prove.html", &values).with(self.cookie.set(api))
    }
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
