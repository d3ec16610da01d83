//! Who is let in, and why they do something.

use actix_web::HttpRequest;
use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    accounts::SignedIn,
    admin::{AdminError, Asked, Entered, read_reason},
    http::{
        api::Api,
        kit::{
            auth::bearer_token,
            client::client_network,
            extract::{Faults, Field, UnreadJson},
            line,
            observe::method_name,
            problem::ApiError,
            rejection::Rejection,
            routes::pattern_of,
        },
    },
    limits::{Operation, Subject},
    tokens::Role,
};

/// Lets whoever shows a token in, if their role is `least` or more.
///
/// # Errors
/// When there is no good token, no second proof, or the role is less; when a limit refuses.
pub async fn enter(api: &Api, request: &HttpRequest, least: Role) -> Result<Entered, ApiError> {
    let entered = by_token(api, request).await?;
    demand(api, request, &entered, least, (None, None)).await?;
    Ok(entered)
}

/// The same for a change; gives its body as well. What is wrong with that is told to those alone who may do it.
///
/// # Errors
/// As for [`enter`], and when the body is no good one.
pub async fn enter_with<T: DeserializeOwned>(
    api: &Api,
    request: &HttpRequest,
    least: Role,
    body: UnreadJson<T>,
) -> Result<(Entered, T), ApiError> {
    let entered = by_token(api, request).await?;
    if entered.role() < least {
        let why = body.of::<Why>().read().await.ok();
        let why = why.and_then(|why| Faults::default().required("reason", why.reason, read_reason));
        demand(api, request, &entered, least, (None, why)).await?;
        return Err(AdminError::Forbidden.into());
    }
    Ok((entered, body.read().await?))
}

/// Why somebody asks, whatever else is in the body.
#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    reason: Field,
}

async fn by_token(api: &Api, request: &HttpRequest) -> Result<Entered, ApiError> {
    let token = bearer_token(request)?.ok_or(Rejection::NotAuthenticated)?;
    let signed_in = api.sessions.authenticate(token).await?;
    let_in(api, request, signed_in).await
}

/// Lets whoever is signed in already in, whatever the role is: see [`demand`].
///
/// # Errors
/// When there is no second proof; when a limit refuses.
pub async fn let_in(api: &Api, request: &HttpRequest, signed_in: SignedIn) -> Result<Entered, ApiError> {
    line::name_user(request, signed_in.user.id);
    let client = client_network(api, request);
    let subject = Subject::new(client).with_user(Some(signed_in.user.id));
    let limiter = &api.flows.codes.limiter;
    let _spent = limiter
        .admit(Operation::Admin, &subject)
        .await
        .map_err(crate::accounts::AccountError::from)?;
    Ok(api.admin.enter(signed_in, client).await?)
}

/// Asks for a role that is `least` or more. What one that is less asked for is kept: the `action` of a button, and why.
///
/// # Errors
/// When the role is less.
pub async fn demand(
    api: &Api,
    request: &HttpRequest,
    of: &Entered,
    least: Role,
    (action, reason): (Option<&'static str>, Option<String>),
) -> Result<(), ApiError> {
    let id = request.match_info().get("id");
    let asked = Asked {
        method: method_name(request.method()),
        route: pattern_of(request).unwrap_or_default(),
        action,
        about: id.and_then(|id| Uuid::parse_str(id).ok()),
        reason,
    };
    Ok(api.admin.demand(of, least, asked).await?)
}

/// Reads the reason of a change.
pub fn reason(faults: &mut Faults, field: Field) -> Option<String> {
    faults.required("reason", field, read_reason)
}
