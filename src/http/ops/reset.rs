//! Gives customers back what keeps them up: the quota of a rule, what the OTP rules hold, or all of it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limits::peer;
use crate::http::{
    api::Api,
    kit::{
        extract::{Faults, Field, JsonBody},
        problem::ApiError,
        request_id::request_id,
    },
};
use crate::{
    accounts::User,
    challenges::Hold,
    delivery::Destination,
    email::EmailAddress,
    flows::FlowError,
    limits::{self, Account, Holders, KeyDimension, KeyError, Networks, Operation, Rule, Scope},
    phone::{PhoneCheck, PhoneNumber},
    unavailable::Unavailable,
};

/// Whose quota is given back.
#[derive(Debug, Deserialize)]
pub struct ResetRequest {
    /// Without it, all that holds an address or an account up.
    #[serde(default)]
    rule: Field,
    #[serde(default)]
    key: Field,
}

/// What was given back.
#[derive(Debug, Serialize)]
pub struct ResetView {
    rule: String,
    by: String,
    scope: &'static str,
}

/// Gives a customer the quota of a rule back, or all that holds them up.
pub async fn reset(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<ResetRequest>,
) -> Result<HttpResponse, ApiError> {
    let ResetRequest { rule, key } = body.0;
    match (held_by(&rule), &rule) {
        (Some(hold), _) => release(&api, &request, hold, key).await,
        (None, Field::Missing | Field::Null) => release_all(&api, &request, key).await,
        (None, _) => reset_rule(&api, &request, rule, key).await,
    }
}

async fn reset_rule(
    api: &Api,
    request: &HttpRequest,
    rule: Field,
    key: Field,
) -> Result<HttpResponse, ApiError> {
    let rules = api.flows.codes.limiter.rules();
    let mut faults = Faults::default();
    let rule = faults.required("rule", rule, |id| {
        rules.find(id).ok_or("no active rule has this id")
    });
    let named = faults.required("key", key, |text| match rule {
        Some(rule) => {
            check_parts(rules.networks(), rule, text)?;
            named(api, rule, text).map(Some)
        }
        None => Ok(None),
    });
    let (Some(rule), Some(Some(named))) = (rule, named) else {
        return Err(faults.into_error());
    };
    let done = give_back(api, rule, &named).await;
    tracing::info!(
        limits.action = "reset", limits.rule = &*rule.id, limits.by = %rule.by,
        limits.key = named.key, limits.done = done.is_ok(), operator.peer = peer(request),
        request.id = request_id(), "limits.audit"
    );
    done.map_err(FlowError::from)?;
    Ok(HttpResponse::Ok().json(ResetView {
        rule: rule.id.to_string(),
        by: rule.by.to_string(),
        scope: rule.scope.name(),
    }))
}

/// A customer of a rule.
struct Named {
    /// As it was typed, without a user.
    text: String,
    /// As the strangers' counter is named.
    key: String,
    /// The address that others ask about as well, if it is one.
    address: Option<Destination>,
    user: Option<Uuid>,
}

/// Whether something can be counted by what a customer is named by: there is such a list of networks, and at a login it is no id.
fn check_parts(networks: &Networks, rule: &Rule, text: &str) -> Result<(), KeyError> {
    let is_of_logins = rule.on == Some(Operation::Login);
    rule.by
        .parts()
        .zip(text.split(',').map(str::trim))
        .try_for_each(|part| match part {
            (KeyDimension::Network, list) if !networks.has(list) => Err(KeyError::Network),
            (KeyDimension::User, id) if is_of_logins && Uuid::parse_str(id).is_ok() => Err(KeyError::User),
            _ => Ok(()),
        })
}

fn named(api: &Api, rule: &Rule, text: &str) -> Result<Named, KeyError> {
    let with_user = || {
        let (address, user) = text.rsplit_once(',')?;
        Some((address.trim(), Some(Uuid::parse_str(user.trim()).ok()?)))
    };
    let is_single = rule.by.parts().count() == 1;
    let (text, user) = is_single.then(with_user).flatten().unwrap_or((text, None));
    let parts = rule.by.parts().zip(text.split(',').map(str::trim));
    let address = parts
        .filter(|(by, _)| matches!(by, KeyDimension::Phone | KeyDimension::Email | KeyDimension::User))
        .find_map(|(_, text)| match limits::account(text)? {
            Account::User(_) => None,
            Account::Email(email) => Some(Destination::Email(email)),
            Account::Phone(phone) => Some(Destination::Phone(phone)),
        });
    let keys = keys_of(api, rule, text, &Holders::default())?;
    Ok(Named {
        text: text.to_owned(),
        key: keys.into_iter().next().unwrap_or_default(),
        address,
        user,
    })
}

fn keys_of(api: &Api, rule: &Rule, text: &str, holders: &Holders) -> Result<Vec<String>, KeyError> {
    let keys = api.flows.codes.challenges.keyring.current();
    limits::keys_of(rule.by, text, keys, api.server.ipv6_prefix, holders)
}

/// Gives it back in each counter that there may be.
async fn give_back(api: &Api, rule: &Rule, named: &Named) -> Result<(), Unavailable> {
    let holders = match &named.address {
        Some(address) => api.flows.holders(address, named.user).await?,
        None => Holders::default(),
    };
    for key in keys_of(api, rule, &named.text, &holders).unwrap_or_default() {
        api.flows.codes.limiter.reset(rule, &key).await?;
    }
    Ok(())
}

/// Which of the OTP rules' own holds a rule's id names.
fn held_by(rule: &Field) -> Option<Hold> {
    Hold::ALL
        .into_iter()
        .find(|hold| matches!(rule, Field::Text(id) if hold.rule() == id))
}

/// Forgets what one of the OTP rules holds against an address.
async fn release(api: &Api, request: &HttpRequest, hold: Hold, key: Field) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let Some((to, user)) = faults.required("key", key, address_and_user) else {
        return Err(faults.into_error());
    };
    let by = KeyDimension::address_of(to.channel());
    let counted_as = api.flows.codes.challenges.digest(&to);
    let done = api.flows.release(hold, &to, user).await;
    tracing::info!(
        limits.action = "reset", limits.rule = hold.rule(), limits.by = %by, limits.key = counted_as.encode(),
        limits.user = user.is_some(), limits.done = done.is_ok(), operator.peer = peer(request),
        request.id = request_id(), "limits.audit"
    );
    done.map_err(FlowError::from)?;
    Ok(HttpResponse::Ok().json(ResetView {
        rule: hold.rule().to_owned(),
        by: by.to_string(),
        scope: Scope::Cluster.name(),
    }))
}

/// Forgets all that holds an address, or a user with both of theirs, up.
async fn release_all(api: &Api, request: &HttpRequest, key: Field) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let named = faults.required("key", key, |text| match Uuid::parse_str(text.trim()) {
        Ok(user) => Ok((None, Some(user))),
        Err(_) => address_and_user(text).map(|(to, user)| (Some(to), user)),
    });
    let Some((to, user)) = named else {
        return Err(faults.into_error());
    };
    let by = to
        .as_ref()
        .map_or(KeyDimension::User, |to| KeyDimension::address_of(to.channel()));
    let counted_as = to
        .as_ref()
        .map(|to| api.flows.codes.challenges.digest(to).encode());
    let done = forget_all(api, to, user).await;
    tracing::info!(
        limits.action = "reset", limits.rule = "all", limits.by = %by, limits.key = counted_as,
        limits.user = user.map(tracing::field::display), limits.done = done.is_ok(), operator.peer = peer(request),
        request.id = request_id(), "limits.audit"
    );
    done.map_err(FlowError::from)?;
    Ok(HttpResponse::Ok().json(ResetView {
        rule: "all".to_owned(),
        by: by.to_string(),
        scope: Scope::Cluster.name(),
    }))
}

async fn forget_all(api: &Api, to: Option<Destination>, user: Option<Uuid>) -> Result<(), Unavailable> {
    let rules = api.flows.codes.limiter.rules();
    let single = |by: KeyDimension| rules.rules().iter().filter(move |rule| rule.by == by.into());
    let addresses = match (to, user) {
        (Some(to), _) => vec![to],
        (None, Some(user)) => api.flows.user(user).await?.map(addresses).unwrap_or_default(),
        (None, None) => Vec::new(),
    };
    for to in addresses {
        for hold in Hold::ALL {
            api.flows.release(hold, &to, user).await?;
        }
        // At a login the address stands for the account.
        let by_address = single(KeyDimension::address_of(to.channel()));
        for rule in by_address.chain(single(KeyDimension::User)) {
            if let Ok(named) = named(api, rule, to.expose()) {
                give_back(api, rule, &Named { user, ..named }).await?;
            }
        }
    }
    let id = user.map(|user| user.to_string());
    for (rule, id) in single(KeyDimension::User).zip(id.iter().cycle()) {
        if let Ok(named) = named(api, rule, id) {
            give_back(api, rule, &named).await?;
        }
    }
    Ok(())
}

fn addresses(user: User) -> Vec<Destination> {
    let email = user.email.map(Destination::Email);
    [Destination::Phone(user.phone)]
        .into_iter()
        .chain(email)
        .collect()
}

/// A phone number or an e-mail address; with a comma between, the id of a user who asks for codes to it as well.
fn address_and_user(text: &str) -> Result<(Destination, Option<Uuid>), KeyError> {
    let (address, user) = match text.rsplit_once(',') {
        Some((address, user)) => (
            address.trim(),
            Some(Uuid::parse_str(user.trim()).map_err(|_| KeyError::User)?),
        ),
        None => (text.trim(), None),
    };
    match address.contains('@') {
        true => Ok((Destination::Email(EmailAddress::parse(address)?), user)),
        false => Ok((
            Destination::Phone(PhoneNumber::parse(address, PhoneCheck::E164)?),
            user,
        )),
    }
}
