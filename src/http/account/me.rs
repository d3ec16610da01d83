//! The current user.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::User,
    http::{
        api::Api,
        kit::{
            auth::bearer_token,
            client::client_network,
            docs::{Docs, MINUTE, PHONE, Tag},
            line,
            problem::ApiError,
            rejection::Rejection,
        },
    },
};

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: Uuid,
    #[schema(example = "test@example.com")]
    email: String,
    /// E.164.
    #[schema(example = "+14155552671")]
    phone: String,
    #[schema(example = "Test")]
    first_name: String,
    /// Empty where the person has one name.
    #[schema(example = "User")]
    last_name: String,
    phone_verified: bool,
    email_verified: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

pub fn me_docs() -> Docs {
    Docs::new("me", Tag::Accounts, "Get the current user.")
        .bearer()
        .answers(200, "The account.", &UserView::example())
        .limited("me-per-user", 6000, MINUTE)
        .unavailable()
}

/// Gets the current user.
pub async fn me(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let token = bearer_token(&request)?.ok_or(Rejection::NotAuthenticated)?;
    let client = client_network(&api, &request);
    let user = api.sessions.current_user(client, token).await?;
    line::name_user(&request, user.id);
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

impl UserView {
    /// As the documents show it.
    pub fn example() -> Self {
        let time = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e),
            email: "test@example.com".to_owned(),
            phone: PHONE.to_owned(),
            first_name: "Test".to_owned(),
            last_name: "User".to_owned(),
            phone_verified: false,
            email_verified: false,
            created_at: time,
            updated_at: time,
        }
    }
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email.into(),
            phone: user.phone.expose().to_owned(),
            first_name: user.first_name.into(),
            last_name: user.last_name.into(),
            phone_verified: user.phone_verified,
            email_verified: user.email_verified,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
