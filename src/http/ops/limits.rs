//! What operators ask about limits, on their own port alone. All of it is audited; no line names a phone number.

use std::{net::IpAddr, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::http::{
    admin::access::reason,
    api::Api,
    kit::{
        extract::{Faults, Field, JsonBody},
        problem::ApiError,
        request_id::request_id,
    },
};
use crate::{
    accounts::Login,
    admin::Acting,
    channel::Channel,
    delivery::Destination,
    email::{EmailAddress, EmailDigest},
    flows::FlowError,
    limits::{self, Account, Asker, ClientNetwork, KeyError, Operation, Paused, Subject},
    phone::PhoneNumber,
};

/// A request as an operator imagines it.
#[derive(Debug, Deserialize)]
pub struct ExplainRequest {
    #[serde(default)]
    on: Field,
    #[serde(default)]
    ip: Field,
    #[serde(default)]
    phone: Field,
    #[serde(default)]
    email: Field,
    /// A user's id; at a login, what names the account.
    #[serde(default)]
    user: Field,
}

/// Thirty days.
pub const MAX_PAUSE_SECONDS: u64 = 2_592_000;

/// What is paused, or not any more: a country or a prefix.
#[derive(Debug, Deserialize)]
pub struct PauseRequest {
    #[serde(default)]
    country: Field,
    #[serde(default)]
    prefix: Field,
    /// Seconds.
    #[serde(default)]
    seconds: Field,
    /// Kept with the event, if there is one.
    #[serde(default)]
    reason: Field,
}

/// A pause as it is now.
#[derive(Debug, Serialize)]
pub struct PauseView {
    what: String,
    /// Whether it lasts, or did.
    paused: bool,
    /// Whether an event was written; none where there was nothing to write.
    event: Option<bool>,
}

/// What became of codes, which rules ask for proofs of work, what is paused.
pub async fn status(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok().json(api.flows.codes.limiter.status())
}

/// Refuses codes to a country or a prefix for a while, in all instances.
pub async fn pause(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<PauseRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let what = paused(&mut faults, body.0.country, body.0.prefix);
    let length = faults.required("seconds", body.0.seconds, |text| match text.parse() {
        Ok(seconds @ 1..=MAX_PAUSE_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err("1 to 2592000 seconds"),
    });
    let by = operator(&mut faults, body.0.reason);
    let (Some(what), Some(length), Some(by)) = (what, length, by) else {
        return Err(faults.into_error());
    };
    let limiter = &api.flows.codes.limiter;
    let done = api.admin.pause_in_any_case(&by, limiter, &what, length).await;
    tell_of_pause("pause", &api, &what, done.is_ok(), &request);
    let event = done.map_err(FlowError::from)?;
    Ok(HttpResponse::Ok().json(PauseView {
        what: what.name().to_owned(),
        paused: true,
        event: Some(event),
    }))
}

/// Ends a pause, in all instances.
pub async fn resume(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<PauseRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let what = paused(&mut faults, body.0.country, body.0.prefix);
    let by = operator(&mut faults, body.0.reason);
    let (Some(what), Some(by)) = (what, by) else {
        return Err(faults.into_error());
    };
    let limiter = &api.flows.codes.limiter;
    let done = api.admin.resume_in_any_case(&by, limiter, &what).await;
    tell_of_pause("resume", &api, &what, done.is_ok(), &request);
    let event = done.map_err(FlowError::from)?;
    Ok(HttpResponse::Ok().json(PauseView {
        what: what.name().to_owned(),
        paused: event.is_some(),
        event,
    }))
}

/// Whoever has the ops port is the operator; why is theirs to say or not. `None`: something was noted.
fn operator(faults: &mut Faults, why: Field) -> Option<Acting> {
    match why {
        Field::Missing | Field::Null => Some(Acting::operator(None)),
        why => reason(faults, why).map(|reason| Acting::operator(Some(reason))),
    }
}

/// Reads one of the two. `None`: something was noted.
pub fn paused(faults: &mut Faults, country: Field, prefix: Field) -> Option<Paused> {
    let is_there = |field: &Field| !matches!(field, Field::Missing | Field::Null);
    if is_there(&country) == is_there(&prefix) {
        faults.note("country", "Send a country, or a prefix.");
        return None;
    }
    let country = faults.optional("country", country, Paused::country);
    country.or(faults.optional("prefix", prefix, Paused::prefix))
}

fn tell_of_pause(action: &str, api: &Api, what: &Paused, done: bool, request: &HttpRequest) {
    let keys = api.flows.codes.challenges.keyring.current();
    tracing::info!(
        limits.action = action,
        limits.paused = what.name_in_logs(keys),
        limits.done = done,
        operator.peer = peer(request),
        request.id = request_id(),
        "limits.audit"
    );
}

/// The rules in force, as a limits file.
pub async fn rules(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/toml; charset=utf-8")
        .body(api.flows.codes.limiter.rules().to_string())
}

/// What a request would be answered, with nothing spent.
pub async fn explain(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<ExplainRequest>,
) -> Result<HttpResponse, ApiError> {
    let ExplainRequest {
        on,
        ip,
        phone,
        email,
        user,
    } = body.0;
    let mut faults = Faults::default();
    let on = faults.required("on", on, operation);
    let ip = faults.required("ip", ip, |text| text.parse::<IpAddr>().map_err(|_| KeyError::Ip));
    let phone = faults.optional("phone", phone, |text| PhoneNumber::parse(text, api.phone_check));
    let email = faults.optional("email", email, EmailAddress::parse);
    let user = faults.optional("user", user, |text| account(text, on));
    let (Some(on), Some(ip), true) = (on, ip, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    tracing::info!(
        limits.action = "explain",
        limits.on = on.name(),
        limits.phone = phone.is_some(),
        limits.email = email.is_some(),
        limits.user = user.is_some(),
        operator.peer = peer(&request),
        request.id = request_id(),
        "limits.audit"
    );
    let id = match &user {
        Some(Account::User(id)) => Some(*id),
        _ => None,
    };
    let named = Named { phone, email, user }.on(on);
    let supported = &api.flows.verify_phone.supported;
    let is_supported =
        on != Operation::OtpSend || named.phone.as_ref().is_none_or(|phone| supported.has(phone));
    let asker = asker(&api, on, ip, &named).await;
    let subject = subject(&api, on, ip, named).with_asker(asker);
    let explained = api.flows.codes.explain(on, &subject, id).await;
    Ok(HttpResponse::Ok().json(match is_supported {
        true => explained,
        false => explained.not_supported(),
    }))
}

/// Whom and what the request names.
struct Named {
    phone: Option<PhoneNumber>,
    email: Option<EmailAddress>,
    user: Option<Account>,
}

impl Named {
    /// The same where a login's address names the account.
    fn on(mut self, on: Operation) -> Self {
        if on == Operation::Login && self.user.is_none() {
            let email = self.email.clone().map(Account::Email);
            self.user = email.or(self.phone.clone().map(Account::Phone));
        }
        self
    }
}

/// Whether the address is the user's own, or the client comes from where the account was signed in to; a stranger where that
/// can't be found out.
async fn asker(api: &Api, on: Operation, ip: IpAddr, named: &Named) -> Asker {
    let phone = named.phone.clone();
    let email = named.email.clone();
    let asker = match (&named.user, on) {
        (Some(Account::User(id)), _) => {
            let phone = phone.map(Destination::Phone);
            let Some(to) = phone.or(email.map(Destination::Email)) else {
                return Asker::Stranger;
            };
            api.flows.asker(*id, &to).await
        }
        (named, Operation::Login) => {
            let login = match named {
                Some(Account::Email(email)) => Login::Email(email.clone()),
                Some(Account::Phone(phone)) => Login::Phone(phone.clone()),
                _ => match phone {
                    Some(phone) => Login::Phone(phone),
                    None => return Asker::Stranger,
                },
            };
            let client = ClientNetwork::of(ip, api.server.ipv6_prefix);
            api.flows.asker_from(client, &login).await
        }
        _ => return Asker::Stranger,
    };
    asker.unwrap_or_default()
}

fn subject(api: &Api, on: Operation, ip: IpAddr, named: Named) -> Subject {
    let keys = api.flows.codes.challenges.keyring.current();
    let mut subject = Subject::new(ClientNetwork::of(ip, api.server.ipv6_prefix));
    let Named { phone, email, user } = named;
    let user = user.or_else(|| {
        let phone = phone.clone().filter(|_| on == Operation::Login);
        phone.map(Account::Phone)
    });
    if let Some(Account::User(id)) = user {
        subject = subject.with_user(Some(id));
    } else if let Some(login) = user.and_then(|login| login.login(keys)) {
        subject = subject.with_login(login);
    }
    if let Some(channel) = channel(&phone, &email).filter(|_| on.has_channel()) {
        subject = subject.with_channel(channel);
    }
    if let Some(email) = email {
        subject = subject.with_email(EmailDigest::of(&email, &keys.email));
    }
    match phone {
        Some(phone) => subject.with_phone(phone, &keys.phone),
        None => subject,
    }
}

/// The channel by which a code goes to the address.
fn channel(phone: &Option<PhoneNumber>, email: &Option<EmailAddress>) -> Option<Channel> {
    match (phone, email) {
        (None, Some(_)) => Some(Channel::Email),
        (Some(_), None) => Some(Channel::Sms),
        _ => None,
    }
}

fn operation(text: &str) -> Result<Operation, String> {
    let names = Operation::ALL.map(Operation::name).join(", ");
    let found = Operation::ALL
        .into_iter()
        .find(|operation| operation.name() == text);
    found.ok_or_else(|| format!("no such operation; there are: {names}"))
}

/// A login names its account by an e-mail address or a phone; everything else knows the user by id.
fn account(text: &str, on: Option<Operation>) -> Result<Account, KeyError> {
    let account = limits::account(text).ok_or(KeyError::User)?;
    let fits = match account {
        Account::User(_) => on != Some(Operation::Login),
        Account::Email(_) | Account::Phone(_) => on == Some(Operation::Login),
    };
    if fits { Ok(account) } else { Err(KeyError::User) }
}

pub(super) fn peer(request: &HttpRequest) -> String {
    request
        .peer_addr()
        .map(|peer| peer.ip().to_string())
        .unwrap_or_default()
}
