//! The current user.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::{PersonName, ProfileChange, User},
    http::{
        api::Api,
        kit::{
            auth::current,
            client::client_network,
            docs::{Docs, MINUTE, PHONE, Tag},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
            rejection::Rejection,
        },
    },
    problem::FieldErrors,
};

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: Uuid,
    /// Null where whoever owns the address took it, by registering with a code.
    #[schema(required, example = "test@example.com")]
    email: Option<String>,
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
    let signed_in = current(&api, &request).await?;
    Ok(HttpResponse::Ok().json(UserView::from(signed_in.user)))
}

/// What is to be changed; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProfileRequest {
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 150, pattern = "{name}", example = "Test")]
    first_name: Field,
    /// Null or empty for whoever has one name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150, pattern = "{last_name}", example = "User")]
    last_name: Field,
    /// Refused: these change once their new owner is proven, by routes of their own.
    #[serde(default)]
    #[schema(ignore)]
    email: Field,
    #[serde(default)]
    #[schema(ignore)]
    phone: Field,
}

const EMAIL_ELSEWHERE: &str = "Change it at /api/users/email/change/.";
const PHONE_ELSEWHERE: &str = "Change it at /api/users/phone/change/.";

pub fn change_docs() -> Docs {
    let elsewhere = [
        ("email", vec![EMAIL_ELSEWHERE.into()]),
        ("phone", vec![PHONE_ELSEWHERE.into()]),
    ];
    Docs::new("change_me", Tag::Accounts, "Change the current user's name.")
        .text("What can't be changed is ignored, but for `email` and `phone`: each has a route of its own.")
        .bearer()
        .body::<ProfileRequest>(
            &[],
            &[("name", json!({ "first_name": "Test", "last_name": "User" }))],
        )
        .refuses([Rejection::Fields(FieldErrors::from_iter(elsewhere))])
        .answers(200, "The account as it is now.", &UserView::example())
        .limited("me-per-user", 6000, MINUTE)
        .unavailable()
}

/// Changes the current user's name.
pub async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<ProfileRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let change = profile_change(body.read().await?)?;
    let client = client_network(&api, &request);
    let user = api.profiles.change(signed_in.user, change, client).await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

fn profile_change(body: ProfileRequest) -> Result<ProfileChange, ApiError> {
    let mut faults = Faults::default();
    let first_name = match body.first_name {
        Field::Missing => None,
        field => faults.required("first_name", field, PersonName::parse),
    };
    let last_name = faults.change("last_name", body.last_name, PersonName::parse_or_absent);
    for (name, field, elsewhere) in [
        ("email", body.email, EMAIL_ELSEWHERE),
        ("phone", body.phone, PHONE_ELSEWHERE),
    ] {
        if !matches!(field, Field::Missing) {
            faults.note(name, elsewhere);
        }
    }
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    Ok(ProfileChange {
        first_name,
        last_name: last_name.map(|name| name.unwrap_or(PersonName::ABSENT)),
    })
}

impl UserView {
    /// As the documents show it.
    pub fn example() -> Self {
        let time = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e),
            email: Some("test@example.com".to_owned()),
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
            email: user.email.map(Into::into),
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

pub fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
