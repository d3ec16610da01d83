//! Making an account.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::http::{
    api::Api,
    kit::{
        client::client_info,
        docs::{Docs, HOUR, PHONE, Tag},
        extract::{Faults, Field, JsonBody},
        problem::ApiError,
    },
    public::{new_password, sessions::SignedInView},
};
use crate::{
    accounts::{AccountError, OwnerWords, PersonName, Registration},
    email::EmailAddress,
    phone::PhoneNumber,
};

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Compared without case; a domain in its own script and in punycode is one. At most 254 bytes, 64 of them before the @.
    #[serde(default)]
    #[schema(value_type = String, required, format = Email, max_length = 254, pattern = "{email}", example = "test@example.com")]
    email: Field,
    /// In international form, in digits of any script; spaces, punctuation and invisible marks are dropped, and where
    /// `phone.check` knows the country, a trunk prefix too.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = r"^\+[1-9][0-9]{6,14}$", example = "+14155552671")]
    phone: Field,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 150, pattern = "{name}", example = "Test")]
    first_name: Field,
    /// Missing, null or empty for whoever has one name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150, pattern = "{last_name}", example = "User")]
    last_name: Field,
    /// 8 to 128 characters of any script, or more than 8 at least (`passwords.min_length`), not one again and again; not
    /// made of the e-mail address, the phone, the name or the name of the service; not a common or stolen one.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 8, max_length = 128, pattern = "{password}", example = "securepass123")]
    password: Field,
    /// The same again.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 8, max_length = 128, pattern = "{password}", example = "securepass123")]
    password_confirm: Field,
}

pub fn register_docs() -> Docs {
    Docs::new(
        "register",
        Tag::Accounts,
        "Create an account and open its first session.",
    )
    .text("The phone is a claim until a code proves it: any number of accounts may claim one.")
    .body::<RegisterRequest>(
        &[
            "email",
            "phone",
            "first_name",
            "last_name",
            "password",
            "password_confirm",
        ],
        &[(
            "register",
            json!({
                "email": "test@example.com", "phone": PHONE, "first_name": "Test", "last_name": "User",
                "password": "securepass123", "password_confirm": "securepass123",
            }),
        )],
    )
    .answers(201, "The account and its tokens.", &SignedInView::example())
    .refuses([AccountError::EmailTaken])
    .limited("register-per-ip", 300, HOUR)
    .unavailable()
}

/// Creates an account and opens its first session.
pub async fn register(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RegisterRequest>,
) -> Result<HttpResponse, ApiError> {
    let registration = registration(&api, body.0).await?;
    let (user, tokens) = api
        .sign_in
        .register(&client_info(&api, &request), registration)
        .await?;
    Ok(HttpResponse::Created().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}

async fn registration(api: &Api, body: RegisterRequest) -> Result<Registration, ApiError> {
    let mut faults = Faults::default();
    let email = faults.required("email", body.email, EmailAddress::parse);
    let phone = faults.required("phone", body.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    let first_name = faults.required("first_name", body.first_name, PersonName::parse);
    let last_name = faults
        .optional("last_name", body.last_name, PersonName::parse_or_absent)
        .unwrap_or(PersonName::ABSENT);
    let owner = OwnerWords {
        email: email.as_ref(),
        phone: phone.as_ref(),
        first_name: first_name.as_ref(),
        last_name: Some(&last_name),
    };
    let typed = (body.password, body.password_confirm);
    let password = new_password::read(&mut faults, &api.password_rules, typed, &owner).await;
    match (faults.is_empty(), email, phone, first_name, password) {
        (true, Some(email), Some(phone), Some(first_name), Some(password)) => Ok(Registration {
            email,
            phone,
            first_name,
            last_name,
            password,
        }),
        _ => Err(faults.into_error()),
    }
}
