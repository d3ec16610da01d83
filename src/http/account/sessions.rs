//! Sessions of one's own: see them, end them, sign out.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::AccountError,
    http::{
        account::me::rfc3339,
        api::Api,
        kit::{
            auth::{current, signed_in},
            client::client_network,
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Field, OptionalJson},
            problem::ApiError,
            rejection::Rejection,
        },
        public::sessions::TokensView,
    },
};

/// In examples.
const SESSION_ID: &str = "0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9f";

/// The refresh token of the session that ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LogoutRequest {
    /// Proves whose session it is, also when the access token has expired.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    refresh: Field,
}

/// Where somebody is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionEntry {
    id: Uuid,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    /// To the minute.
    #[serde(serialize_with = "rfc3339")]
    last_used_at: DateTime<Utc>,
    /// It ends then, however often it is renewed.
    #[serde(serialize_with = "rfc3339")]
    expires_at: DateTime<Utc>,
    /// Browser and system, as the client said of itself when it signed in. Null: it didn't.
    #[schema(example = "Chrome on Android")]
    client: Option<String>,
    /// The network that it signed in from: /24 of IPv4, /48 of IPv6.
    #[schema(example = "203.0.113.0/24")]
    network: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// Where the current user is signed in, what was used last first.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub struct SessionsView {
    sessions: Vec<SessionEntry>,
}

pub fn list_docs() -> Docs {
    Docs::new(
        "sessions",
        Tag::Sessions,
        "List the sessions of the current user.",
    )
    .bearer()
    .answers(200, "The live sessions.", &SessionsView::example())
    .limited("me-per-user", 6000, MINUTE)
    .unavailable()
}

/// Lists the sessions of the current user.
pub async fn list(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let sessions = api.sessions.list(&signed_in).await?;
    let sessions = sessions
        .into_iter()
        .map(|session| SessionEntry {
            current: session.id == signed_in.session,
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.used_at,
            expires_at: session.expires_at,
            client: session.client,
            network: session.network,
        })
        .collect();
    Ok(HttpResponse::Ok().json(SessionsView { sessions }))
}

pub fn end_docs() -> Docs {
    Docs::new("end_session", Tag::Sessions, "End a session of the current user.")
        .text("Its tokens are refused from now on. It may be the one that asks.")
        .bearer()
        .parameter(
            "path",
            "id",
            "The session's id, from the list.",
            json!({ "type": "string", "format": "uuid" }),
            SESSION_ID,
        )
        .answer(204, "The session has ended.", Value::Null)
        .refuses([AccountError::NotFound])
        .limited("me-per-user", 6000, MINUTE)
        .unavailable()
}

/// Ends a session of the current user. One that is over, another's, and none are answered alike.
pub async fn end(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let session = Uuid::parse_str(&id).map_err(|_| AccountError::NotFound)?;
    let client = client_network(&api, &request);
    api.sessions.end(&signed_in, session, client).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub fn end_others_docs() -> Docs {
    Docs::new("end_other_sessions", Tag::Sessions, "End all other sessions of the current user.")
        .text("All but the one that asks. Whoever knows the password can sign in again: change it to keep them out.")
        .bearer()
        .answer(204, "The others have ended.", Value::Null)
        .limited("me-per-user", 6000, MINUTE)
        .unavailable()
}

/// Ends all sessions of the current user but the one that asks.
pub async fn end_others(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let client = client_network(&api, &request);
    api.sessions.end_others(&signed_in, client).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl SessionsView {
    fn example() -> Self {
        let time = |seconds: i64| DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap_or_default();
        let entry = SessionEntry {
            id: Uuid::parse_str(SESSION_ID).unwrap_or_default(),
            created_at: time(0),
            last_used_at: time(86_400),
            expires_at: time(30 * 86_400),
            client: Some("Chrome on Android".to_owned()),
            network: Some("203.0.113.0/24".to_owned()),
            current: true,
        };
        Self {
            sessions: vec![entry],
        }
    }
}

pub fn logout_docs() -> Docs {
    Docs::new("logout", Tag::Sessions, "Sign out.")
        .text(
            "Ends a session: its tokens are refused from now on. Send its refresh token, used or not, or a good access \
             token. With both, the refresh token says which session ends.",
        )
        .optional_bearer()
        .optional_body::<LogoutRequest>("refresh", json!({ "refresh": json!(TokensView::example())["refresh"] }))
        .answer(204, "The session has ended.", Value::Null)
        // Tokens that are good for nothing count.
        .limited("other-per-ip-flood", 1200, MINUTE)
        .unavailable()
}

/// Ends the session that a token belongs to.
pub async fn logout(
    api: web::Data<Api>,
    request: HttpRequest,
    body: OptionalJson<LogoutRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let refresh = faults.optional("refresh", body.0.unwrap_or_default().refresh, |text| {
        Ok::<_, AccountError>(text.to_owned())
    });
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let shown = refresh.map(|token| api.sessions.of_refresh(&token)).transpose();
    let session = match shown {
        Ok(Some(session)) => session,
        shown => match (shown, signed_in(&request).await) {
            (_, Ok(Some(signed_in))) => signed_in.session,
            (Err(error), _) => return Err(error.into()),
            (Ok(_), Err(error)) => return Err(error),
            (Ok(_), Ok(None)) => return Err(Rejection::NotAuthenticated.into()),
        },
    };
    let client = client_network(&api, &request);
    api.sessions.logout(client, session).await?;
    Ok(HttpResponse::NoContent().finish())
}
