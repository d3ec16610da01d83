//! Who is let in, and why they do something.

use actix_web::HttpRequest;

use crate::{
    accounts::SignedIn,
    admin::{Entered, read_reason},
    http::{
        api::Api,
        kit::{
            auth::bearer_token,
            client::client_network,
            extract::{Faults, Field},
            line,
            problem::ApiError,
            rejection::Rejection,
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
    let token = bearer_token(request)?.ok_or(Rejection::NotAuthenticated)?;
    let signed_in = api.sessions.authenticate(token).await?;
    let_in(api, request, signed_in, least).await
}

/// The same for whoever is signed in already.
///
/// # Errors
/// As for [`enter`].
pub async fn let_in(
    api: &Api,
    request: &HttpRequest,
    signed_in: SignedIn,
    least: Role,
) -> Result<Entered, ApiError> {
    line::name_user(request, signed_in.user.id);
    let client = client_network(api, request);
    let subject = Subject::new(client).with_user(Some(signed_in.user.id));
    let limiter = &api.flows.codes.limiter;
    let _spent = limiter
        .admit(Operation::Admin, &subject)
        .await
        .map_err(crate::accounts::AccountError::from)?;
    Ok(api.admin.enter(signed_in, client, least).await?)
}

/// Reads the reason of a change.
pub fn reason(faults: &mut Faults, field: Field) -> Option<String> {
    faults.required("reason", field, read_reason)
}
