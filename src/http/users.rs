//! Accounts: making one, looking at one's own.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::Bearer,
    client::client_network,
    extract::{Faults, Field, JsonBody},
    problem::ApiError,
    refusals::{self, HOUR, MINUTE, refusals},
    sessions::TokensView,
};
use crate::{
    accounts::{AccountError, Password, PersonName, Registration, User},
    email::EmailAddress,
    phone::PhoneNumber,
};

/// A new account. Every field is required.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Compared without case.
    #[serde(default)]
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "test@example.com")]
    email: Field,
    /// In international form; spaces and punctuation are dropped, and a trunk prefix where `phone.check` knows the country.
    #[serde(default)]
    #[schema(value_type = String, required, example = "+1234567890")]
    phone: Field,
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 150, example = "Test")]
    first_name: Field,
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 150, example = "User")]
    last_name: Field,
    /// 8 to 128 characters of any script.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 8, max_length = 128, example = "securepass123")]
    password: Field,
    /// The same again.
    #[serde(default)]
    #[schema(value_type = String, required, example = "securepass123")]
    password_confirm: Field,
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: Uuid,
    #[schema(example = "test@example.com")]
    email: String,
    /// E.164.
    #[schema(example = "+1234567890")]
    phone: String,
    #[schema(example = "Test")]
    first_name: String,
    #[schema(example = "User")]
    last_name: String,
    phone_verified: bool,
    email_verified: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

/// An account and a session of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInView {
    pub user: UserView,
    pub tokens: TokensView,
}

refusals! {
    RegisterRefusals =
        refusals::body(&["email", "phone", "first_name", "last_name", "password", "password_confirm"]),
        [AccountError::EmailTaken.into()],
        refusals::limited("register-per-ip", 300, HOUR),
        refusals::away(),
}

/// Make an account and open its first session.
///
/// The phone is a claim until a code proves it: any number of accounts may claim one.
#[utoipa::path(
    post,
    path = "/api/users/register/",
    tag = "Accounts",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account and its tokens.", body = SignedInView,
            example = json!(SignedInView::example())),
        RegisterRefusals,
    ),
)]
pub async fn register(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RegisterRequest>,
) -> Result<HttpResponse, ApiError> {
    let registration = registration(&api, body.0)?;
    let (user, tokens) = api
        .accounts
        .register(client_network(&api, &request), registration)
        .await?;
    Ok(HttpResponse::Created().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}

refusals!(
    MeRefusals = refusals::bearer(),
    refusals::limited("me-per-user", 6000, MINUTE),
    refusals::away()
);

/// Look at one's own account.
#[utoipa::path(
    get,
    path = "/api/users/me/",
    tag = "Accounts",
    responses(
        (status = 200, description = "The account.", body = UserView, example = json!(UserView::example())),
        MeRefusals,
    ),
    security(("bearer" = [])),
)]
pub async fn me(api: web::Data<Api>, request: HttpRequest, bearer: Bearer) -> Result<HttpResponse, ApiError> {
    let user = bearer.0.user;
    api.accounts
        .admit_me(client_network(&api, &request), &user)
        .await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

fn registration(api: &Api, body: RegisterRequest) -> Result<Registration, ApiError> {
    let mut faults = Faults::default();
    let email = faults.required("email", body.email, EmailAddress::parse);
    let phone = faults.required("phone", body.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    let first_name = faults.required("first_name", body.first_name, PersonName::parse);
    let last_name = faults.required("last_name", body.last_name, PersonName::parse);
    let password = faults.required("password", body.password, Password::parse);
    let confirm = faults.required("password_confirm", body.password_confirm, |text| {
        Ok::<_, std::convert::Infallible>(Password::presented(text))
    });
    if let (Some(password), Some(confirm)) = (&password, &confirm)
        && !password.is_same(confirm)
    {
        faults.note("password_confirm", "The two passwords are not the same.");
    }
    if let (Some(password), Some(email), Some(phone)) = (&password, &email, &phone)
        && let Err(error) = password.refuse_personal(email, phone)
    {
        faults.note("password", error.to_string());
    }
    match (faults.is_empty(), email, phone, first_name, last_name, password) {
        (true, Some(email), Some(phone), Some(first_name), Some(last_name), Some(password)) => {
            Ok(Registration {
                email,
                phone,
                first_name,
                last_name,
                password,
            })
        }
        _ => Err(faults.into_error()),
    }
}

impl UserView {
    /// As the documents show it.
    fn example() -> Self {
        let time = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e),
            email: "test@example.com".to_owned(),
            phone: "+1234567890".to_owned(),
            first_name: "Test".to_owned(),
            last_name: "User".to_owned(),
            phone_verified: false,
            email_verified: false,
            created_at: time,
            updated_at: time,
        }
    }
}

impl SignedInView {
    /// As the documents show it.
    pub fn example() -> Self {
        Self {
            user: UserView::example(),
            tokens: TokensView::example(),
        }
    }
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            phone: user.phone.expose().to_owned(),
            first_name: user.first_name,
            last_name: user.last_name,
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
